/**
 * Bounds how many calls a dependency has at once, and how many wait for it: when it slows down, callers are turned away
 * instead of piling up.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Semaphore from "effect/Semaphore"

import type { Handler } from "./Handler.ts"
import { ResilienceError } from "./ResilienceError.ts"

/**
 * Bounds of a bulkhead.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Calls at once. Default 16. */
  readonly permits?: number | undefined
  /** Calls that wait, first come first served. One more is turned away at once. Default 64. */
  readonly maxQueue?: number | undefined
}

/**
 * What a bulkhead holds now, and what it turned away since it was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly permits: number
  readonly running: number
  readonly waiting: number
  readonly rejected: number
}

/**
 * A bulkhead. Everything it protects shares its permits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bulkhead {
  /** Calls that find no place fail with `BulkheadFull`. A caller that goes away gives its place up. */
  readonly protect: <I, A, E, R>(handler: Handler<I, A, E, R>) => Handler<I, A, E | ResilienceError, R>
  /** Changes the permits; calls under way are not stopped. */
  readonly resize: (permits: number) => Effect.Effect<void>
  readonly stats: () => Stats
}

/**
 * Makes a bulkhead.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<Bulkhead> => Effect.sync(() => makeUnsafe(options))

/**
 * Makes a bulkhead, not as an effect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): Bulkhead => {
  const { maxQueue = 64 } = options
  let permits = Math.max(1, options.permits ?? 16)
  const semaphore = Semaphore.makeUnsafe(permits)
  let running = 0
  let waiting = 0
  let rejected = 0
  // One for all: nobody reads its stack, and an error with one costs 9 µs.
  const full = Exit.fail(
    new ResilienceError({ reason: "BulkheadFull", message: "too many calls are under way and waiting" })
  )
  return {
    protect:
      <I, A, E, R>(handler: Handler<I, A, E, R>): Handler<I, A, E | ResilienceError, R> =>
      (input) =>
        Effect.suspend((): Effect.Effect<A, E | ResilienceError, R> => {
          if (running + waiting >= permits + maxQueue) {
            rejected++
            return full
          }
          let queued = true
          waiting++
          const leave = Effect.sync(() => {
            if (queued) waiting--
            else running--
          })
          const enter = Effect.suspend(() => {
            queued = false
            waiting--
            running++
            return handler(input)
          })
          return Effect.ensuring(semaphore.withPermit(enter), leave)
        }),
    resize: (to) => {
      permits = Math.max(1, to)
      return semaphore.resize(permits)
    },
    stats: () => ({ permits, running, waiting, rejected })
  }
}
