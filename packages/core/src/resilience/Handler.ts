/**
 * A call of a dependency, as policies wrap it.
 *
 * @since 0.1.0
 */
import type * as Effect from "effect/Effect"

/**
 * Asks a dependency. A function, not an effect: a policy may call it more than once, and an effect that was begun eagerly
 * has already run.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<I, A, E = never, R = never> = (input: I) => Effect.Effect<A, E, R>
