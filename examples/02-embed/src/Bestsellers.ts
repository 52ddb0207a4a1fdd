/** A recommender of the host's own: everyone gets the same films. It fails the first time user 3 asks. */
import { Recommender, RecommenderError } from "@leat/recommender/Recommender"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

export const layer: Layer.Layer<Recommender> = Layer.sync(Recommender, () => {
  let failures = 1
  const recommend: Recommender["Service"]["recommend"] = ({ top_n, user_id }) =>
    user_id === 3 && failures-- > 0
      ? Exit.fail(new RecommenderError({ reason: "Unavailable", message: "the shop is closed", retryable: true }))
      : Exit.succeed([10, 20, 30].slice(0, top_n))
  return {
    model: () => "bestsellers",
    recommend: (request) => Effect.suspend(() => recommend(request)),
    recommendMany: (requests) => Effect.forEach(requests, (request) => Effect.exit(recommend(request))),
    // With a list of popular films here, user 3 would be given that.
    popular: () => Effect.fail(new RecommenderError({ reason: "Refused", message: "no list", retryable: false }))
  }
})
