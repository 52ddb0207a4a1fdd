import { assert, describe, it } from "@effect/vitest"
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import { fault } from "@leat/transport-kinesis/assignment/cluster/LeaseStore"
import type { LeaseStore } from "@leat/transport-kinesis/assignment/cluster/LeaseStore"
import { ShardAssignment } from "@leat/transport-kinesis/ShardAssignment"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

const names = [0, 1, 2, 3].map((index) => `shop/orders/shardId-00000000000${index}`)

type Keep = ReturnType<LeaseStore["keep"]>

/** One machine that runs all names, and whose renewals are what the test makes of them. */
const machine = Effect.fnUntraced(function* (lease: Duration.Input, kept: (keep: Keep) => Keep) {
  const counted = { begun: 0, stopped: 0 }
  const inner = Cluster.leases()
  const stolen = { all: false }
  const leases: LeaseStore = {
    ...inner,
    keep: (...args) => kept(Effect.map(inner.keep(...args), (some) => (stolen.all ? [] : some))),
    take: (...args) => Effect.suspend(() => (stolen.all ? Effect.succeed([]) : inner.take(...args)))
  }
  const offers = Effect.gen(function* () {
    const { offer } = yield* ShardAssignment
    for (const name of names) {
      yield* offer(
        name,
        Effect.suspend(() => {
          counted.begun += 1
          return Effect.onInterrupt(Effect.never, () => Effect.sync(() => void (counted.stopped += 1)))
        })
      )
    }
    return yield* Effect.never
  })
  yield* Effect.forkScoped(Effect.provide(Effect.scoped(offers), Cluster.layerMemory({ lease, leases })))
  return { counted, stolen }
})

const seconds = (count: number) =>
  Effect.forEach(Array.from({ length: count * 10 }), () => TestClock.adjust("100 millis"), { discard: true })

/** As a machine that is suspended: nothing in it moves. */
const standStill = (millis: number) =>
  Effect.sync(() => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, millis))

describe("a machine that stood still longer than its lease", () => {
  it.live("regression, T33: begins nothing again that was taken from it meanwhile", () =>
    Effect.gen(function* () {
      const { counted, stolen } = yield* machine(900, (keep) => Effect.delay(keep, 5))
      while (counted.begun < names.length) yield* Effect.sleep(10)
      const { begun } = counted
      yield* standStill(950)
      stolen.all = true
      yield* Effect.sleep(400)
      assert.deepStrictEqual(counted, { begun, stopped: begun })
    }).pipe(Effect.scoped)
  )
})

describe("a renewal", () => {
  const still = { begun: names.length, stopped: 0 }

  it.effect("regression: that takes longer than the time between two stops nothing while the leases hold", () =>
    Effect.gen(function* () {
      let [calls, open, most] = [0, 0, 0]
      const { counted } = yield* machine("15 seconds", (keep) =>
        Effect.suspend(() => {
          calls += 1
          open += 1
          most = Math.max(most, open)
          const late = calls >= 3 && calls <= 5 ? Effect.delay(keep, 4_000) : keep
          return Effect.ensuring(
            late,
            Effect.sync(() => void (open -= 1))
          )
        })
      )
      yield* seconds(60)
      assert.deepStrictEqual(counted, still)
      assert.isAbove(calls, 10)
      assert.strictEqual(most, 1, "no renewal is asked for beside another")
    }).pipe(Effect.scoped)
  )

  it.effect("regression: that is refused for a while stops nothing, and is asked for again soon", () =>
    Effect.gen(function* () {
      let refused = false
      let calls = 0
      const { counted } = yield* machine("15 seconds", (keep) =>
        Effect.suspend(() => {
          calls += 1
          return refused ? Effect.fail(fault("keep", { reason: "Unavailable", message: "gone" })) : keep
        })
      )
      yield* seconds(5)
      refused = true
      const before = calls
      yield* seconds(6)
      assert.isAbove(calls - before, 6)
      assert.deepStrictEqual(counted, still)
      refused = false
      yield* seconds(20)
      assert.deepStrictEqual(counted, still)
      refused = true
      yield* seconds(12)
      assert.deepStrictEqual(counted, { ...still, stopped: names.length }, "beyond two thirds of the lease it does")
      refused = false
      yield* seconds(12)
      assert.deepStrictEqual(counted, { begun: 2 * names.length, stopped: names.length }, "until it is granted again")
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([])))
  )
})
