/**
 * A clock that stands still until it is told to go to the next moment at which something waits.
 *
 * @since 0.1.0
 */
import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * The clock and the hand on it.
 *
 * @category models
 * @since 0.1.0
 */
export interface VirtualClock {
  readonly clock: Clock.Clock
  /** Wakes who waits for the earliest moment; `false` when nobody waits. */
  readonly advance: () => boolean
}

interface Sleep {
  readonly until: number
  readonly wake: () => void
}

/**
 * A clock at `now`, in epoch milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (start: number): VirtualClock => {
  let now = start
  const sleeps = new Set<Sleep>()
  return {
    clock: clockOf(
      () => now,
      (sleep) => {
        sleeps.add(sleep)
        return () => void sleeps.delete(sleep)
      }
    ),
    advance: () => {
      const next = Math.min(...[...sleeps].map(({ until }) => until))
      if (!Number.isFinite(next)) return false
      now = Math.max(now, next)
      for (const sleep of sleeps) {
        if (sleep.until > now) continue
        sleeps.delete(sleep)
        sleep.wake()
      }
      return true
    }
  }
}

const clockOf = (now: () => number, add: (sleep: Sleep) => () => void): Clock.Clock => {
  const nanos = () => BigInt(Math.round(now() * 1_000_000))
  return {
    currentTimeMillisUnsafe: now,
    currentTimeMillis: Effect.sync(now),
    currentTimeNanosUnsafe: nanos,
    currentTimeNanos: Effect.sync(nanos),
    monotonicTimeNanosUnsafe: nanos,
    monotonicTimeNanos: Effect.sync(nanos),
    sleep: (duration) => {
      const millis = Duration.toMillis(duration)
      if (millis <= 0) return Effect.yieldNow
      return Effect.callback<void>((resume) => {
        const remove = add({ until: now() + millis, wake: () => resume(Effect.void) })
        return Effect.sync(remove)
      })
    }
  }
}
