/**
 * What a mapping did, as a stream for those who listen and as counts for those who ask.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

import * as MappingEvent from "./MappingEvent.ts"

/**
 * A feed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Feed {
  /** Never waits for a reader. */
  readonly emit: (event: MappingEvent.MappingEvent) => void
  readonly stats: () => MappingEvent.Stats
  /** From now on. A reader that falls {@link room} events behind misses the oldest. */
  readonly events: Stream.Stream<MappingEvent.MappingEvent>
}

/**
 * How many events wait for a slow reader.
 *
 * @category constants
 * @since 0.1.0
 */
export const room = 4096

/**
 * A feed of which nothing was said yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Feed> = Effect.map(PubSub.sliding<MappingEvent.MappingEvent>(room), (pubsub): Feed => {
  let stats = MappingEvent.none
  return {
    emit: (event) => {
      stats = MappingEvent.count(stats, event)
      // The unsafe publish drops what finds no room; the other makes room, and on a sliding PubSub never waits.
      if (!PubSub.publishUnsafe(pubsub, event)) Effect.runSync(PubSub.publish(pubsub, event))
    },
    stats: () => stats,
    events: Stream.fromPubSub(pubsub)
  }
})
