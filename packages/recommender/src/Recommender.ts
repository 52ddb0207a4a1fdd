/**
 * Who knows what a user will like: the contract. The engine in this process and the remote service are its two layers.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

/**
 * One question: the best `top_n` films for a user.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecommendRequest {
  readonly user_id: number
  readonly top_n: number
}

/**
 * Film ids, best first; shorter than asked where the catalogue has no more.
 *
 * @category models
 * @since 0.1.0
 */
export type Ranking = ReadonlyArray<number>

/**
 * The recommender gave no ranking.
 *
 * @category errors
 * @since 0.1.0
 */
export class RecommenderError extends Schema.TaggedError<RecommenderError>()("RecommenderError", {
  /**
   * `Unavailable`: no connection or 5xx. `Timeout`: no answer in time. `Throttled`: 429 or 503 with Retry-After.
   * `BadAnswer`: an answer that breaks the contract. `Refused`: 4xx, the request itself is at fault.
   */
  reason: Schema.Literals(["Unavailable", "Timeout", "Throttled", "BadAnswer", "Refused"]),
  message: Schema.String,
  /** Whether the same request may succeed later. */
  retryable: Schema.Boolean,
  /** Milliseconds the service asked to wait. */
  retryAfter: Schema.optionalKey(Schema.Finite),
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * A recommender.
 *
 * @category services
 * @since 0.1.0
 */
export class Recommender extends Context.Service<
  Recommender,
  {
    /** The version of the model that answers now, where it is known. */
    readonly model: () => string | undefined
    readonly recommend: (request: RecommendRequest) => Effect.Effect<Ranking, RecommenderError>
    /** One answer a request, in order. A failure of one leaves the others alone. */
    readonly recommendMany: (
      requests: ReadonlyArray<RecommendRequest>
    ) => Effect.Effect<ReadonlyArray<Exit.Exit<Ranking, RecommenderError>>>
    /** The films that most people like: what a stranger is recommended. `Refused` where the recommender has no such list. */
    readonly popular: (top_n: number) => Effect.Effect<Ranking, RecommenderError>
  }
>()("@leat/recommender/Recommender") {}

/**
 * A recommender that answers one request at a time: for tests, examples and stand-ins.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  recommend: (request: RecommendRequest) => Effect.Effect<Ranking, RecommenderError>,
  popular: Recommender["Service"]["popular"] = () => Effect.fail(noPopular)
): Recommender["Service"] => ({
  model: () => undefined,
  recommend,
  popular,
  recommendMany: (requests) =>
    Effect.forEach(requests, (request) => Effect.exit(recommend(request)), { concurrency: 100 })
})

const noPopular = new RecommenderError({
  reason: "Refused",
  message: "this recommender has no list of popular films",
  retryable: false
})
