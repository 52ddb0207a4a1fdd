/**
 * Something else where a dependency has no answer.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import * as Failure from "./Failure.ts"
import type { Handler } from "./Handler.ts"

/**
 * What stands in.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<I, A, E, E2, R> {
  readonly to: (input: I, error: E) => Effect.Effect<A, E2, R>
  /** Default: for whatever says that the dependency is not well. A call that is itself at fault must be seen to fail. */
  readonly when?: ((error: E) => boolean) | undefined
}

/**
 * Answers with something else when a call fails. Defects and interruptions pass.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make =
  <I, A, E, E2 = never, R2 = never>({ to, when = isTrouble }: Options<I, A, E, E2, R2>) =>
  <R>(handler: Handler<I, A, E, R>): Handler<I, A, E | E2, R | R2> =>
  (input) =>
    Effect.catchIf(handler(input), when, (error) => to(input, error))

const isTrouble = (error: unknown): boolean => Failure.isTrouble(Failure.classify(error))
