/**
 * What stands around the client of a dependency, in the order in which it must stand.
 *
 * **Details**
 *
 * From the outside in: deadline → fallback → bulkhead → circuit breaker → retry → hedge → attempt timeout → the call.
 *
 * - The deadline is outermost, for waiting in the bulkhead costs time too.
 * - The fallback sees every refusal below it.
 * - The bulkhead stands outside the breaker: who waits must not count as a call.
 * - The breaker stands outside the retries: it sees one outcome a call, and opens on calls that hang, for the timeout is
 *   inside.
 * - Retries and hedges share one budget.
 *
 * Each is a module of its own ({@link "./resilience/"}), `Handler → Handler`, and each is left out here where its option is.
 * They stand around a dependency's client or a prepared batch, never around every record: the whole stack costs some
 * microseconds a call (`bench/Resilience.bench.ts`). Retry at one layer only: three layers of three attempts make 27 calls.
 *
 * **Example**
 *
 * ```ts
 * import * as Resilience from "@leat/core/Resilience"
 * import * as RetryPolicy from "@leat/core/RetryPolicy"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const { protect } = yield* Resilience.make({
 *     name: "the price service",
 *     deadline: "2 seconds",
 *     bulkhead: { permits: 16, maxQueue: 64 },
 *     breaker: {},
 *     retry: { policy: RetryPolicy.make({ attempts: 3 }) },
 *     attemptTimeout: "500 millis"
 *   })
 *   const price = protect((film: number) => Effect.succeed(film * 100))
 *   return yield* price(7)
 * })
 *
 * await Effect.runPromise(Effect.scoped(program)) // => 700
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import * as Deadline from "./Deadline.ts"
import * as AttemptTimeout from "./resilience/AttemptTimeout.ts"
import * as Bulkhead from "./resilience/Bulkhead.ts"
import * as CircuitBreaker from "./resilience/CircuitBreaker.ts"
import type * as Failure from "./resilience/Failure.ts"
import * as Fallback from "./resilience/Fallback.ts"
import type { Handler } from "./resilience/Handler.ts"
import * as Hedge from "./resilience/Hedge.ts"
import type { ResilienceError } from "./resilience/ResilienceError.ts"
import * as Retry from "./resilience/Retry.ts"
import * as RetryBudget from "./RetryBudget.ts"

/**
 * What stands around a dependency; what is left out isn't there.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What is called: for the log and the errors. */
  readonly name: string
  /** Longest for a call in all; a nearer {@link Deadline.Deadline} shortens it. That one is kept in any case. */
  readonly deadline?: Duration.Input | undefined
  readonly bulkhead?: Bulkhead.Options | undefined
  readonly breaker?: Omit<CircuitBreaker.Options, "name" | "classify"> | undefined
  readonly retry?: Omit<Retry.Options, "budget" | "classify"> | undefined
  /** For retries and hedges. Default: a full one where there is either. */
  readonly budget?: RetryBudget.RetryBudget | undefined
  /** Only for calls that may be carried out twice. */
  readonly hedge?: Omit<Hedge.Options, "budget"> | undefined
  readonly attemptTimeout?: Duration.Input | undefined
  readonly classify?: Failure.Classify | undefined
}

/**
 * What it did since it was made; `undefined` for what is left out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly bulkhead: Bulkhead.Stats | undefined
  readonly breaker: CircuitBreaker.Stats | undefined
  readonly hedge: Hedge.Stats | undefined
  /** Tokens left of the budget. */
  readonly budget: number
}

/**
 * The policies around one dependency. Everything they protect shares them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Resilience {
  /** Wraps a handler; with something else to answer where it fails, if that is given. */
  readonly protect: <I, A, E, R>(
    handler: Handler<I, A, E, R>,
    fallback?: Fallback.Options<I, A, E | ResilienceError, E, R>
  ) => Handler<I, A, E | ResilienceError, R>
  /** Changes the permits of the bulkhead, as while another dependency is down. */
  readonly resize: (permits: number) => Effect.Effect<void>
  readonly stats: () => Stats
}

/**
 * Builds the policies.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Resilience, never, Scope.Scope> {
  const { classify, name } = options
  const budget = options.budget ?? RetryBudget.make()
  const bulkhead = options.bulkhead && Bulkhead.makeUnsafe(options.bulkhead)
  const breaker = options.breaker && (yield* CircuitBreaker.make({ ...options.breaker, name, classify }))
  const hedge = options.hedge && Hedge.makeUnsafe({ ...options.hedge, budget })
  const expected = options.retry?.expected ?? (hedge && (() => hedge.stats().p50 ?? 0))
  const retry = options.retry && Retry.make({ ...options.retry, budget, classify, expected })
  const timeout = options.attemptTimeout === undefined ? undefined : AttemptTimeout.make(options.attemptTimeout)
  return {
    protect: <I, A, E, R>(
      handler: Handler<I, A, E, R>,
      fallback?: Fallback.Options<I, A, E | ResilienceError, E, R>
    ): Handler<I, A, E | ResilienceError, R> => {
      let guarded: Handler<I, A, E | ResilienceError, R> = handler
      if (timeout !== undefined) guarded = timeout(guarded)
      if (hedge !== undefined) guarded = hedge.protect(guarded)
      if (retry !== undefined) guarded = retry(guarded)
      if (breaker !== undefined) guarded = breaker.protect(guarded)
      if (bulkhead !== undefined) guarded = bulkhead.protect(guarded)
      if (fallback !== undefined) guarded = Fallback.make(fallback)(guarded)
      guarded = AttemptTimeout.atDeadline(guarded)
      return options.deadline === undefined ? guarded : withinDeadline(options.deadline, guarded)
    },
    resize: (permits) => bulkhead?.resize(permits) ?? Effect.void,
    stats: () => ({
      bulkhead: bulkhead?.stats(),
      breaker: breaker?.stats(),
      hedge: hedge?.stats(),
      budget: budget.tokens()
    })
  }
})

const withinDeadline =
  <I, A, E, R>(duration: Duration.Input, handler: Handler<I, A, E, R>): Handler<I, A, E, R> =>
  (input) =>
    Deadline.within(duration)(handler(input))
