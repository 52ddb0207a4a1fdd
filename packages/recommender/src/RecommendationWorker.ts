/**
 * The worker of the reference application: a request event in, recommendations served.
 *
 * @since 0.1.0
 */
import * as Worker from "@leat/core/Worker"

import { RecommendationRequested } from "./RecommendationRequested.ts"
import * as Recommendations from "./Recommendations.ts"
import { RecommendationServed } from "./RecommendationServed.ts"
import * as RequestEvents from "./RequestEvents.ts"

/**
 * Serves recommendation requests: one read of the cache a batch, one call of the recommender for what it misses.
 *
 * @category workers
 * @since 0.1.0
 */
export const recommendations = Worker.make("recommendations", {
  events: [RecommendationRequested],
  codec: RequestEvents.make().codec,
  prepare: (items) => Recommendations.prefetch(items.map((item) => item.payload)),
  handle: {
    *RecommendationRequested(request) {
      const served = yield* (yield* Recommendations.Recommendations).forUser(request.user_id, request.top_n)
      return RecommendationServed.make({ ...served, request_id: request.request_id })
    }
  }
})
