/**
 * Sends batches of one shard to the function until each record is done or given up, and the window's final call.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../KinesisClient.ts"
import * as Attempt from "./Attempt.ts"
import type * as Committer from "./Committer.ts"
import type * as Invoker from "./Invoker.ts"
import type * as MappingEvent from "./MappingEvent.ts"
import * as OnFailure from "./OnFailure.ts"
import type * as OnFailureDestination from "./OnFailureDestination.ts"
import * as Window from "./Window.ts"

/**
 * What a sender needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly shardId: string
  readonly invoker: Invoker.Invoker
  readonly policy: Attempt.Policy
  /** Milliseconds. */
  readonly maximumAge: number
  /** Milliseconds before the n-th retry. */
  readonly backoff: (retry: number) => number
  readonly source: { readonly streamArn: string; readonly functionArn: string; readonly mappingId: string }
  readonly emit: (event: MappingEvent.MappingEvent) => void
  readonly onFailure: OnFailureDestination.OnFailureDestination
  /** These are done or given up. */
  readonly settle: (records: ReadonlyArray<KinesisClient.Record>) => Effect.Effect<void, Committer.Failure>
}

/**
 * A sender. Without windows it may be used by several lanes at once; with them by one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sender {
  readonly send: (records: ReadonlyArray<KinesisClient.Record>) => Effect.Effect<void, Committer.Failure>
  /** Under tumbling windows, the open one. */
  readonly window: () => Window.Window | undefined
  readonly open: (window: Window.Window) => void
  /** Tells the function that the window is over; then none is open. */
  readonly close: Effect.Effect<void, Committer.Failure>
}

/**
 * A sender that has no window open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Sender => {
  const shard: Shard = { options, window: undefined }
  return {
    send: (records) => finish(shard, Attempt.first(records), "batch"),
    window: () => shard.window,
    open: (window) => void (shard.window = window),
    close: Effect.suspend(() => end(shard, "final"))
  }
}

interface Shard {
  readonly options: Options
  window: Window.Window | undefined
}

/** `batch` carries records; the others are the last of their window and carry none. */
type Call = "batch" | "final" | "early"

const finish = Effect.fnUntraced(function* (shard: Shard, first: Attempt.Attempt, call: Call) {
  const { options } = shard
  let queue: ReadonlyArray<Attempt.Attempt> = [first]
  let throttles = 0
  for (let head = queue[0]; head !== undefined; head = queue[0]) {
    const now = yield* Clock.currentTimeMillis
    const { attempt, discard } = expire(shard, head, now, call)
    if (discard !== undefined) yield* giveUp(shard, discard, randomUUID())
    const again: ReadonlyArray<Attempt.Attempt> = attempt === undefined ? [] : yield* once(shard, attempt, call)
    // The same attempt comes back when the call was throttled.
    throttles = again[0] !== undefined && again[0] === attempt ? throttles + 1 : 0
    if (throttles > 0) yield* Effect.sleep(options.backoff(throttles))
    queue = [...again, ...queue.slice(1)]
  }
})

/** A call without records is as old as the last record of its window. */
const expire = (
  { options, window }: Shard,
  attempt: Attempt.Attempt,
  now: number,
  call: Call
): ReturnType<typeof Attempt.expire> => {
  if (call === "batch") return Attempt.expire(attempt, now, options.maximumAge)
  if (now - (window?.range?.last.arrival ?? now) <= options.maximumAge) return { attempt, discard: undefined }
  const { invocations } = attempt
  return {
    attempt: undefined,
    discard: { records: [], condition: "RecordAgeExceeded", invocations, functionError: null }
  }
}

const once = Effect.fnUntraced(function* (shard: Shard, attempt: Attempt.Attempt, call: Call) {
  const { options, window } = shard
  const { invoker, shardId, source } = options
  const sent = window === undefined ? undefined : Window.toEvent(window, { shardId, ...source }, call)
  const invocation = yield* invoker.invoke(shardId, attempt.records, sent)
  const step = Attempt.next(attempt, invocation.verdict, options.policy)
  told(options, attempt, invocation, step)
  if (invocation.verdict._tag === "Settled" || invocation.verdict._tag === "From") {
    yield* settle(shard, attempt.records.slice(0, step.settled), call === "batch" ? invocation.state : undefined)
  }
  if (step.discard !== undefined) yield* giveUp(shard, step.discard, invocation.requestId)
  const retries = step.again[0]?.retries ?? 0
  // A cut is sent at once; the same records again only after a pause.
  if (retries > attempt.retries) yield* Effect.sleep(options.backoff(retries))
  return step.again
})

const told = (
  { emit, shardId }: Options,
  attempt: Attempt.Attempt,
  { duration, error, iteratorAge, requestId, verdict }: Invoker.Invocation,
  step: Attempt.Step
): void => {
  const records = attempt.records.length
  if (verdict._tag === "Throttled") return emit({ _tag: "Throttled", shardId, records })
  const call = { requestId, verdict, duration, iteratorAge, error }
  emit({ _tag: "Invoked", shardId, records, settled: step.settled, attempt: attempt.invocations + 1, ...call })
}

const settle = Effect.fnUntraced(function* (
  shard: Shard,
  records: ReadonlyArray<KinesisClient.Record>,
  state: unknown
) {
  if (shard.window !== undefined) {
    shard.window = Window.extend(shard.window, records)
    if (state !== undefined) shard.window = Window.withState(shard.window, state)
  }
  yield* shard.options.settle(records)
  if (state !== undefined && Window.bytesOf(state) > Window.largestState) yield* end(shard, "early")
})

const end = (shard: Shard, call: "final" | "early"): Effect.Effect<void, Committer.Failure> =>
  Effect.gen(function* () {
    const { window } = shard
    if (window === undefined) return
    // What goes on after an early end may meet no more records: then there is no state to ask for.
    if (window.range === undefined) {
      shard.window = undefined
      return
    }
    const { emit, shardId, source } = shard.options
    yield* finish(shard, Attempt.first([]), call)
    shard.window = call === "early" ? Window.again(window) : undefined
    const event = Window.toEvent(window, { shardId, ...source }, call)
    emit({ _tag: "WindowClosed", shardId, window: event.window, early: call === "early" })
    yield* shard.options.settle([])
  })

const giveUp = Effect.fnUntraced(function* (shard: Shard, discard: Attempt.Discard, requestId: string) {
  const { emit, shardId, source } = shard.options
  const now = yield* Clock.currentTimeMillis
  const failure = {
    document: OnFailure.make(discard, { ...source, shardId, requestId, now, range: shard.window?.range }),
    records: discard.records,
    mappingId: source.mappingId
  }
  // The destination first: a crash in between repeats the records and does not lose them.
  yield* deliver(shard.options, failure, 1)
  yield* settle(shard, discard.records, undefined)
  emit({ _tag: "GivenUp", shardId, failure })
})

const deliver = (options: Options, failure: OnFailure.Failure, attempt: number): Effect.Effect<void> =>
  Effect.catchTag(options.onFailure(failure), "DestinationError", (error) => {
    options.emit({ _tag: "DestinationFailed", shardId: options.shardId, error })
    return Effect.andThen(
      Effect.sleep(options.backoff(attempt)),
      Effect.suspend(() => deliver(options, failure, attempt + 1))
    )
  })
