/** Waits for an answer no longer than it may take, also where what is waited for can't be interrupted. */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"

/**
 * Gives up after a while. A server that stands still keeps a driver waiting also for an interruption, so the work is left
 * to a fiber of its own, which is told to end and not waited for. What was given up may have been done all the same.
 */
export const bounded =
  <E2>(timeout: Duration.Input, late: () => E2) =>
  <A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A, E | E2, R> =>
    Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const fiber = yield* Effect.forkDetach(restore(self), { startImmediately: true })
        const leave = Effect.sync(() => fiber.interruptUnsafe())
        const exit = yield* Effect.ensuring(restore(Effect.timeoutOption(Fiber.await(fiber), timeout)), leave)
        return yield* Option.isNone(exit) ? Effect.fail(late()) : exit.value
      })
    )
