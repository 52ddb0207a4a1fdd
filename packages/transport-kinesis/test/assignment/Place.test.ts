import { assert, describe, it } from "@effect/vitest"
import type * as Lease from "@leat/transport-kinesis/assignment/cluster/Lease"
import * as Place from "@leat/transport-kinesis/assignment/cluster/Place"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Latch from "effect/Latch"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

/** Leases that hold or not as the test says. */
const leases = () => {
  const [holds, lost] = [Latch.makeUnsafe(false), Latch.makeUnsafe(true)]
  const lease: Lease.Lease = {
    renewing: (call) => call,
    isHolding: () => holds.isOpen(),
    holds: holds.await,
    lost: lost.await
  }
  const hold = Effect.sync(() => void (lost.closeUnsafe(), holds.openUnsafe()))
  const lose = Effect.sync(() => void (holds.closeUnsafe(), lost.openUnsafe()))
  return { lease, hold, lose }
}

/** A run that says when it begins, when it is stopped and, after `takes` milliseconds, when it has ended. */
const begin = (lease: Lease.Lease, takes: number, isHeld = () => true) => {
  const said: Array<string> = []
  const say = (word: string) => Effect.sync(() => void said.push(word))
  const end = Effect.andThen(say("stopped"), Effect.andThen(Effect.sleep(takes), say("ended")))
  const run = Effect.andThen(
    say("began"),
    Effect.onInterrupt(Effect.never, () => end)
  )
  const options = { name: "shardId-0", lease, isHeld, handover: 20_000, remainder: 2_000 }
  return Effect.map(Effect.forkChild(Place.hold(run, options)), (fiber) => ({ fiber, said }))
}

const pass = (millis: number) => TestClock.adjust(millis)

describe("the place of a name", () => {
  it.effect("T33: does not run while the leases don't hold, and runs again when they do", () =>
    Effect.gen(function* () {
      const { hold, lease, lose } = leases()
      const { fiber, said } = yield* begin(lease, 1_000)
      yield* pass(60_000)
      assert.deepStrictEqual(said, [])
      yield* hold
      yield* pass(1)
      assert.deepStrictEqual(said, ["began"])
      yield* lose
      yield* pass(1)
      assert.deepStrictEqual(said, ["began", "stopped"])
      yield* hold
      yield* pass(500)
      assert.deepStrictEqual(said, ["began", "stopped"], "not beside the one that still ends")
      yield* pass(600)
      assert.deepStrictEqual(said, ["began", "stopped", "ended", "began"])
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* pass(1_000)
    })
  )

  it.effect("regression, T33: that is another's when the leases hold again is not run in", () =>
    Effect.gen(function* () {
      const { hold, lease, lose } = leases()
      let held = true
      yield* hold
      const { fiber, said } = yield* begin(lease, 0, () => held)
      yield* pass(1)
      yield* lose
      yield* pass(1)
      held = false
      yield* hold
      yield* pass(60_000)
      assert.deepStrictEqual(said, ["began", "stopped", "ended"])
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* pass(1)
      assert.isDefined(fiber.pollUnsafe(), "and it ends when it is told to")
    })
  )

  it.effect("is given up in order: its run may take longer than a lease, for the leases hold", () =>
    Effect.gen(function* () {
      const { hold, lease } = leases()
      yield* hold
      const { fiber, said } = yield* begin(lease, 19_000)
      yield* pass(1)
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* pass(18_900)
      assert.isUndefined(fiber.pollUnsafe())
      yield* pass(200)
      assert.isDefined(fiber.pollUnsafe())
      assert.deepStrictEqual(said, ["began", "stopped", "ended"])
    })
  )

  it.effect("T33: whose leases are lost while it is given up waits for what is left of them, and no longer", () =>
    Effect.gen(function* () {
      const { hold, lease, lose } = leases()
      yield* hold
      const { fiber } = yield* begin(lease, 19_000)
      yield* pass(1)
      yield* Effect.forkChild(Fiber.interrupt(fiber))
      yield* pass(5_000)
      yield* lose
      yield* pass(1_900)
      assert.isUndefined(fiber.pollUnsafe())
      yield* pass(200)
      assert.isDefined(fiber.pollUnsafe())
    }).pipe(Effect.provide(Logger.layer([])))
  )
})
