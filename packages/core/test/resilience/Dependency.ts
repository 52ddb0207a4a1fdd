import type { ResilienceError } from "@leat/core/resilience/ResilienceError"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** What the dependency of a test fails with. */
export class Down extends Schema.TaggedError<Down>()("Down", {
  retryable: Schema.Boolean,
  reason: Schema.optionalKey(Schema.String),
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {}

export const transient = new Down({ retryable: true })
export const terminal = new Down({ retryable: false })

/** A dependency that does what it is told, and counts. */
export const dependency = () => {
  const state = {
    calls: 0,
    running: 0,
    most: 0,
    interrupted: 0,
    answer: (_call: number): Effect.Effect<number, Down> => Effect.succeed(1)
  }
  const handler = (_input: number) =>
    Effect.suspend(() => {
      state.calls++
      state.running++
      state.most = Math.max(state.most, state.running)
      return Effect.onInterrupt(
        Effect.ensuring(
          state.answer(state.calls),
          Effect.sync(() => void state.running--)
        ),
        () => Effect.sync(() => void state.interrupted++)
      )
    })
  return { state, handler }
}

/** How a call ended, in a word. */
export const result = <A, R>(call: Effect.Effect<A, Down | ResilienceError, R>): Effect.Effect<string, never, R> =>
  Effect.match(call, {
    onSuccess: String,
    onFailure: (error) => (error._tag === "ResilienceError" ? error.reason : error.retryable ? "down" : "refused")
  })
