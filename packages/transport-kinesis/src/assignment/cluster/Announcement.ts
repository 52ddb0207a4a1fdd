/**
 * Tells the other machines what this one offers, as soon as it changes.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Latch from "effect/Latch"
import type * as Scope from "effect/Scope"

import type { Holdings } from "./Holdings.ts"
import type { LeaseStore, ShardAssignmentError } from "./LeaseStore.ts"
import * as Offers from "./Offers.ts"

/**
 * What a machine says of itself.
 *
 * @category models
 * @since 0.1.0
 */
export interface Announcement {
  readonly offers: () => string
  /** Says it, unless the others know. */
  readonly tell: Effect.Effect<void, ShardAssignmentError>
  /** Has it said soon: machines that begin at once then see each other before they take anything. */
  readonly soon: Effect.Effect<void>
}

/**
 * Says at once that the machine lives; fails where the store does.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: {
  readonly machine: string
  /** Milliseconds. */
  readonly lease: number
  readonly leases: LeaseStore
  readonly holdings: Holdings
}): Effect.Effect<Announcement, ShardAssignmentError, Scope.Scope> =>
  Effect.gen(function* () {
    const { holdings, lease, leases, machine } = options
    const changed = Latch.makeUnsafe(false)
    let told: string | undefined
    const offers = () => Offers.encode(holdings.wanted.keys())
    const tell = Effect.suspend(() => {
      const now = offers()
      return now === told ? Effect.void : Effect.map(leases.join(machine, now, lease), () => void (told = now))
    })
    yield* tell
    const next = Effect.andThen(
      changed.await,
      Effect.suspend(() => (changed.closeUnsafe(), Effect.ignore(tell)))
    )
    // What fails is told of by the store, and said again before anything is taken.
    yield* Effect.forkScoped(Effect.forever(next))
    return { offers, tell, soon: Effect.sync(() => void changed.openUnsafe()) }
  })
