/**
 * Giving a shard back: what is in hand is finished as far as the time allows, and the last checkpoint is written.
 *
 * @since 0.1.0
 */
import type { Journal } from "@leat/core/Journal"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

import * as Monotonic from "../internal/monotonic.ts"
import type * as Checkpointer from "./Checkpointer.ts"
import { noteProgress } from "./Ownership.ts"
import type { Ending, Failure, Ownership } from "./Ownership.ts"

/**
 * Runs the loop of a shard. An interruption asks it to stop and waits for it; what takes too long is cut, and what can't be
 * cut is left behind, so that a shutdown ends in at most three times its timeout.
 *
 * @category running
 * @since 0.1.0
 */
export const gracefully = <R>(
  ownership: Ownership<R>,
  loop: Effect.Effect<Ending, Failure, R | Journal>
): Effect.Effect<Ending, Failure, R | Journal> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      // Detached: a parent waits for its children, however long they take.
      const fiber = yield* Effect.forkDetach(Effect.interruptible(loop))
      const joined = yield* Effect.exit(restore(Fiber.join(fiber)))
      const own = fiber.pollUnsafe()
      if (own === undefined) yield* halt(ownership, fiber)
      else if (Exit.hasInterrupts(own)) return yield* diedWithin(ownership)
      const ending = Exit.isSuccess(joined) ? joined.value : "Stopped"
      if (ending === "Stopped") yield* release(ownership)
      return yield* joined
    })
  )

/** Nobody outside asked for it, and a shard must not stop in silence. */
const diedWithin = <R>(ownership: Ownership<R>): Effect.Effect<never> =>
  Effect.andThen(
    release(ownership),
    Effect.die(new Error(`the reading of shard ${ownership.shard.shardId} was interrupted from within`))
  )

const halt = <R>({ room, shard, stop }: Ownership<R>, fiber: Fiber.Fiber<Ending, Failure>) =>
  Effect.gen(function* () {
    const { shutdownTimeout } = room.settings
    yield* Deferred.succeed(stop, undefined)
    if (Option.isSome(yield* Effect.timeoutOption(Fiber.await(fiber), shutdownTimeout))) return
    fiber.interruptUnsafe()
    const cut = yield* Effect.timeoutOption(Fiber.await(fiber), shutdownTimeout)
    if (Option.isNone(cut)) room.emit({ _tag: "ShardStuck", shardId: shard.shardId })
  })

/** The last checkpoint: tried until it is written, or somebody else's, or the time is up. */
const release = <R>(ownership: Ownership<R>): Effect.Effect<void> => {
  const { checkpointer, room, shard, window } = ownership
  const write = Effect.catchTag(checkpointer.write, "CheckpointError", (error) => {
    room.emit({ _tag: "CheckpointFailed", shardId: shard.shardId, error })
    return Effect.succeed<Checkpointer.Verdict>("Fenced")
  })
  const last = Effect.gen(function* () {
    noteProgress(ownership, 0, yield* Monotonic.millis)
    for (let verdict = yield* write; verdict === "Kept"; verdict = yield* write) yield* Effect.sleep(200)
  })
  return Effect.andThen(
    Effect.timeoutOption(last, room.settings.shutdownTimeout),
    Effect.sync(() => room.emit({ _tag: "ShardReleased", shardId: shard.shardId, settled: window.isEmpty }))
  )
}
