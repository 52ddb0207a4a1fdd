/**
 * One shard, from its checkpoint to its end or until it is taken away.
 *
 * **Guarantees.** One batch at a time. What failed is tried again before anything that follows on its key. When the run is
 * interrupted, the batch in hand is finished as far as the time allows, and the last checkpoint is written.
 *
 * @since 0.1.0
 */
import type { Journal } from "@leat/core/Journal"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type * as Checkpoint from "../Checkpoint.ts"
import * as Monotonic from "../internal/monotonic.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import * as ShardPosition from "../ShardPosition.ts"
import * as Checkpointer from "./Checkpointer.ts"
import * as Handling from "./Handling.ts"
import * as HandOver from "./HandOver.ts"
import type { Ending, Failure, Ownership, Room } from "./Ownership.ts"
import * as Pages from "./Pages.ts"
import * as Window from "./Window.ts"

/**
 * Takes a shard over and runs it. Fails with what a repetition does not mend.
 *
 * @category running
 * @since 0.1.0
 */
export const run: <R>(room: Room<R>, shard: KinesisClient.Shard) => Effect.Effect<Ending, Failure, R | Journal> =
  Effect.fnUntraced(function* <R>(room: Room<R>, shard: KinesisClient.Shard) {
    const owned = yield* acquire(room, shard.shardId)
    if (owned === undefined) return "NoRow"
    const { position, shardId, token } = owned
    if (position._tag === "End") return "Ended"
    room.emit({ _tag: "ShardStarted", shardId, position, token })
    room.lag.note(shardId, 0, yield* Monotonic.millis)
    const { checkpointEvery: every, checkpointInterval: interval } = room.settings
    const checkpointer = Checkpointer.make({ ...room, shardId, token, every, interval })
    const stop = Deferred.makeUnsafe<void>()
    const ownership: Ownership<R> = { room, shard, position, token, checkpointer, stop, window: new Window.Window() }
    // No worker asks for the loop's own scope: `Exclude<R, Scope>` is R, which the compiler can't see for a generic R.
    const scoped = Effect.scoped(loop(ownership)) as Effect.Effect<Ending, Failure, R | Journal>
    return yield* Effect.ensuring(
      HandOver.gracefully(ownership, scoped),
      Effect.sync(() => room.lag.forget(shardId))
    )
  })

const acquire = <R>(
  room: Room<R>,
  shardId: string
): Effect.Effect<Checkpoint.Checkpoint | undefined, Checkpoint.CheckpointError> =>
  Effect.catchTag(room.store.acquire(room.group, shardId, room.owner), "CheckpointError", (error) => {
    if (!error.retryable) return Effect.fail(error)
    room.emit({ _tag: "CheckpointFailed", shardId, error })
    return Effect.andThen(
      Effect.sleep(1_000),
      Effect.suspend(() => acquire(room, shardId))
    )
  })

const loop: <R>(ownership: Ownership<R>) => Effect.Effect<Ending, Failure, R | Journal | Scope.Scope> =
  Effect.fnUntraced(function* <R>(ownership: Ownership<R>) {
    const { stop, window } = ownership
    const pages = yield* Pages.open(ownership)
    while (!Deferred.isDoneUnsafe(stop)) {
      yield* pages.advance
      if (pages.ended() && window.isEmpty) return yield* finish(ownership)
      const batch = yield* Handling.nextBatch(ownership)
      if (batch.length > 0) yield* Handling.process(ownership, batch, pages.millisBehindLatest())
      else if (!window.hasFresh) yield* pages.wait
      if ((yield* checkpointIfDue(ownership)) === "Fenced") return fenced(ownership)
    }
    return "Stopped"
  })

const checkpointIfDue = Effect.fnUntraced(function* <R>({ checkpointer }: Ownership<R>) {
  if (checkpointer.due() > (yield* Monotonic.millis)) return "Written" as const
  return yield* checkpointer.write
})

const fenced = <R>({ room, shard, token }: Ownership<R>): Ending => {
  room.emit({ _tag: "ShardFenced", shardId: shard.shardId, token })
  return "Fenced"
}

/** Everything is settled: only now may the children begin. */
const finish: <R>(ownership: Ownership<R>) => Effect.Effect<Ending, Failure> = Effect.fnUntraced(function* <R>(
  ownership: Ownership<R>
) {
  const { checkpointer, room, shard, stop } = ownership
  checkpointer.reached(ShardPosition.end, 0, yield* Monotonic.millis)
  for (;;) {
    const verdict = yield* checkpointer.write
    if (verdict === "Written") {
      room.emit({ _tag: "ShardEnded", shardId: shard.shardId })
      return "Ended"
    }
    if (verdict === "Fenced") return fenced(ownership)
    if (Deferred.isDoneUnsafe(stop)) return "Stopped"
    yield* Effect.raceFirst(Effect.sleep(1_000), Deferred.await(stop))
  }
})
