/** A worker of the host program's own: each request becomes a letter. Of Leat it knows events and `Recommendations`. */
import * as Worker from "@leat/core/Worker"
import { RecommendationRequested } from "@leat/recommender/RecommendationRequested"
import { Recommendations } from "@leat/recommender/Recommendations"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** The host's own service: where letters go. */
export class Mailer extends Context.Service<
  Mailer,
  { readonly send: (user_id: number, text: string) => Effect.Effect<void> }
>()("example-02-embed/Newsletter/Mailer") {}

/** Keeps the letters in an array of the caller's. */
export const layerMailer = (sent: Array<string>): Layer.Layer<Mailer> =>
  Layer.succeed(Mailer, { send: (_, text) => Effect.sync(() => void sent.push(text)) })

export const newsletter = Worker.make("newsletter", {
  events: [RecommendationRequested],
  handle: {
    *RecommendationRequested({ top_n, user_id }) {
      const { recommendations, source } = yield* (yield* Recommendations).forUser(user_id, top_n)
      yield* (yield* Mailer).send(user_id, `films ${recommendations.join(", ")} (${source})`)
    }
  }
})
