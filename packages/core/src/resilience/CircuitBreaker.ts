/**
 * Stops calling a dependency that fails, and finds out with one call at a time whether it is well again.
 *
 * **Details**
 *
 * On effect's own breaker, whose module is still experimental and stays behind this one. Retries and timeouts belong inside:
 * the breaker then sees one outcome a call, and opens on calls that hang. Only what says that the dependency is not well
 * counts ({@link Failure.isTrouble}); an interrupted call says nothing, and frees the place of a probe.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Breaker from "effect/persistence/CircuitBreaker"
import * as Random from "effect/Random"
import * as Schedule from "effect/Schedule"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import * as Failure from "./Failure.ts"
import type { Handler } from "./Handler.ts"
import { ResilienceError } from "./ResilienceError.ts"

/**
 * When a circuit opens and for how long.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What is called: for the log and the errors. */
  readonly name: string
  /** Failures in a row, or a share of the last calls. Default: half of the last 50, once 20 were made. */
  readonly opens?:
    | { readonly consecutive: number }
    | { readonly share: number; readonly of: number; readonly atLeast: number }
    | undefined
  /** The first pause; each next one is twice as long. Default 1 s. Up to half of it is taken off at random. */
  readonly pause?: Duration.Input | undefined
  /** The longest pause. Default 30 s. */
  readonly maxPause?: Duration.Input | undefined
  readonly classify?: Failure.Classify | undefined
}

/**
 * What a breaker did since it was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly open: boolean
  /** How often it opened. */
  readonly opened: number
  /** Calls it refused. */
  readonly rejected: number
}

/**
 * A circuit breaker. Everything it protects shares one circuit.
 *
 * @category models
 * @since 0.1.0
 */
export interface CircuitBreaker {
  /** While it is open calls fail with `CircuitOpen`, at once. */
  readonly protect: <I, A, E, R>(handler: Handler<I, A, E, R>) => Handler<I, A, E | ResilienceError, R>
  readonly stats: () => Stats
}

/**
 * Makes a breaker. It logs when it opens and when it closes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<CircuitBreaker, never, Scope.Scope> {
  const store = yield* Layer.build(Breaker.layerStoreMemory())
  const breaker = yield* Effect.provide(
    Breaker.make({ tripPolicy: tripPolicyOf(options), openDuration: pausesOf(options) }),
    store
  )
  const clock = yield* Clock.Clock
  const circuit = new Circuit(options)
  const follow = (transition: Breaker.Transition) =>
    Effect.suspend(() => circuit.follow(transition, clock.currentTimeMillisUnsafe()))
  yield* Effect.forkScoped(Stream.runForEach(breaker.transitions, follow), { startImmediately: true })
  return {
    protect: (handler) => (input) =>
      Effect.suspend(() => {
        // Fast path: effect's breaker makes two errors with their stacks for each call it refuses, 24 µs (`bench/`).
        if (circuit.openUntil > clock.currentTimeMillisUnsafe()) return circuit.refuse()
        return Effect.matchCauseEffect(
          breaker.execute(Effect.exit(handler(input)), { key: options.name, classify: circuit.outcome }),
          {
            onFailure: (cause) =>
              Cause.hasFails(cause) ? circuit.refuse() : Exit.failCause(cause as Cause.Cause<never>),
            onSuccess: (exit) => exit
          }
        )
      }),
    stats: () => ({ open: circuit.open, opened: circuit.opened, rejected: circuit.rejected })
  }
})

/** What is known of the circuit without asking for it. */
class Circuit {
  readonly name: string
  readonly classify: Failure.Classify
  refusal: Exit.Exit<never, ResilienceError>
  openUntil = -Infinity
  open = false
  opened = 0
  rejected = 0

  constructor({ classify = Failure.classify, name }: Options) {
    this.name = name
    this.classify = classify
    this.refusal = this.refusalOf(undefined)
  }

  refusalOf(retryAfter: number | undefined): Exit.Exit<never, ResilienceError> {
    const message = `${this.name} failed too often; it is not called for now`
    return Exit.fail(
      new ResilienceError({ reason: "CircuitOpen", message, ...(retryAfter === undefined ? {} : { retryAfter }) })
    )
  }

  refuse(): Exit.Exit<never, ResilienceError> {
    this.rejected++
    return this.refusal
  }

  readonly outcome = <A, E>(exit: Exit.Exit<Exit.Exit<A, E>>): Breaker.Outcome => {
    const failure = Failure.ofExit(Exit.isSuccess(exit) ? exit.value : Exit.failCause(exit.cause), this.classify)
    if (failure === undefined || failure._tag === "Terminal") return Breaker.success
    if (failure._tag === "Cancelled") return Breaker.ignored
    return Breaker.failure(failure._tag === "Throttle" ? { retryAfter: failure.retryAfter } : undefined)
  }

  follow(transition: Breaker.Transition, now: number): Effect.Effect<void> {
    this.open = transition.to !== "Closed"
    this.openUntil = -Infinity
    if (transition.to === "Closed") return Effect.logInfo(`${this.name} answers again`)
    if (transition.to !== "Open") return Effect.void
    const pause = Duration.toMillis(transition.retryAfter)
    this.openUntil = now + pause
    this.opened++
    this.refusal = this.refusalOf(pause)
    return transition.from === "Closed"
      ? Effect.logWarning(`${this.name} failed too often; it is called again in ${Math.ceil(pause)} ms`)
      : Effect.void
  }
}

const tripPolicyOf = ({ opens }: Options): Breaker.TripPolicy => {
  if (opens !== undefined && "consecutive" in opens) return Breaker.consecutive(opens.consecutive)
  const { atLeast, of, share } = opens ?? { share: 0.5, of: 50, atLeast: 20 }
  return Breaker.rate({ threshold: share, size: of, minimumCalls: atLeast })
}

const pausesOf = (options: Options): Schedule.Schedule<unknown, number> =>
  Schedule.min([
    Schedule.exponential(options.pause ?? "1 second"),
    Schedule.spaced(options.maxPause ?? "30 seconds")
  ]).pipe(
    // All clients opened together; they must not come back together.
    Schedule.modifyDelay(({ duration }) =>
      Effect.map(Random.next, (u) => Duration.millis(Duration.toMillis(duration) * (1 - u / 2)))
    )
  )
