/**
 * Where work goes that nobody waits for: a value loaded ahead of its time, a write behind an answer.
 *
 * **Details**
 *
 * By default it belongs to the scope of whoever begins it. Behind a transport that stands still after its answer, as a
 * Lambda environment does, such work would be frozen half done, or be lost; there the transport gives a {@link Background}
 * of its own and waits for it before it answers.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"

import { Deadline } from "./Deadline.ts"

/**
 * Takes work over.
 *
 * @category models
 * @since 0.1.0
 */
export interface Background {
  /** Begins the work at once, in a fiber of its own. It must not fail. */
  readonly run: (work: Effect.Effect<unknown>) => Fiber.Fiber<unknown>
  /** How many works are under way. */
  readonly pending: () => number
  /** Waits for all work under way, at most until the {@link Deadline}; what isn't done by then is interrupted. */
  readonly drain: Effect.Effect<void>
}

/**
 * What takes the background work of the services below, where it isn't their own scope.
 *
 * @category references
 * @since 0.1.0
 */
export const Background: Context.Reference<Background | undefined> = Context.Reference<Background | undefined>(
  "@leat/core/Background",
  { defaultValue: () => undefined }
)

/**
 * A place for background work. The services that its work reads are those of the effect that makes it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Background> = Effect.map(Effect.context<never>(), (context) => {
  const running = new Set<Fiber.Fiber<unknown>>()
  const fork = Effect.runForkWith(context)
  return {
    run: (work) => {
      const fiber = fork(work)
      running.add(fiber)
      fiber.addObserver(() => void running.delete(fiber))
      return fiber
    },
    pending: () => running.size,
    drain: Effect.suspend(() => (running.size === 0 ? Exit.void : drain(running)))
  }
})

/**
 * The background of the context, else one that ends with the scope: what is under way then has 500 ms to end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scoped: Effect.Effect<Background, never, Scope.Scope> = Effect.flatMap(Background, (given) =>
  given === undefined
    ? Effect.acquireRelease(make, (own) =>
        Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.provideService(own.drain, Deadline, now + grace))
      )
    : Effect.succeed(given)
)

/** Milliseconds: room for a write of the store, not for a load. */
const grace = 500

const drain = Effect.fnUntraced(function* (running: ReadonlySet<Fiber.Fiber<unknown>>) {
  const left = (yield* Deadline) - (yield* Clock.currentTimeMillis)
  // Work may begin more of it, as a load begins a write.
  const ended = Effect.whileLoop({
    while: () => running.size > 0,
    body: () => Fiber.awaitAll([...running]),
    step: () => {}
  })
  yield* left === Infinity ? ended : Effect.timeoutOption(ended, Math.max(0, left))
  yield* Fiber.interruptAll([...running])
})
