/**
 * What a publisher has to know of its stream: the record limit, the shards, and whether keys keep their order in it.
 *
 * **Details.** Nothing runs by itself: who sends asks {@link StreamFacts.due}, so an idle publisher makes no calls. What
 * can't be learned (no permission, no connection) is told once a try and does not stop anybody who can go on without.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Semaphore from "effect/Semaphore"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import type { PublisherEvent } from "./PublisherEvent.ts"
import * as RecordLimits from "./RecordLimits.ts"
import * as ShardMap from "./ShardMap.ts"

/**
 * What is known and how to learn more.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamFacts {
  /** Of the option, of the stream, or 1 MiB while it is unknown. */
  readonly maxRecordBytes: () => number
  /** What the stream said of itself, or why it did not; `undefined` before it was asked. */
  readonly described: () => KinesisClient.Summary | KinesisError.KinesisError | undefined
  /** Whether the record limit may be higher by now: the stream was not asked within the last minute. */
  readonly mayBeRaised: (now: number) => boolean
  /** Asks the stream where it was not asked within the last minute; who comes while it is being asked waits for that answer. */
  readonly describe: Effect.Effect<void>
  /** A record went elsewhere than foreseen. */
  readonly misrouted: () => void
  /** A record was too large after all. */
  readonly misjudged: () => void
  /** What is to be learned anew now; it counts as begun. */
  readonly due: (now: number) => ReadonlyArray<Effect.Effect<void>>
}

/**
 * What facts are to be known.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly stream: string
  readonly maxRecordBytes: number | undefined
  /** Whether somebody cares for the order of keys. */
  readonly ordered: boolean
  readonly onShards: (shards: ShardMap.ShardMap, now: number) => void
  readonly onSummary: (summary: KinesisClient.Summary) => Effect.Effect<void>
  readonly onEvent: (event: PublisherEvent) => void
}

const minute = 60_000
/** AWS allows 20 descriptions a second and account, so a thousand publishers may ask this often. */
const describedEvery = 10 * minute
/** After a resharding every answer names shards that we don't know: one list in between has to do. */
const listedAtMostEvery = 1000

/**
 * The facts of a stream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (client: KinesisClient.KinesisClient["Service"], options: Options): StreamFacts => {
  const one = Semaphore.makeUnsafe(1)
  let described: KinesisClient.Summary | KinesisError.KinesisError | undefined
  let describedAt = -Infinity
  let describesAt = options.ordered || options.maxRecordBytes === undefined ? -Infinity : Infinity
  let listedAt = -Infinity
  let listsAt = -Infinity
  let hasMap = false

  const maxRecordBytes = () =>
    Math.min(RecordLimits.requestBytes, options.maxRecordBytes ?? limitOf(described) ?? RecordLimits.leastRecordBytes)

  const ask = Effect.gen(function* () {
    described = yield* client
      .describeStreamSummary(options.stream)
      .pipe(Effect.catchTag("KinesisError", Effect.succeed))
    describedAt = yield* Clock.currentTimeMillis
    if ("_tag" in described) {
      describesAt = Math.min(describesAt, describedAt + minute)
      return options.onEvent({ _tag: "StreamUnknown", error: described })
    }
    const { ignoresPartitionKeys, maxRecordBytes } = described
    options.onEvent({ _tag: "StreamDescribed", maxRecordBytes, ignoresPartitionKeys })
    return yield* options.onSummary(described)
  })

  const describe = one.withPermit(
    Effect.flatMap(Clock.currentTimeMillis, (now) => (now - describedAt < minute ? Effect.void : ask))
  )

  const list = Effect.gen(function* () {
    const shards = yield* client.listShards(options.stream).pipe(Effect.catchTag("KinesisError", Effect.succeed))
    const now = yield* Clock.currentTimeMillis
    const map = "_tag" in shards ? [] : ShardMap.make(shards)
    // The map that we have stays better than none.
    if (!("_tag" in shards && hasMap)) options.onShards(map, now)
    hasMap ||= !("_tag" in shards)
    options.onEvent(
      "_tag" in shards ? { _tag: "ShardsUnknown", error: shards } : { _tag: "ShardsListed", open: map.length }
    )
  })

  return {
    maxRecordBytes,
    described: () => described,
    mayBeRaised: (now) =>
      options.maxRecordBytes === undefined &&
      maxRecordBytes() < RecordLimits.requestBytes &&
      now - describedAt >= minute,
    describe,
    misrouted: () => void (listsAt = Math.min(listsAt, listedAt + listedAtMostEvery)),
    misjudged: () => void (describesAt = Math.min(describesAt, describedAt + minute)),
    due: (now) => {
      const steps: Array<Effect.Effect<void>> = []
      if (now >= listsAt) {
        listedAt = now
        listsAt = now + minute
        steps.push(list)
      }
      if (now >= describesAt) {
        describesAt = now + describedEvery
        steps.push(describe)
      }
      return steps
    }
  }
}

const limitOf = (described: KinesisClient.Summary | KinesisError.KinesisError | undefined): number | undefined =>
  described === undefined || "_tag" in described ? undefined : described.maxRecordBytes
