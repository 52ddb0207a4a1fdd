/**
 * What a long-running part does, as events: counted for who asks, and streamed to who listens.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

/**
 * A feed of events with statistics folded over them.
 *
 * @category models
 * @since 0.1.0
 */
export interface Feed<Event, Stats> {
  /** Never waits for a reader. */
  readonly emit: (event: Event) => void
  readonly stats: () => Stats
  /** From now on. A reader that falls {@link room} events behind misses the oldest. */
  readonly events: Stream.Stream<Event>
}

/**
 * How many events a slow reader may be behind.
 *
 * @category constants
 * @since 0.1.0
 */
export const room = 4096

/**
 * A feed without events.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <Event, Stats>(
  none: Stats,
  count: (stats: Stats, event: Event) => Stats
): Effect.Effect<Feed<Event, Stats>> =>
  Effect.map(PubSub.sliding<Event>(room), (pubsub): Feed<Event, Stats> => {
    let stats = none
    return {
      emit: (event) => {
        stats = count(stats, event)
        // The unsafe publish drops what finds no room; the other makes room, and on a sliding PubSub never waits.
        if (!PubSub.publishUnsafe(pubsub, event)) Effect.runSync(PubSub.publish(pubsub, event))
      },
      stats: () => stats,
      events: Stream.fromPubSub(pubsub)
    }
  })
