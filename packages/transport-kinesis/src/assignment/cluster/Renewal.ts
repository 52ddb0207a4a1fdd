/**
 * Renews the leases of a machine, one call at a time.
 *
 * **Details**
 *
 * Effect stops every run when a renewal takes longer than the time between two, or fails six times in 0.3 s. The leases
 * hold much longer than that, and {@link "./Lease.ts"} stops the runs when they don't. So while they hold, a call that is
 * slow is waited for by the next renewal too, and what failed is repeated soon; effect is told only of leases that are lost.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Schedule from "effect/Schedule"

import type { Lease } from "./Lease.ts"
import * as LeaseStore from "./LeaseStore.ts"

type Call = Effect.Effect<void, LeaseStore.ShardAssignmentError>

/**
 * How renewals are made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly own: Lease
  /** Milliseconds from one renewal to the next. */
  readonly renew: number
}

/**
 * Makes the call that is given, or waits for the one that is on its way; for as long as two renewals allow. Fails where
 * there is no answer and the leases don't hold.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ own, renew }: Options): ((call: Call) => Call) => {
  let running: Fiber.Fiber<void, LeaseStore.ShardAssignmentError> | undefined
  const start = (call: Call) =>
    Effect.suspend(() =>
      running === undefined
        ? Effect.map(Effect.forkDetach(call, { startImmediately: true }), (fiber) => {
            running = fiber
            fiber.addObserver(() => (running = undefined))
            return fiber
          })
        : Effect.succeed(running)
    )
  // Every call ends by itself: the store bounds it.
  const schedule = Schedule.spaced(renew / 6)
  return (call) =>
    Effect.flatMap(start(call), Fiber.join).pipe(
      Effect.retry({ schedule, while: own.isHolding }),
      Effect.timeoutOption(renew * 0.8),
      Effect.matchCauseEffect({
        onFailure: (cause) => (own.isHolding() ? Effect.void : Effect.failCause(cause)),
        onSuccess: (answer) => (own.isHolding() || Option.isSome(answer) ? Effect.void : Effect.fail(unanswered))
      })
    )
}

const unanswered = LeaseStore.fault("keep", {
  reason: "Unavailable",
  message: "the store of shard leases did not answer before the leases were lost"
})
