/**
 * What a machine knows of its own leases, by its own monotonic clock.
 *
 * A machine that can't renew, or that stood still and goes on, must not run on what may be somebody else's by now. It stops
 * its runs when two thirds of a lease have passed since it asked for the last renewal that was granted; the last third is
 * theirs to finish in.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

/**
 * The leases of a machine, all at once: the oldest renewal counts for all.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lease {
  /** Makes a call that begins the leases anew. What the call does with its answer is done when they hold. */
  readonly renewing: <A, E>(call: Effect.Effect<A, E>) => Effect.Effect<A, E>
  /** Whether the leases hold, by the clock and not by who has woken up. */
  readonly isHolding: () => boolean
  /** Waits until the leases hold. */
  readonly holds: Effect.Effect<void>
  /** Waits until they may have ended. */
  readonly lost: Effect.Effect<void>
}

const milliseconds = 1_000_000n

/**
 * Begins with leases that don't hold.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (lease: number): Effect.Effect<Lease, never, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const now = () => clock.monotonicTimeNanosUnsafe()
    const safe = BigInt(Math.floor((lease * 2) / 3)) * milliseconds
    const holds = Latch.makeUnsafe(false)
    const lost = Latch.makeUnsafe(true)
    let end = now()

    const watch = Effect.gen(function* () {
      while (true) {
        yield* holds.await
        const left = Number((end - now()) / milliseconds)
        // A timer that is overdue, as after a machine stood still, is called before anything that waits for an answer.
        if (left > 0) yield* Effect.sleep(left + 1)
        else {
          holds.closeUnsafe()
          lost.openUnsafe()
        }
      }
    })
    yield* Effect.forkScoped(watch)

    const renewed = (asked: bigint) => {
      // Counted from when it was asked for: the answer may have been long on its way.
      if (asked + safe <= now()) return
      end = asked + safe
      lost.closeUnsafe()
      holds.openUnsafe()
    }
    return {
      renewing: (call) =>
        Effect.suspend(() => {
          const asked = now()
          return Effect.tap(call, () => Effect.sync(() => renewed(asked)))
        }),
      isHolding: () => now() < end,
      holds: holds.await,
      lost: lost.await
    }
  })
