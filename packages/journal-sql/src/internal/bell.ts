/** Wakes the readers of this process when somebody commits. */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

export interface Bell {
  readonly ring: () => void
  /** Hears the next ring from now on: call it before looking whether there is something to do. */
  readonly listen: () => Effect.Effect<void>
}

export const make = (): Bell => {
  let next = Deferred.makeUnsafe<void>()
  return {
    ring: () => {
      const waited = next
      // First the new one: a reader runs on inside `doneUnsafe` and would wait for the one that is done.
      next = Deferred.makeUnsafe()
      Deferred.doneUnsafe(waited, Effect.void)
    },
    listen: () => Deferred.await(next)
  }
}

/**
 * Ends as soon as the last position lies after `position`, with the last one. Looks at every ring, and every `poll`
 * milliseconds for what others commit.
 */
export const moved = <E>(
  bell: Bell,
  last: Effect.Effect<number, E>,
  position: number,
  poll: number
): Effect.Effect<number, E> =>
  Effect.suspend(() => {
    const ring = bell.listen()
    return Effect.flatMap(last, (now) =>
      now > position
        ? Effect.succeed(now)
        : Effect.andThen(Effect.raceFirst(ring, Effect.sleep(poll)), moved(bell, last, position, poll))
    )
  })
