import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/**
 * Calls that share a key take turns in order of arrival; calls that share none run side by side.
 *
 * A call takes its place behind the last holder of each of its keys in one synchronous step, so two calls can never wait
 * for each other.
 */
export interface KeyedTurns {
  /** `lanes`: the call's keys, to be asked for more than once. */
  readonly take: <A, E, R>(lanes: ReadonlyMap<string, unknown>, self: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

export const make = (): KeyedTurns => {
  const last = new Map<string, Deferred.Deferred<void>>()
  // Fast path: a call that is alone (a Lambda's always is) is not written into the map; the next one that comes meanwhile
  // does it for both. It saves a map entry a record.
  let alone: { readonly lanes: ReadonlyMap<string, unknown>; readonly mine: Deferred.Deferred<void> } | undefined
  let running = 0

  const enter = (
    lanes: ReadonlyMap<string, unknown>,
    mine: Deferred.Deferred<void>
  ): ReadonlySet<Deferred.Deferred<void>> => {
    running += 1
    if (running === 1) {
      alone = { lanes, mine }
      return nobody
    }
    if (alone !== undefined) {
      for (const key of alone.lanes.keys()) last.set(key, alone.mine)
      alone = undefined
    }
    const before = new Set<Deferred.Deferred<void>>()
    for (const key of lanes.keys()) {
      const holder = last.get(key)
      if (holder !== undefined) before.add(holder)
      last.set(key, mine)
    }
    return before
  }

  const leave = (lanes: ReadonlyMap<string, unknown>, mine: Deferred.Deferred<void>): void => {
    running -= 1
    if (alone?.mine === mine) alone = undefined
    else for (const key of lanes.keys()) if (last.get(key) === mine) last.delete(key)
    Deferred.doneUnsafe(mine, Effect.void)
  }

  return {
    // Uninterruptible but for the work itself: an interruption between entering and the promise to leave would hold the
    // keys for ever.
    take: (lanes, self) =>
      Effect.uninterruptibleMask((restore) => {
        const mine = Deferred.makeUnsafe<void>()
        const before = enter(lanes, mine)
        const waited =
          before.size === 0
            ? self
            : Effect.andThen(
                Effect.forEach(before, (holder) => Deferred.await(holder), { discard: true }),
                self
              )
        // Leaving before the holders in front have left would let the next call overtake them: an interrupted call
        // keeps its place until they are gone.
        return Effect.onExit(restore(waited), () =>
          Effect.suspend(() => {
            const ahead = [...before].filter((holder) => !Deferred.isDoneUnsafe(holder))
            if (ahead.length === 0) return Effect.sync(() => leave(lanes, mine))
            return Effect.asVoid(
              Effect.forkDetach(
                Effect.andThen(
                  Effect.forEach(ahead, (holder) => Deferred.await(holder), { discard: true }),
                  Effect.sync(() => leave(lanes, mine))
                )
              )
            )
          })
        )
      })
  }
}

const nobody: ReadonlySet<Deferred.Deferred<void>> = new Set()
