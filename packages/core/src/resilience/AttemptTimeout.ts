/**
 * Bounds one attempt: its own time, or what the deadline leaves, where that is less. What it calls sees that as its deadline.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import { Deadline } from "../Deadline.ts"
import type { Handler } from "./Handler.ts"
import { ResilienceError } from "./ResilienceError.ts"

/**
 * Fails with `AttemptTimeout` after so long, and with `DeadlineExceeded` when the deadline comes first or has passed.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make = (
  after: Duration.Input
): (<I, A, E, R>(handler: Handler<I, A, E, R>) => Handler<I, A, E | ResilienceError, R>) => {
  const own = Duration.toMillis(after)
  const late = Exit.fail(new ResilienceError({ reason: "AttemptTimeout", message: `no answer in ${own} ms` }))
  return <I, A, E, R>(handler: Handler<I, A, E, R>): Handler<I, A, E | ResilienceError, R> =>
    (input) =>
      Effect.withFiber((fiber): Effect.Effect<A, E | ResilienceError, R> => {
        const now = fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
        const left = fiber.getRef(Deadline) - now
        if (left <= 0) return exceeded
        const duration = Math.min(own, left)
        return Effect.timeoutOrElse(Effect.provideService(handler(input), Deadline, now + duration), {
          duration,
          orElse: () => (own <= left ? late : exceeded)
        })
      })
}

/**
 * Cuts a call at its deadline, wherever it waits. Without a deadline it does nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const atDeadline =
  <I, A, E, R>(handler: Handler<I, A, E, R>): Handler<I, A, E | ResilienceError, R> =>
  (input) =>
    Effect.withFiber((fiber): Effect.Effect<A, E | ResilienceError, R> => {
      const deadline = fiber.getRef(Deadline)
      if (deadline === Infinity) return handler(input)
      const duration = deadline - fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      return duration <= 0 ? exceeded : Effect.timeoutOrElse(handler(input), { duration, orElse: () => exceeded })
    })

const exceeded = Exit.fail(new ResilienceError({ reason: "DeadlineExceeded", message: "the caller's time is over" }))
