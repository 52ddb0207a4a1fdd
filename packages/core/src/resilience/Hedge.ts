/**
 * Asks a second time when an answer is late, and takes the first that comes: it cuts the slowest few percent off.
 *
 * **Details**
 *
 * Late is what the slowest 5 % of the last calls took; nothing is hedged before enough of them are known. At most one extra
 * call, at most one in twenty, and each takes a token of the retry budget, so that hedges end when the dependency is in
 * trouble. The loser is interrupted.
 *
 * **Gotchas**
 *
 * Only for calls that may be carried out twice, and that don't go through one connection in order: behind a slow answer
 * the second one waits too.
 *
 * @see Dean, Barroso: The Tail at Scale, CACM 2013
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

import { LatencyWindow } from "../internal/latencyWindow.ts"
import type { RetryBudget } from "../RetryBudget.ts"
import type { Handler } from "./Handler.ts"

/**
 * When and how often.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly budget?: RetryBudget | undefined
  /** Which share of calls is not late. Default 0.95. */
  readonly quantile?: number | undefined
  /** Calls that must be known before the first hedge. Default 100. */
  readonly warmUp?: number | undefined
  /** The largest share of calls that are made twice. Default 0.05. */
  readonly maxShare?: number | undefined
  /** Nothing is late before that. Default 1 ms. */
  readonly atLeast?: Duration.Input | undefined
}

/**
 * What was hedged.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly calls: number
  readonly hedged: number
  /** Of them, those whose second call was first. */
  readonly won: number
  /** Milliseconds; `undefined` before any call. */
  readonly p50: number | undefined
  readonly p95: number | undefined
}

/**
 * Hedges calls, and knows how long they take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Hedge {
  readonly protect: <I, A, E, R>(handler: Handler<I, A, E, R>) => Handler<I, A, E, R>
  readonly stats: () => Stats
}

/** Calls whose latency is remembered. */
const windowSize = 512

/** Hedges saved up in a quiet time. */
const maxSaved = 10

/**
 * Makes a hedge.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<Hedge> => Effect.sync(() => makeUnsafe(options))

/**
 * Makes a hedge, not as an effect.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}): Hedge => {
  const { budget, maxShare = 0.05, quantile = 0.95, warmUp = 100 } = options
  const atLeast = Duration.toMillis(options.atLeast ?? 1)
  const latencies = new LatencyWindow(windowSize)
  let hedged = 0
  let won = 0
  let saved = 0
  const allowed = (): boolean => {
    if (saved < 1 || budget?.hedge() === false) return false
    saved -= 1
    hedged++
    return true
  }
  return {
    protect: (handler) => (input) =>
      Effect.withFiber((fiber) => {
        saved = Math.min(maxSaved, saved + maxShare)
        const clock = fiber.getRef(Clock.Clock)
        const began = clock.currentTimeMillisUnsafe()
        const after = latencies.count < warmUp ? undefined : latencies.quantile(quantile)
        const call = Effect.suspend(() => handler(input))
        const raced =
          after === undefined ? call : race(call, { after: Math.max(atLeast, after), allowed, won: () => void won++ })
        return Effect.onExit(raced, (exit) =>
          Effect.sync(() => {
            if (Exit.isSuccess(exit)) latencies.add(clock.currentTimeMillisUnsafe() - began)
          })
        )
      }),
    stats: () => ({
      calls: latencies.count,
      hedged,
      won,
      p50: latencies.quantile(0.5),
      p95: latencies.quantile(0.95)
    })
  }
}

interface Race {
  readonly after: number
  readonly allowed: () => boolean
  readonly won: () => void
}

/** The first success, or the first failure when nothing is left that may succeed. */
const race = <A, E, R>(call: Effect.Effect<A, E, R>, { after, allowed, won }: Race): Effect.Effect<A, E, R> =>
  Effect.contextWith((context: Context.Context<R>) =>
    Effect.callback<A, E>((resume) => {
      const fork = Effect.runForkWith(context)
      const running = new Set<Fiber.Fiber<A, E>>()
      let failure: Exit.Exit<A, E> | undefined
      let done = false
      const begin = (isSecond: boolean): void => {
        const fiber = fork(call)
        running.add(fiber)
        fiber.addObserver((exit) => {
          running.delete(fiber)
          if (done) return
          if (Exit.isFailure(exit)) failure ??= exit
          if (Exit.isFailure(exit) && running.size > 0) return
          done = true
          timer.interruptUnsafe()
          for (const loser of running) loser.interruptUnsafe()
          if (isSecond && Exit.isSuccess(exit)) won()
          resume(Exit.isSuccess(exit) ? exit : (failure ?? exit))
        })
      }
      const timer = fork(
        Effect.andThen(
          Effect.sleep(after),
          Effect.sync(() => {
            if (!done && allowed()) begin(true)
          })
        )
      )
      begin(false)
      return Effect.suspend(() => {
        done = true
        return Fiber.interruptAll([timer, ...running])
      })
    })
  )
