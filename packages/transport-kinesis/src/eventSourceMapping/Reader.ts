/**
 * Reads one shard page by page: paced, with iterators that never grow old.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

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
 * LATEST is resolved once. An iterator that has to be renewed before the first record continues at the moment at which
 * the first one was taken; LATEST again would jump over what came in between.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Reader => {
  const { client, shardId, stream } = options
  let position = options.start
  let iterator: { readonly value: string; readonly at: number } | undefined
  let due = 0

  const renewed = Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    if (iterator !== undefined && now - iterator.at < iteratorLife) return iterator.value
    const value = yield* client.getShardIterator(stream, shardId, position)
    if (position._tag === "Latest") position = { _tag: "AtTimestamp", at: now }
    iterator = { value, at: now }
    return value
  })

  const once = Effect.gen(function* () {
    const page = yield* client.getRecords(yield* renewed, pageLimit)
    const now = yield* Clock.currentTimeMillis
    const last = page.records.at(-1)
    if (last !== undefined) position = { _tag: "After", sequenceNumber: last.sequenceNumber }
    iterator = page.next === undefined ? undefined : { value: page.next, at: now }
    due = now + (page.millisBehindLatest > 0 ? Math.min(fastest, options.pollInterval) : options.pollInterval)
    return page
  })

  return { pause: pause(() => due), read: persistent(once, options.onError, () => void (iterator = undefined)) }
}

const pause = (due: () => number) =>
  Effect.fnUntraced(function* (deadline: number | undefined) {
    const now = yield* Clock.currentTimeMillis
    const until = Math.min(due(), deadline ?? Infinity)
    if (until > now) yield* Effect.sleep(until - now)
    return due() <= (deadline ?? Infinity)
  })

const persistent = (
  once: Effect.Effect<KinesisClient.Page, KinesisError.KinesisError>,
  onError: Options["onError"],
  forget: () => void
): Effect.Effect<KinesisClient.Page, KinesisError.KinesisError> =>
  Effect.catchTag(once, "KinesisError", (error) => {
    onError(error)
    if (error.reason === "ExpiredIterator") {
      forget()
      return persistent(once, onError, forget)
    }
    if (!error.retryable) return Effect.fail(error)
    return Effect.andThen(
      Effect.sleep(rest),
      Effect.suspend(() => persistent(once, onError, forget))
    )
  })
