/**
 * Somebody wants recommendations for a user: the event on the stream `movie-rec-requests`.
 *
 * @since 0.1.0
 */
import * as Event from "@leat/core/Event"
import * as Schema from "effect/Schema"

/**
 * The largest `top_n` any deployment may allow; what this one allows is `RequestEvents`.
 *
 * @category constants
 * @since 0.1.0
 */
export const largestTopN = 1_000

/**
 * The payload, as callers write it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RequestPayload = Schema.Struct({
  user_id: Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })),
  top_n: Schema.optionalKey(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: largestTopN }))),
  request_id: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(256)),
  timestamp: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(64))
})

/**
 * A request for recommendations. One user's requests form a lane and share a shard.
 *
 * @category events
 * @since 0.1.0
 */
export const RecommendationRequested = Event.make("RecommendationRequested", {
  version: 1,
  payload: RequestPayload,
  key: (request) => String(request.user_id),
  partitionKey: (request) => `user-${request.user_id}`,
  keyOf: (partitionKey) => partitionKey.replace(/^user-/, ""),
  id: (request) => request.request_id
})
