/**
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

import type * as Recommender from "./Recommender.ts"

/**
 * A ranking and where it came from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Served {
  readonly user_id: number
  readonly top_n: number
  readonly recommendations: Recommender.Ranking
  readonly source: "memory" | "redis" | "stale" | "origin" | "fallback" | "negative"
  /** Age of a cached ranking in milliseconds, where it is known. */
  readonly age: number | undefined
}

/**
 * Cached recommendations.
 *
 * @category services
 * @since 0.1.0
 */
export class Recommendations extends Context.Service<
  Recommendations,
  {
    readonly forUser: (user_id: number, top_n: number) => Effect.Effect<Served, Recommender.RecommenderError>
  }
>()("@leat/recommender/Recommendations") {}
