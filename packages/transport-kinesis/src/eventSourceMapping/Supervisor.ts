/**
 * Finds the shards of a stream and runs one poller for each, parents before children.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Lineage from "./Lineage.ts"

/**
 * What a supervisor needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly listShards: Effect.Effect<ReadonlyArray<KinesisClient.Shard>, KinesisError.KinesisError>
  /** Where the shards begin that are there at the start; later ones begin at their first record. */
  readonly start: KinesisClient.Position
  readonly discovery: Duration.Input
  readonly poll: (shardId: string, start: KinesisClient.Position) => Effect.Effect<void, KinesisError.KinesisError>
  readonly onStart: (shardId: string) => void
  readonly onEnd: (shardId: string) => void
}

/**
 * Runs for ever; fails with the first poller that fails.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* (options: Options) {
  const pollers = yield* FiberSet.make<void, KinesisError.KinesisError>()
  const ends = yield* Queue.unbounded<string>()
  const started = new Set<string>()
  const ended = new Set<string>()
  const list = Effect.retry(options.listShards, {
    while: (error) => error.retryable,
    schedule: Schedule.spaced("1 second")
  })

  const startReady = (shards: ReadonlyArray<KinesisClient.Shard>, start: KinesisClient.Position) =>
    Effect.forEach(
      Lineage.ready(shards, { started, ended }),
      ({ shardId }) => {
        started.add(shardId)
        options.onStart(shardId)
        return FiberSet.run(
          pollers,
          Effect.andThen(options.poll(shardId, start), Queue.offer(ends, shardId)).pipe(Effect.asVoid)
        )
      },
      { discard: true }
    )

  const supervise = Effect.gen(function* () {
    const initial = yield* list
    const atStart = new Set(initial.map((shard) => shard.shardId))
    if (options.start._tag === "Latest") skipClosed(initial, started, ended)
    yield* startReady(initial, options.start)
    return yield* Effect.forever(
      Effect.gen(function* () {
        const next = yield* Effect.timeoutOption(Queue.take(ends), options.discovery)
        if (next._tag === "Some") ended.add(next.value)
        const shards = yield* list
        const [known, born] = [
          shards.filter((s) => atStart.has(s.shardId)),
          shards.filter((s) => !atStart.has(s.shardId))
        ]
        yield* startReady(known, options.start)
        yield* startReady(born, { _tag: "TrimHorizon" })
        // Only now: between the end of a parent and the start of its children nothing may look drained.
        if (next._tag === "Some") options.onEnd(next.value)
      })
    )
  })
  return yield* Effect.raceFirst(supervise, Effect.andThen(FiberSet.join(pollers), Effect.never))
}, Effect.scoped)

/** What lies in a closed shard is older than "latest". */
const skipClosed = (shards: ReadonlyArray<KinesisClient.Shard>, started: Set<string>, ended: Set<string>): void => {
  for (const shard of shards) {
    if (!shard.closed) continue
    started.add(shard.shardId)
    ended.add(shard.shardId)
  }
}
