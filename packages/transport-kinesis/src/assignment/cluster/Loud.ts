/**
 * A store of leases that can't fail in silence: effect's cluster notes some of its storage's errors at the level Debug only.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Metric from "effect/Metric"

import { bounded } from "../../internal/Bounded.ts"
import * as LeaseStore from "./LeaseStore.ts"

/** Failed calls to the store of leases, by `operation` and `reason`. */
const failures = Metric.counter("leat_shard_assignment_store_failures", {
  description: "Calls to the store of shard leases that failed",
  incremental: true
})

/** An error is told of at once, and while it lasts every half minute. */
const quiet = 30_000

interface Outage {
  failed: number
  toldAt: number
}

/**
 * Bounds each call to `timeout` milliseconds, counts those that fail and logs them.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (store: LeaseStore.LeaseStore, timeout: number): LeaseStore.LeaseStore => {
  const outage: Outage = { failed: 0, toldAt: -Infinity }
  const watched =
    (operation: string) =>
    <A>(call: Effect.Effect<A, LeaseStore.ShardAssignmentError>) =>
      call.pipe(
        bounded(timeout, () => late(operation, timeout)),
        Effect.tapError((error) => failed(outage, error)),
        Effect.tap(() => (outage.failed === 0 ? Effect.void : mended(outage)))
      )
  return {
    join: (machine, offers, lease) => watched("join")(store.join(machine, offers, lease)),
    machines: watched("machines")(store.machines),
    take: (machine, names, most, lease) => watched("take")(store.take(machine, names, most, lease)),
    keep: (machine, names, offers, lease) => watched("keep")(store.keep(machine, names, offers, lease)),
    unheld: (names) => watched("unheld")(store.unheld(names)),
    free: (machine, names) => watched("free")(store.free(machine, names)),
    leave: (machine) => watched("leave")(store.leave(machine))
  }
}

const late = (operation: string, timeout: number): LeaseStore.ShardAssignmentError =>
  LeaseStore.fault(operation, {
    reason: "Unavailable",
    message: `the store of shard leases did not answer within ${timeout} ms`
  })

const failed = (outage: Outage, error: LeaseStore.ShardAssignmentError): Effect.Effect<void> =>
  Effect.gen(function* () {
    const { operation, reason } = error
    yield* Metric.update(Metric.withAttributes(failures, { operation, reason }), 1)
    outage.failed += 1
    const now = yield* Clock.currentTimeMillis
    if (now - outage.toldAt < quiet) return
    outage.toldAt = now
    yield* Effect.logError(
      `shards can't be assigned: ${error.message} (${operation}, ${reason}; ${outage.failed} calls failed so far)`
    )
  })

const mended = (outage: Outage): Effect.Effect<void> =>
  Effect.suspend(() => {
    const { failed } = outage
    outage.failed = 0
    outage.toldAt = -Infinity
    return Effect.logInfo(`shards are assigned again, after ${failed} failed calls`)
  })
