import { assert, describe, it } from "@effect/vitest"
import * as Lease from "@leat/transport-kinesis/assignment/cluster/Lease"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/testing/TestClock"

const isSo = Effect.fnUntraced(function* (state: Effect.Effect<void>) {
  const fiber = yield* Effect.forkChild(state)
  yield* TestClock.adjust(0)
  return fiber.pollUnsafe() !== undefined
})

const states = (lease: Lease.Lease) => Effect.all({ holds: isSo(lease.holds), lost: isSo(lease.lost) })

const held = { holds: true, lost: false }
const lost = { holds: false, lost: true }

describe("what a machine knows of its leases", () => {
  it.effect("begins with leases that don't hold", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* states(yield* Lease.make(6_000)), lost)
    }).pipe(Effect.scoped)
  )

  it.effect("T31: two thirds after the last renewal they are lost, while there is time to stop", () =>
    Effect.gen(function* () {
      const lease = yield* Lease.make(6_000)
      yield* lease.renewing(Effect.void)
      assert.deepStrictEqual(yield* states(lease), held)
      yield* TestClock.adjust(3_000)
      yield* lease.renewing(Effect.void)
      yield* TestClock.adjust(3_990)
      assert.deepStrictEqual(yield* states(lease), held)
      yield* TestClock.adjust(20)
      assert.deepStrictEqual(yield* states(lease), lost)
      yield* lease.renewing(Effect.void)
      assert.deepStrictEqual(yield* states(lease), held)
    }).pipe(Effect.scoped)
  )

  it.effect("a renewal that fails is none", () =>
    Effect.gen(function* () {
      const lease = yield* Lease.make(6_000)
      yield* Effect.flip(lease.renewing(Effect.fail("no")))
      assert.deepStrictEqual(yield* states(lease), lost)
    }).pipe(Effect.scoped)
  )

  it.effect("T31: a renewal counts from when it was asked for, so an answer that a pause held up is too late", () =>
    Effect.gen(function* () {
      const lease = yield* Lease.make(6_000)
      yield* Effect.forkChild(lease.renewing(Effect.sleep(5_000)))
      yield* TestClock.adjust(5_000)
      assert.deepStrictEqual(yield* states(lease), lost)
      yield* Effect.forkChild(lease.renewing(Effect.sleep(1_000)))
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(yield* states(lease), held)
      yield* TestClock.adjust(3_010)
      assert.deepStrictEqual(yield* states(lease), lost)
    }).pipe(Effect.scoped)
  )
})
