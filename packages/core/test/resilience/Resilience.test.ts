import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import * as Resilience from "@leat/core/Resilience"
import * as Failure from "@leat/core/resilience/Failure"
import { ResilienceError } from "@leat/core/resilience/ResilienceError"
import * as RetryBudget from "@leat/core/RetryBudget"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { dependency, Down, result, terminal, transient } from "./Dependency.ts"

const full: Resilience.Options = {
  name: "it",
  bulkhead: { permits: 4, maxQueue: 8 },
  breaker: { opens: { consecutive: 5 } },
  retry: {},
  hedge: {},
  attemptTimeout: "1 second"
}

const protectedBy = Effect.fnUntraced(function* (options: Partial<Resilience.Options>) {
  const { handler, state } = dependency()
  const resilience = yield* Resilience.make({ name: "it", ...options })
  return { call: result(resilience.protect(handler)(0)), handler, resilience, state }
})

const settle = <A, E, R>(effect: Effect.Effect<A, E, R>) =>
  Effect.gen(function* () {
    const fiber = yield* Effect.forkChild(effect)
    yield* TestClock.adjust("1 hour")
    return yield* Fiber.join(fiber)
  })

describe("the kind of a failure", () => {
  const Any = Schema.Union([
    Schema.Unknown,
    Schema.Struct({ retryable: Schema.Unknown, reason: Schema.Unknown, retryAfter: Schema.Unknown })
  ])

  it.prop("is found for anything, and is terminal for what doesn't say that it may pass", [Any], ([error]) => {
    const failure = Failure.classify(error)
    const retryable = typeof error === "object" && error !== null && "retryable" in error && error.retryable === true
    if (!retryable) assert.strictEqual(failure._tag, "Terminal")
    assert.strictEqual(Failure.mayRetry(failure, true), Failure.isTrouble(failure))
  })

  it("is that of the exit", () => {
    assert.isUndefined(Failure.ofExit(Exit.succeed(1)))
    assert.strictEqual(Failure.ofExit(Exit.interrupt(1))?._tag, "Cancelled")
    assert.strictEqual(Failure.ofExit(Exit.die("bug"))?._tag, "Terminal")
    assert.strictEqual(Failure.ofExit(Exit.fail(transient))?._tag, "Transient")
    const late = new ResilienceError({ reason: "AttemptTimeout", message: "late" })
    assert.strictEqual(Failure.ofExit(Exit.failCause(Cause.fail(late)))?._tag, "Timeout")
  })
})

describe("a budget", () => {
  const Step = Schema.Literals(["retry", "late", "hedge", "success"])

  it.prop("never goes below nothing or above what it holds", [Schema.Array(Step)], ([steps]) => {
    const budget = RetryBudget.make({ capacity: 20 })
    let expected = 20
    for (const step of steps) {
      const cost = step === "retry" ? 5 : step === "late" ? 10 : 1
      if (step === "success") {
        budget.succeeded()
        expected = Math.min(20, expected + 1)
      } else {
        const given = step === "hedge" ? budget.hedge() : budget.retry(step === "late")
        assert.strictEqual(given, expected >= cost)
        if (given) expected -= cost
      }
      assert.strictEqual(budget.tokens(), expected)
    }
  })
})

describe("retries", () => {
  it.effect("cost a dependency that is down for long at most a fifth more calls", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy({ retry: { policy: RetryPolicy.make({ attempts: 3 }) } })
      state.answer = () => Effect.fail(transient)
      yield* settle(Effect.forEach(Array.from({ length: 1_000 }), () => call))
      assert.isAtMost(state.calls, 1_200)
      assert.isAbove(state.calls, 1_000, "some were made while there was a budget")
    })
  )

  it.effect("come back when it is well again", () =>
    Effect.gen(function* () {
      const { call, resilience, state } = yield* protectedBy({ retry: {} })
      state.answer = () => Effect.fail(transient)
      yield* settle(Effect.forEach(Array.from({ length: 100 }), () => call))
      assert.isBelow(resilience.stats().budget, 5)
      state.answer = () => Effect.succeed(1)
      yield* Effect.forEach(Array.from({ length: 50 }), () => call)
      state.calls = 0
      state.answer = (count) => (count === 1 ? Effect.fail(transient) : Effect.succeed(1))
      assert.strictEqual(yield* settle(call), "1")
      assert.strictEqual(state.calls, 2)
    })
  )

  it.effect("are not made for what fails for good, nor after a timeout of what can't be carried out twice", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy({ retry: {} })
      state.answer = () => Effect.fail(terminal)
      assert.strictEqual(yield* settle(call), "refused")
      assert.strictEqual(state.calls, 1)
      const careful = yield* protectedBy({ retry: { idempotent: false }, attemptTimeout: "1 second" })
      careful.state.answer = () => Effect.never
      assert.strictEqual(yield* settle(careful.call), "AttemptTimeout")
      assert.strictEqual(careful.state.calls, 1)
      const bold = yield* protectedBy({ retry: {}, attemptTimeout: "1 second" })
      bold.state.answer = () => Effect.never
      assert.strictEqual(yield* settle(bold.call), "AttemptTimeout")
      assert.strictEqual(bold.state.calls, 3)
    })
  )

  it.effect("give the failure of the last try, with an empty budget that of the first", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy({ retry: {}, budget: RetryBudget.make({ capacity: 4 }) })
      state.answer = () => Effect.fail(transient)
      assert.strictEqual(yield* settle(call), "down")
      assert.strictEqual(state.calls, 1)
    })
  )

  it.effect("wait as long as they are asked to, and longer where less is asked for", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy({
        retry: { policy: RetryPolicy.make({ attempts: 2, base: 100, throttleBase: 1_000 }) },
        budget: RetryBudget.make({ capacity: 10_000 })
      })
      const waits: Array<number> = []
      for (const error of [transient, new Down({ retryable: true, reason: "Throttled" })]) {
        for (let i = 0; i < 100; i++) {
          let failedAt = 0
          state.calls = 0
          state.answer = (count) =>
            Effect.flatMap(Clock.currentTimeMillis, (now) => {
              if (count === 2) return Effect.sync(() => waits.push(now - failedAt))
              failedAt = now
              return Effect.fail(error)
            })
          yield* settle(call)
        }
      }
      const longest = [Math.max(...waits.slice(0, 100)), Math.max(...waits.slice(100))]
      assert.isAtMost(longest[0] ?? 0, 100)
      assert.isAbove(longest[1] ?? 0, 400)
      state.calls = 0
      state.answer = (count) =>
        count === 1 ? Effect.fail(new Down({ retryable: true, retryAfter: 3_000 })) : Effect.succeed(1)
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* TestClock.adjust(2_999)
      assert.strictEqual(state.calls, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(fiber), "1")
    }).pipe(Random.withSeed("waits"))
  )

  it.effect("end with the caller's patience", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy({ retry: { policy: RetryPolicy.make({ base: 1_000 }) } })
      state.answer = () => Effect.fail(transient)
      const fiber = yield* Effect.forkChild(call, { startImmediately: true })
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(state.calls, 1)
    })
  )

  it.effect("don't come in a burst when the clock jumps, as after a freeze", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy({ retry: { policy: RetryPolicy.make({ attempts: 3, base: 100 }) } })
      state.answer = () => Effect.fail(transient)
      const fibers = yield* Effect.forEach(Array.from({ length: 20 }), () => Effect.forkChild(call))
      yield* Effect.yieldNow
      yield* TestClock.adjust("10 minutes")
      yield* Fiber.joinAll(fibers)
      assert.isAtMost(state.calls, 20 + 20)
    })
  )
})

describe("the deadline", () => {
  it.effect("shrinks through nested calls, and is kept by each", () =>
    Effect.gen(function* () {
      const seen: Array<number> = []
      const layer = (millis: number) => Resilience.make({ name: "it", attemptTimeout: millis })
      const [outer, middle, inner] = [yield* layer(1_000), yield* layer(2_000), yield* layer(300)]
      const note = Effect.map(Deadline.remaining, (left) => void seen.push(left))
      const deepest = inner.protect(() => Effect.andThen(note, Effect.sleep(10_000)))
      const between = middle.protect((n: number) => Effect.andThen(Effect.andThen(note, Effect.sleep(800)), deepest(n)))
      const top = outer.protect((n: number) => Effect.andThen(note, between(n)))
      const fiber = yield* Effect.forkChild(result(Deadline.within("5 seconds")(top(0))))
      yield* TestClock.adjust(1_000)
      assert.oneOf(yield* Fiber.join(fiber), ["DeadlineExceeded", "AttemptTimeout"])
      assert.deepStrictEqual(seen, [1_000, 1_000, 200])
    })
  )

  it.effect("ends the wait in a bulkhead, and lets no try begin that couldn't end", () =>
    Effect.gen(function* () {
      const { handler, resilience, state } = yield* protectedBy({
        bulkhead: { permits: 1 },
        deadline: "2 seconds",
        attemptTimeout: "10 seconds",
        retry: { policy: RetryPolicy.make({ base: 0 }), expected: () => 5_000 }
      })
      state.answer = () => Effect.never
      const call = result(resilience.protect(handler)(0))
      const fibers = [yield* Effect.forkChild(call), yield* Effect.forkChild(call)]
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["DeadlineExceeded", "DeadlineExceeded"])
      assert.strictEqual(state.calls, 1)
      state.answer = () => Effect.fail(transient)
      assert.strictEqual(yield* call, "down")
      assert.strictEqual(state.calls, 2, "5 s for a try were more than was left")
    })
  )

  it("is carried by a header as whole milliseconds", () => {
    for (const value of ["", "-1", "1.5", "1e3", "Infinity", "999999999", "86400001", " 1"]) {
      assert.isUndefined(Deadline.fromHeader(value), value)
    }
    assert.strictEqual(Deadline.fromHeader(Deadline.toHeader(250.7)), 250)
    assert.strictEqual(Deadline.toHeader(-3), "0")
  })
})

describe("the whole stack", () => {
  it.effect("lets a call through that succeeds, and says so", () =>
    Effect.gen(function* () {
      const { call, resilience, state } = yield* protectedBy(full)
      for (let i = 0; i < 10; i++) assert.strictEqual(yield* call, "1")
      assert.strictEqual(state.calls, 10)
      const { breaker, bulkhead, budget } = resilience.stats()
      assert.deepStrictEqual(breaker, { open: false, opened: 0, rejected: 0 })
      assert.deepStrictEqual([bulkhead?.running, bulkhead?.waiting, budget], [0, 0, 100])
    })
  )

  it.effect("shows the breaker one outcome a call, whatever the retries did", () =>
    Effect.gen(function* () {
      const { call, resilience, state } = yield* protectedBy(full)
      state.answer = (count) => (count % 2 === 1 ? Effect.fail(transient) : Effect.succeed(1))
      for (let i = 0; i < 10; i++) assert.strictEqual(yield* settle(call), "1")
      assert.strictEqual(resilience.stats().breaker?.opened, 0)
    })
  )

  it.effect("answers with something else for every refusal, not for what the call is at fault for", () =>
    Effect.gen(function* () {
      const { handler, resilience, state } = yield* protectedBy({ ...full, breaker: { opens: { consecutive: 1 } } })
      const call = result(resilience.protect(handler, { to: () => Effect.succeed(2) })(0))
      state.answer = () => Effect.fail(terminal)
      assert.strictEqual(yield* settle(call), "refused")
      state.answer = () => Effect.never
      assert.strictEqual(yield* settle(call), "2")
      yield* Effect.yieldNow
      state.answer = () => Effect.fail(transient)
      assert.deepStrictEqual([yield* settle(call), yield* settle(call)], ["2", "2"])
      const crowd = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 30 }, () => call),
          { concurrency: "unbounded" }
        )
      )
      yield* TestClock.adjust("1 hour")
      assert.isTrue((yield* Fiber.join(crowd)).every((one) => one === "2"))
    })
  )

  it.effect("passes on a defect", () =>
    Effect.gen(function* () {
      const { call, state } = yield* protectedBy(full)
      state.answer = () => Effect.die("a bug")
      const exit = yield* Effect.exit(settle(call))
      assert.isTrue(Exit.isFailure(exit) && Cause.hasDies(exit.cause))
      assert.strictEqual(state.calls, 1)
    })
  )
})
