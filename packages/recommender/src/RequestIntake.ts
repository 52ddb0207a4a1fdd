/**
 * Takes requests in over HTTP, for the stream: accepted is what is journaled, and what is journaled is published.
 *
 * @since 0.1.0
 */
import * as Codec from "@leat/core/Codec"
import type { Publisher } from "@leat/core/Publisher"
import * as Worker from "@leat/core/Worker"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

import { RecommendationRequested } from "./RecommendationRequested.ts"
import * as RequestEvents from "./RequestEvents.ts"

/**
 * Emits the request that came in: its outbox is the queue. With a journal nothing that was accepted is lost, also when the
 * stream is down; the same `request_id` again is a duplicate.
 *
 * @category workers
 * @since 0.1.0
 */
export const intake = Worker.make("intake", {
  events: [RecommendationRequested],
  codec: RequestEvents.make().codec,
  handle: {
    *RecommendationRequested(request) {
      return RecommendationRequested.make(request)
    }
  }
})

/**
 * How intake writes to the stream: plain JSON, as every other producer of it. The `request_id` stays the request's name.
 *
 * @category codecs
 * @since 0.1.0
 */
export const codec: Codec.Codec = Codec.json(RecommendationRequested)

/**
 * Where accepted requests go; `undefined` by default: then none are accepted. Apart from `Publisher`, which is where other
 * workers of the program send what they emit.
 *
 * @category references
 * @since 0.1.0
 */
export const Queue: Context.Reference<Publisher | undefined> = Context.Reference<Publisher | undefined>(
  "@leat/recommender/RequestIntake/Queue",
  { defaultValue: () => undefined }
)

/**
 * Accepts requests for what `publisher` publishes to; what it needs a scope for lives as long as the layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(
  publisher: Effect.Effect<Publisher, E, R>
): Layer.Layer<never, E, Exclude<R, Scope.Scope>> => Layer.effect(Queue, publisher)
