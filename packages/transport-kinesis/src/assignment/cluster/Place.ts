/**
 * The place of one name on one machine: runs it while the machine's leases hold.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

import type { Lease } from "./Lease.ts"

/**
 * How a place is given up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly name: string
  readonly lease: Lease
  /** Whether the place is this machine's, as far as the store's last answer says. */
  readonly isHeld: () => boolean
  /** Milliseconds that an interrupted run may take to end while the leases hold. */
  readonly handover: number
  /** The same where they don't: what is left of them. */
  readonly remainder: number
}

/**
 * Ends when the run completes. A run that dies is told of and begun again, after 1 s, then 2 s, up to 30 s. When the leases
 * are lost it is interrupted, and begun again when they hold, unless the place is another machine's by then: whoever calls
 * hears of that too, and interrupts.
 *
 * @category constructors
 * @since 0.1.0
 */
export const hold = <R>(run: Effect.Effect<void, never, R>, options: Options): Effect.Effect<void, never, R> =>
  Effect.gen(function* () {
    let deaths = 0
    while (true) {
      yield* options.lease.holds
      yield* options.isHeld() ? Effect.void : Effect.never
      const [lived, end] = yield* Effect.timed(whileHeld(run, options))
      if (end === undefined) continue
      if (Exit.isSuccess(end)) return
      deaths = Duration.isGreaterThan(lived, longLife) ? 1 : deaths + 1
      const pause = Math.min(30, 2 ** (deaths - 1))
      yield* Effect.logError(`the run of ${options.name} died; it begins again in ${pause} s`, end.cause)
      yield* Effect.sleep(Duration.seconds(pause))
    }
  })

/** What dies after so long is another matter than what died before. */
const longLife = Duration.minutes(5)

/** How the run ended; `undefined` when it had to stop. */
const whileHeld = <R>(
  run: Effect.Effect<void, never, R>,
  options: Options
): Effect.Effect<Exit.Exit<void> | undefined, never, R> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkDetach(restore(run), { startImmediately: true })
      const ended = Effect.raceFirst(Fiber.await(fiber), Effect.as(options.lease.lost, undefined))
      return yield* Effect.ensuring(restore(ended), stop(fiber, options))
    })
  )

/** Its finalizers are waited for, as they write the last checkpoint, but never beyond the lease. */
const stop = (fiber: Fiber.Fiber<void>, options: Options): Effect.Effect<void> =>
  Effect.gen(function* () {
    if (fiber.pollUnsafe() !== undefined) return
    fiber.interruptUnsafe()
    const end = yield* Effect.raceFirst(Fiber.await(fiber), tooLate(options))
    if (end === undefined) {
      yield* Effect.logError(`the run of ${options.name} did not end in time; its place is given up all the same`)
    } else if (Exit.isFailure(end) && !Cause.hasInterruptsOnly(end.cause)) {
      yield* Effect.logError(`the run of ${options.name} failed as it was stopped`, end.cause)
    }
  })

const tooLate = ({ handover, lease, remainder }: Options): Effect.Effect<undefined> =>
  Effect.as(Effect.raceFirst(Effect.sleep(handover), Effect.andThen(lease.lost, Effect.sleep(remainder))), undefined)
