/**
 * The worker of the reference application: a request event in, recommendations served.
 *
 * @since 0.1.0
 */
import * as Step from "@leat/core/Step"
import * as Worker from "@leat/core/Worker"

import { RecommendationRequested } from "./RecommendationRequested.ts"
import * as Recommendations from "./Recommendations.ts"
import { RecommendationServed } from "./RecommendationServed.ts"
import * as RequestEvents from "./RequestEvents.ts"

/**
 * Serves recommendation requests: one read of the cache a batch, one call of the recommender for what it misses. The
 * ranking is a step: a replay answers it from the journal.
 *
 * @category workers
 * @since 0.1.0
 */
export const recommendations = Worker.make("recommendations", {
  events: [RecommendationRequested],
  codec: RequestEvents.make().codec,
  prepare: (items) => Recommendations.prefetch(items.map((item) => item.payload)),
  handle: {
    *RecommendationRequested(request, meta) {
      const recommendations = yield* Recommendations.Recommendations
      const served = yield* Step.run(meta, "ranking", () => recommendations.forUser(request.user_id, request.top_n))
      return RecommendationServed.make({ ...served, request_id: request.request_id })
    }
  }
})
