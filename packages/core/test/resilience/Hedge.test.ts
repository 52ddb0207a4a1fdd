import { assert, describe, it } from "@effect/vitest"
import * as Hedge from "@leat/core/resilience/Hedge"
import * as RetryBudget from "@leat/core/RetryBudget"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import { dependency, result, transient } from "./Dependency.ts"

const take = (millis: number) => Effect.as(Effect.sleep(millis), 1)

/** A hedge that knows 100 calls of 10 ms. */
const warm = Effect.fnUntraced(function* (options: Hedge.Options = {}) {
  const { handler, state } = dependency()
  state.answer = () => take(10)
  const hedge = yield* Hedge.make(options)
  const call = result(hedge.protect(handler)(0))
  const begin = Effect.forkChild(call, { startImmediately: true })
  for (let i = 0; i < 100; i++) {
    const fiber = yield* begin
    yield* TestClock.adjust(10)
    yield* Fiber.join(fiber)
  }
  state.calls = 0
  return { begin, hedge, state }
})

describe("a hedge", () => {
  it.effect("asks again when an answer is later than most, and takes the first", () =>
    Effect.gen(function* () {
      const { begin, hedge, state } = yield* warm()
      state.answer = (call) => take(call === 1 ? 1_000 : 10)
      const fiber = yield* begin
      yield* TestClock.adjust(9)
      assert.strictEqual(state.calls, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(state.calls, 2)
      yield* TestClock.adjust(10)
      assert.strictEqual(yield* Fiber.join(fiber), "1")
      assert.strictEqual(state.interrupted, 1, "the loser's finalizer ran")
      assert.deepStrictEqual([hedge.stats().hedged, hedge.stats().won], [1, 1])
    })
  )

  it.effect("asks once while it doesn't know what is late", () =>
    Effect.gen(function* () {
      const { handler, state } = dependency()
      state.answer = () => take(10_000)
      const hedge = yield* Hedge.make()
      const fiber = yield* Effect.forkChild(hedge.protect(handler)(0), { startImmediately: true })
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(fiber)
      assert.strictEqual(state.calls, 1)
    })
  )

  it.effect("fails at once with a call that failed before it was late", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* warm()
      state.answer = () => Effect.fail(transient)
      const fiber = yield* begin
      assert.strictEqual(yield* Fiber.join(fiber), "down")
      assert.strictEqual(state.calls, 1)
    })
  )

  it.effect("waits for the second when the first fails meanwhile, and the other way round", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* warm()
      state.answer = (call) => (call === 1 ? Effect.andThen(Effect.sleep(15), Effect.fail(transient)) : take(50))
      const first = yield* begin
      yield* TestClock.adjust(60)
      assert.strictEqual(yield* Fiber.join(first), "1")
      state.calls = 0
      state.answer = (call) => (call === 2 ? Effect.fail(transient) : take(50))
      const second = yield* begin
      yield* TestClock.adjust(50)
      assert.strictEqual(yield* Fiber.join(second), "1")
    })
  )

  it.effect("asks twice in one call of twenty at most, and never more than once", () =>
    Effect.gen(function* () {
      const { begin, hedge, state } = yield* warm()
      state.answer = () => take(1_000)
      // What was saved in the quiet time is spent first; the slow calls are known soon, so each is later than they were.
      for (let i = 0; i < 60; i++) {
        state.answer = () => take(1_000 * 2 ** i)
        const fiber = yield* begin
        yield* TestClock.adjust(1_000 * 2 ** i)
        yield* Fiber.join(fiber)
      }
      assert.strictEqual(state.calls, 60 + hedge.stats().hedged)
      assert.isAtMost(hedge.stats().hedged, 5 + Math.ceil(60 * 0.05))
      assert.isAtLeast(hedge.stats().hedged, 5)
    })
  )

  it.effect("leaves the call alone when the budget is spent (as failsafe-go#141 did not)", () =>
    Effect.gen(function* () {
      const budget = RetryBudget.make({ capacity: 0 })
      const { begin, state } = yield* warm({ budget })
      state.answer = () => take(1_000)
      const fiber = yield* begin
      yield* TestClock.adjust(1_000)
      assert.strictEqual(yield* Fiber.join(fiber), "1")
      assert.strictEqual(state.calls, 1)
    })
  )

  it.effect("stops both calls with the caller", () =>
    Effect.gen(function* () {
      const { begin, state } = yield* warm()
      state.answer = () => Effect.never
      const fiber = yield* begin
      yield* TestClock.adjust(20)
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual([state.calls, state.interrupted, state.running], [2, 2, 0])
    })
  )
})
