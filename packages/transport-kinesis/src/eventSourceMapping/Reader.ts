/**
 * Reads one shard page by page: paced, with iterators that never grow old.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import * as Cursor from "../fetcher/Cursor.ts"
import * as Pace from "../fetcher/Pace.ts"
import * as ReadVerdict from "../fetcher/Verdict.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"

/**
 * A reader of one shard. It has one user, which reads in turn.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reader {
  /** Waits until the next read is due, at most until `deadline` (epoch milliseconds); whether it is due. */
  readonly pause: (deadline: number | undefined) => Effect.Effect<boolean>
  readonly read: Effect.Effect<KinesisClient.Page, KinesisError.KinesisError>
}

/**
 * What a reader needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly stream: string
  readonly shardId: string
  readonly start: KinesisClient.Position
  /** Milliseconds between reads at the tip. */
  readonly pollInterval: number
  readonly onError: (error: KinesisError.KinesisError) => void
  /** The record that was done last is gone from the stream, and so may be others before `resumed`. */
  readonly onTrimmed: (after: string, resumed: string) => void
}

// A shard answers 5 reads a second, all readers together; behind the tip we take them all.
const fastest = 200

// Iterators expire after 5 minutes: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
const iteratorLife = 270_000

// After a throttled read AWS asks for a second of rest.
const rest = "1 second"

const pageLimit = 10_000

/**
 * A reader that begins at `start`.
 *
 * **Details**
 *
 * It stands on the pure parts of `fetcher/Polling.ts` and differs in who sets the pace: it reads when it is asked to, so
 * that a read that shows an empty shard is known to have begun after the question. A record at which it was to go on and
 * that is no longer retained is told, and reading goes on at the oldest.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Reader => {
  const shard: Shard = { options, cursor: cursorAt(options.start), iterator: undefined, due: 0, failures: 0 }
  return { pause: (deadline) => pause(shard, deadline), read: read(shard) }
}

interface Shard {
  readonly options: Options
  cursor: Cursor.Cursor
  iterator: { readonly value: string; readonly at: number } | undefined
  due: number
  failures: number
}

/** A record that was done counts as delivered: that it is gone from the stream is worth an event. */
const cursorAt = (start: KinesisClient.Position): Cursor.Cursor => ({
  ...Cursor.make(start),
  delivered: start._tag === "After" ? start.sequenceNumber : undefined
})

const pause = Effect.fnUntraced(function* (shard: Shard, deadline: number | undefined) {
  const now = yield* Clock.currentTimeMillis
  const until = Math.min(shard.due, deadline ?? Infinity)
  if (until > now) yield* Effect.sleep(until - now)
  return shard.due <= (deadline ?? Infinity)
})

const read = (shard: Shard): Effect.Effect<KinesisClient.Page, KinesisError.KinesisError> =>
  Effect.catchTag(once(shard), "KinesisError", (error) =>
    Effect.andThen(
      mend(shard, error),
      Effect.suspend(() => read(shard))
    )
  )

const once = Effect.fnUntraced(function* (shard: Shard) {
  const { client, onTrimmed, pollInterval } = shard.options
  const value = yield* iteratorOf(shard)
  const askedAt = yield* Clock.currentTimeMillis
  const page = yield* client.getRecords(value, pageLimit)
  const { millisBehindLatest, next } = page
  const rates = { readInterval: Math.min(fastest, pollInterval), idleInterval: pollInterval }
  shard.failures = 0
  shard.due = Pace.afterPage(rates, { askedAt, bytes: Pace.sizeOf(page.records), millisBehindLatest })
  shard.iterator = next === undefined ? undefined : { value: next, at: askedAt }
  const { delivered } = shard.cursor
  const { cursor, gap, records } = Cursor.accept(shard.cursor, page.records)
  shard.cursor = cursor
  if (gap !== undefined && delivered !== undefined) onTrimmed(delivered, gap)
  return { ...page, records }
})

const iteratorOf = Effect.fnUntraced(function* (shard: Shard) {
  const now = yield* Clock.currentTimeMillis
  const { client, shardId, stream } = shard.options
  if (shard.iterator !== undefined && now - shard.iterator.at < iteratorLife) return shard.iterator.value
  shard.cursor = Cursor.renew(shard.cursor)
  const value = yield* client.getShardIterator(stream, shardId, Cursor.start(shard.cursor))
  shard.iterator = { value, at: now }
  return value
})

/** Gets the shard ready for another try, or fails. */
const mend = Effect.fnUntraced(function* (shard: Shard, error: KinesisError.KinesisError) {
  shard.failures++
  shard.options.onError(error)
  const verdict = ReadVerdict.judge(error, Cursor.start(shard.cursor), yield* Clock.currentTimeMillis)
  if (verdict === "Fail") return yield* error
  if (verdict !== "Retry") shard.iterator = undefined
  if (verdict === "Oldest") shard.cursor = Cursor.toOldest(shard.cursor)
  // One expired iterator is replaced at once; a second in a row has another cause, and is not to spin.
  const atOnce = verdict === "Renew" && shard.failures === 1
  return yield* atOnce ? Effect.void : Effect.sleep(rest)
})
