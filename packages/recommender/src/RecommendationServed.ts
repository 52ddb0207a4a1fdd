/**
 * A request was answered: what the recommendation worker emits.
 *
 * @since 0.1.0
 */
import * as Event from "@leat/core/Event"
import * as Schema from "effect/Schema"

/**
 * Where a ranking came from: `memory`, `redis` and `stale` are hits, the rest are misses.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Source = Schema.Literals(["memory", "redis", "stale", "origin", "fallback", "negative"])

/**
 * Where a ranking came from.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = typeof Source.Type

/**
 * Whether a source counts as a hit, in metrics and as `from_cache`.
 *
 * @category guards
 * @since 0.1.0
 */
export const isHit = (source: Source): boolean => source === "memory" || source === "redis" || source === "stale"

/**
 * The payload.
 *
 * @category schemas
 * @since 0.1.0
 */
export const ServedPayload = Schema.Struct({
  request_id: Schema.String,
  user_id: Schema.Int,
  top_n: Schema.Int,
  recommendations: Schema.Array(Schema.Int),
  source: Source,
  /** Age of a cached ranking in milliseconds, where it is known. */
  age: Schema.optional(Schema.Finite)
})

/**
 * A request was answered.
 *
 * @category events
 * @since 0.1.0
 */
export const RecommendationServed = Event.make("RecommendationServed", {
  version: 1,
  payload: ServedPayload,
  key: (served) => String(served.user_id),
  partitionKey: (served) => `user-${served.user_id}`,
  id: (served) => served.request_id
})
