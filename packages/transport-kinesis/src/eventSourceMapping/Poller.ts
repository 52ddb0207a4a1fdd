/**
 * The loop of one shard: read, gather a batch, invoke until it is done or given up, go on. One batch at a time, so a
 * slow function slows reading, and a failing one holds its shard.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Attempt from "./Attempt.ts"
import * as Batch from "./Batch.ts"
import type * as Invoker from "./Invoker.ts"
import type * as MappingEvent from "./MappingEvent.ts"
import * as OnFailure from "./OnFailure.ts"
import type * as Reader from "./Reader.ts"

/**
 * What a poller needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly shardId: string
  readonly reader: Reader.Reader
  readonly invoker: Invoker.Invoker
  readonly bounds: Batch.Bounds
  /** Milliseconds that a batch waits for more. */
  readonly window: number
  readonly policy: Attempt.Policy
  /** Milliseconds. */
  readonly maximumAge: number
  /** Milliseconds before the n-th retry. */
  readonly backoff: (retry: number) => number
  readonly source: { readonly streamArn: string; readonly functionArn: string }
  readonly emit: (event: MappingEvent.MappingEvent) => void
  readonly onFailure: (failure: OnFailure.Failure) => Effect.Effect<void>
  /** The record up to which all is done or given up. */
  readonly checkpoint: (sequenceNumber: string) => void
  /** Called before a read; what it returns is called when that read met the tip and all up to there is done. */
  readonly reading: () => () => void
}

/**
 * Runs until the shard's end was read and its last record is done or given up.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* (options: Options) {
  let buffer: ReadonlyArray<KinesisClient.Record> = []
  let deadline: number | undefined
  let open = true
  let tip: Tip | undefined
  while (open || buffer.length > 0) {
    const { count, full } = Batch.fit(buffer, options.bounds)
    const now = yield* Clock.currentTimeMillis
    if (count > 0) deadline ??= now + options.window
    if (count > 0 && (full || !open || now >= (deadline ?? now))) {
      yield* finish(options, buffer.slice(0, count))
      buffer = buffer.slice(count)
      deadline = undefined
      tip = nearer(tip, count)
    } else if (yield* options.reader.pause(deadline)) {
      const reached = options.reading()
      const page: KinesisClient.Page = yield* options.reader.read
      open = page.next !== undefined
      buffer = [...buffer, ...page.records]
      // One tip at a time: with records coming in all the while a later one would always push it ahead.
      if (open && page.millisBehindLatest === 0) tip = nearer(tip ?? { reached, ahead: buffer.length }, 0)
    }
  }
}) satisfies (options: Options) => Effect.Effect<void, KinesisError.KinesisError>

/** The end of the shard as a read met it, and how many records lie before it. */
interface Tip {
  readonly reached: () => void
  readonly ahead: number
}

const nearer = (tip: Tip | undefined, done: number): Tip | undefined => {
  if (tip === undefined) return undefined
  if (tip.ahead > done) return { ...tip, ahead: tip.ahead - done }
  tip.reached()
  return undefined
}

/** Invokes until every record of the batch is done or given up. */
const finish = Effect.fnUntraced(function* (options: Options, records: ReadonlyArray<KinesisClient.Record>) {
  let queue: ReadonlyArray<Attempt.Attempt> = [Attempt.first(records)]
  for (let head = queue[0]; head !== undefined; head = queue[0]) {
    const now = yield* Clock.currentTimeMillis
    const { attempt, discard } = Attempt.expire(head, now, options.maximumAge)
    if (discard !== undefined) yield* giveUp(options, discard, randomUUID())
    const again = attempt === undefined ? [] : yield* once(options, attempt)
    queue = [...again, ...queue.slice(1)]
  }
})

const once = Effect.fnUntraced(function* (options: Options, attempt: Attempt.Attempt) {
  const { shardId } = options
  const { error, ...invocation } = yield* options.invoker.invoke(shardId, attempt.records)
  const step = Attempt.next(attempt, invocation.verdict, options.policy)
  const done = attempt.records[step.settled - 1]
  if (done !== undefined) options.checkpoint(done.sequenceNumber)
  options.emit({
    _tag: "Invoked",
    shardId,
    records: attempt.records.length,
    settled: step.settled,
    attempt: attempt.invocations + 1,
    error,
    ...invocation
  })
  if (step.discard !== undefined) yield* giveUp(options, step.discard, invocation.requestId)
  const retries = step.again[0]?.retries ?? 0
  // A cut is sent at once; the same records again only after a pause.
  if (retries > attempt.retries) yield* Effect.sleep(options.backoff(retries))
  return step.again
})

const giveUp = Effect.fnUntraced(function* (options: Options, discard: Attempt.Discard, requestId: string) {
  const { shardId, source } = options
  const now = yield* Clock.currentTimeMillis
  const failure = {
    document: OnFailure.make(discard, { ...source, shardId, requestId, now }),
    records: discard.records
  }
  // The destination first: a crash in between repeats the records and does not lose them.
  yield* options.onFailure(failure)
  const last = discard.records.at(-1)
  if (last !== undefined) options.checkpoint(last.sequenceNumber)
  options.emit({ _tag: "GivenUp", shardId, failure })
})
