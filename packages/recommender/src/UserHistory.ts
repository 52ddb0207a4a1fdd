/**
 * What a user was recommended lately: a projection over the journal, read by `GET /users/{user_id}/history`.
 *
 * @since 0.1.0
 */
import * as Projection from "@leat/core/Projection"
import * as Schema from "effect/Schema"

import { ServedPayload } from "./RecommendationServed.ts"
import { recommendations } from "./RecommendationWorker.ts"
import { servedBy, timeOf } from "./RequestStatus.ts"

/**
 * The latest requests of a user, the newest first.
 *
 * @category schemas
 * @since 0.1.0
 */
export const UserHistory = Schema.Struct({
  user_id: Schema.Int,
  requests: Schema.Array(
    Schema.Struct({
      request_id: Schema.String,
      /** RFC 3339. */
      served_at: Schema.String,
      recommendations: ServedPayload.fields.recommendations,
      source: ServedPayload.fields.source
    })
  )
})

/**
 * The latest requests of a user, the newest first.
 *
 * @category models
 * @since 0.1.0
 */
export type UserHistory = typeof UserHistory.Type

/** So many requests are kept a user: a view for a screen, the journal has them all. */
const kept = 20

/**
 * One history a user.
 *
 * @category projections
 * @since 0.1.0
 */
export const userHistory: Projection.Projection<UserHistory> = Projection.make("user-history", {
  version: 1,
  worker: recommendations.name,
  state: UserHistory,
  keys: (entry) => {
    const served = servedBy(entry.outcome)
    return served === undefined ? [] : [String(served.user_id)]
  },
  fold: (history, entry) => {
    const served = servedBy(entry.outcome)
    if (served === undefined) return history
    const { recommendations, request_id, source, user_id } = served
    const newest = { request_id, served_at: timeOf(entry), recommendations, source }
    // A correction of a request takes its place.
    const older = history?.requests.filter((request) => request.request_id !== request_id) ?? []
    return { user_id, requests: [newest, ...older].slice(0, kept) }
  }
})
