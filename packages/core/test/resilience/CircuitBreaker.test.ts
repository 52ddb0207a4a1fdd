import { assert, describe, it } from "@effect/vitest"
import * as AttemptTimeout from "@leat/core/resilience/AttemptTimeout"
import * as CircuitBreaker from "@leat/core/resilience/CircuitBreaker"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"

import { dependency, Down, result, terminal, transient } from "./Dependency.ts"

const opened = Effect.fnUntraced(function* (options: Partial<CircuitBreaker.Options> = {}) {
  const { handler, state } = dependency()
  state.answer = () => Effect.fail(transient)
  const breaker = yield* CircuitBreaker.make({ name: "it", opens: { consecutive: 3 }, ...options })
  const call = result(breaker.protect(handler)(0))
  for (let i = 0; i < 3; i++) assert.strictEqual(yield* call, "down")
  yield* Effect.yieldNow
  return { breaker, call, state }
})

describe("a circuit breaker", () => {
  it.effect("opens after failures in a row, and then refuses without a call", () =>
    Effect.gen(function* () {
      const { breaker, call, state } = yield* opened()
      for (let i = 0; i < 10; i++) assert.strictEqual(yield* call, "CircuitOpen")
      assert.strictEqual(state.calls, 3)
      assert.deepStrictEqual(breaker.stats(), { open: true, opened: 1, rejected: 10 })
    })
  )

  it.effect("opens by default when half of the last calls failed, once twenty were made", () =>
    Effect.gen(function* () {
      const { handler, state } = dependency()
      state.answer = (call) => (call % 2 === 0 ? Effect.fail(transient) : Effect.succeed(1))
      const breaker = yield* CircuitBreaker.make({ name: "it" })
      const call = result(breaker.protect(handler)(0))
      for (let i = 0; i < 19; i++) yield* call
      assert.isFalse(breaker.stats().open)
      yield* call
      assert.strictEqual(yield* call, "CircuitOpen")
    })
  )

  it.effect("lets one call through when the pause is over, however many ask", () =>
    Effect.gen(function* () {
      const { breaker, call, state } = yield* opened()
      state.answer = () => Effect.as(Effect.sleep(100), 1)
      yield* TestClock.adjust("1 second")
      const callers = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 100 }, () => call),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust("100 millis")
      const results = yield* Fiber.join(callers)
      assert.strictEqual(results.filter((one) => one === "1").length, 1)
      assert.strictEqual(results.filter((one) => one === "CircuitOpen").length, 99)
      assert.strictEqual(state.calls, 4)
      assert.strictEqual(yield* Effect.andThen(Effect.forkChild(call), () => Effect.succeed("goes on")), "goes on")
      assert.isFalse(breaker.stats().open)
    })
  )

  it.effect("frees the place of a probe that was interrupted (as resilience4j#903 did not)", () =>
    Effect.gen(function* () {
      const { call, state } = yield* opened()
      state.answer = () => Effect.never
      yield* TestClock.adjust("1 second")
      const probe = yield* Effect.forkChild(call, { startImmediately: true })
      assert.strictEqual(state.calls, 4)
      yield* Fiber.interrupt(probe)
      state.answer = () => Effect.succeed(1)
      assert.strictEqual(yield* call, "1")
      assert.strictEqual(yield* call, "1")
    })
  )

  it.effect("pauses twice as long each time, at most so long, less up to a half at random", () =>
    Effect.gen(function* () {
      const { breaker, call, state } = yield* opened({ maxPause: "8 seconds" })
      const pauses: Array<number> = []
      for (let i = 0; i < 6; i++) {
        const before = state.calls
        let waited = 0
        while (state.calls === before) {
          yield* TestClock.adjust(50)
          waited += 50
          yield* call
          yield* Effect.yieldNow
        }
        pauses.push(waited)
      }
      const longest = [1_000, 2_000, 4_000, 8_000, 8_000, 8_000]
      pauses.forEach((pause, i) => {
        assert.isAtMost(pause, (longest[i] ?? 0) + 50)
        assert.isAtLeast(pause, (longest[i] ?? 0) / 2)
      })
      assert.strictEqual(new Set(pauses.slice(3)).size > 1, true, pauses.join(" "))
      assert.strictEqual(breaker.stats().opened, 7)
    }).pipe(Random.withSeed("pauses"))
  )

  it.effect("opens on calls that hang, where the timeout is inside", () =>
    Effect.gen(function* () {
      const { handler, state } = dependency()
      state.answer = () => Effect.never
      const breaker = yield* CircuitBreaker.make({ name: "it", opens: { consecutive: 3 } })
      const call = result(breaker.protect(AttemptTimeout.make("1 second")(handler))(0))
      const calls = yield* Effect.forkChild(Effect.all([call, call, call, call]))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(yield* Fiber.join(calls), [
        "AttemptTimeout",
        "AttemptTimeout",
        "AttemptTimeout",
        "CircuitOpen"
      ])
      assert.strictEqual(state.interrupted, 3)
    })
  )

  it.effect("doesn't mind what the call itself is at fault for, nor who goes away", () =>
    Effect.gen(function* () {
      const { handler, state } = dependency()
      const breaker = yield* CircuitBreaker.make({ name: "it", opens: { consecutive: 3 } })
      const call = result(breaker.protect(handler)(0))
      state.answer = () => Effect.fail(terminal)
      for (let i = 0; i < 10; i++) assert.strictEqual(yield* call, "refused")
      state.answer = () => Effect.never
      for (let i = 0; i < 10; i++) {
        yield* Fiber.interrupt(yield* Effect.forkChild(call, { startImmediately: true }))
      }
      state.answer = () => Effect.succeed(1)
      assert.strictEqual(yield* call, "1")
    })
  )

  it.effect("stays open as long as the dependency asks", () =>
    Effect.gen(function* () {
      const { handler, state } = dependency()
      state.answer = () => Effect.fail(new Down({ retryable: true, retryAfter: 20_000 }))
      const breaker = yield* CircuitBreaker.make({ name: "it", opens: { consecutive: 1 } })
      const call = result(breaker.protect(handler)(0))
      yield* call
      yield* TestClock.adjust("19 seconds")
      assert.strictEqual(yield* call, "CircuitOpen")
      yield* TestClock.adjust("2 seconds")
      assert.strictEqual(yield* call, "down")
    })
  )

  it.effect("says when it opens and when it closes, once each", () => {
    const lines: Array<string> = []
    const logger = Logger.make(({ message }) => void lines.push(String(message)))
    return Effect.gen(function* () {
      const { call, state } = yield* opened()
      for (let i = 0; i < 5; i++) yield* call
      yield* TestClock.adjust("1 second")
      state.answer = () => Effect.succeed(1)
      yield* call
      yield* call
      yield* Effect.yieldNow
      assert.strictEqual(lines.length, 2, lines.join("\n"))
      assert.match(lines[0] ?? "", /^it failed too often; it is called again in \d+ ms$/)
      assert.strictEqual(lines[1], "it answers again")
    }).pipe(Effect.provide(Logger.layer([logger])))
  })
})
