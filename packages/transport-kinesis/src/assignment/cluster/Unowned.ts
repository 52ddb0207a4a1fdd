/**
 * Names that nobody runs, though this machine would: it is said, as nothing else shows it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

import type { LeaseStore, ShardAssignmentError } from "./LeaseStore.ts"

const unowned = Metric.gauge("leat_shard_assignment_unowned", {
  description: "Names that this machine offers to run and no machine has held for long"
})

/**
 * Of these names, with when each was first found free, and those that still are.
 *
 * @category transitions
 * @since 0.1.0
 */
export const seen = (
  before: ReadonlyMap<string, number>,
  free: ReadonlyArray<string>,
  now: number
): ReadonlyMap<string, number> => new Map(free.map((name) => [name, before.get(name) ?? now]))

/**
 * Milliseconds for which a name may be free at least: who offers it need not have heard yet that it has nothing left to run.
 *
 * @category constants
 * @since 0.1.0
 */
export const patience = 15_000

/**
 * A look that asks the store once a lease which of the names given nobody holds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  leases: LeaseStore,
  lease: number
): ((names: Iterable<string>) => Effect.Effect<void, ShardAssignmentError>) => {
  const most = Math.max(patience, 2 * lease)
  let found: ReadonlyMap<string, number> = new Map()
  let asked = -Infinity
  return (names) =>
    Effect.gen(function* () {
      const clock = yield* Clock.Clock
      // The clock on the wall may be set.
      const now = Number(clock.monotonicTimeNanosUnsafe() / 1_000_000n)
      if (now - asked < lease) return
      asked = now
      const offered = [...names]
      found = seen(found, offered.length === 0 ? [] : yield* leases.unheld(offered), now)
      const late = [...found].filter(([, since]) => now - since > most).map(([name]) => name)
      yield* Metric.update(unowned, late.length)
      if (late.length === 0) return
      yield* Effect.logError(
        `nobody has run ${late.slice(0, 10).join(", ")}${late.length > 10 ? ` and ${late.length - 10} more` : ""} for more than ${most / 1000} s; every machine that offers these is at its share, or can't take them: look at the other machines' logs`
      )
    })
}
