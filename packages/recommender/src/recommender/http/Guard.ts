/**
 * What stands around the client: a bulkhead and a circuit breaker, around a call or a whole batch, never around a record.
 *
 * @since 0.1.0
 */
import * as Resilience from "@leat/core/Resilience"
import * as Failure from "@leat/core/resilience/Failure"
import { ResilienceError } from "@leat/core/resilience/ResilienceError"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

import * as Recommender from "../../Recommender.ts"
import type * as Verdict from "./Verdict.ts"

type Service = Recommender.Recommender["Service"]
type Answers = Effect.Success<ReturnType<Service["recommendMany"]>>

/**
 * Bounds of the guard.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = Pick<Resilience.Options, "bulkhead" | "breaker">

/**
 * The two calls of the client, guarded by one bulkhead and one breaker.
 *
 * @category models
 * @since 0.1.0
 */
export interface Guard {
  readonly one: (
    ask: (asked: Recommender.RecommendRequest) => Effect.Effect<Recommender.Ranking, Verdict.Failure>
  ) => Service["recommend"]
  readonly many: (
    ask: (asked: ReadonlyArray<Recommender.RecommendRequest>) => Effect.Effect<Answers>
  ) => Service["recommendMany"]
}

/**
 * Makes a guard. Default: 64 calls at once and 256 waiting; after 5 failures in a row no call for a while.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Guard, never, Scope.Scope> {
  const { protect } = yield* Resilience.make({
    name: "the recommender",
    bulkhead: options.bulkhead ?? { permits: 64, maxQueue: 256 },
    breaker: options.breaker ?? { opens: { consecutive: 5 } }
  })
  return {
    one: (ask) => {
      const guarded = protect(ask)
      return (asked) => Effect.mapError(guarded(asked), toError)
    },
    many: (ask) => {
      const guarded = protect((asked: ReadonlyArray<Recommender.RecommendRequest>) =>
        Effect.flatMap(ask(asked), unlessAllFailed)
      )
      return (asked) =>
        Effect.catch(guarded(asked), (failed) => {
          if (failed instanceof AllFailed) return Effect.succeed(failed.answers)
          const exit = Exit.fail(toError(failed))
          return Effect.succeed(asked.map(() => exit))
        })
    }
  }
})

/** No user of a batch has an answer, for want of a service that is well: to the breaker that is a failed call. */
class AllFailed {
  readonly retryable = true
  readonly answers: Answers

  constructor(answers: Answers) {
    this.answers = answers
  }
}

const unlessAllFailed = (answers: Answers): Effect.Effect<Answers, AllFailed> => {
  const failed = answers.length > 0 && answers.every((one) => Failure.isTrouble(Failure.ofExit(one) ?? fine))
  return failed ? Effect.fail(new AllFailed(answers)) : Effect.succeed(answers)
}

const fine: Failure.Failure = { _tag: "Terminal" }

/**
 * A failure of the client, or a refusal of its guard, as the contract has it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toError = (failure: Verdict.Failure | ResilienceError): Recommender.RecommenderError =>
  new Recommender.RecommenderError({
    reason: failure instanceof ResilienceError ? refusals[failure.reason] : failure.reason,
    message: failure.message,
    retryable: failure.retryable,
    ...(failure.retryAfter === undefined ? {} : { retryAfter: failure.retryAfter })
  })

const refusals: { readonly [reason in ResilienceError["reason"]]: Recommender.RecommenderError["reason"] } = {
  BulkheadFull: "Unavailable",
  CircuitOpen: "Unavailable",
  AttemptTimeout: "Timeout",
  DeadlineExceeded: "Timeout"
}
