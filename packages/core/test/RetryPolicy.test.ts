import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

const Attempt = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 60 }))
const Millis = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 60_000 }))
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }))

class Down extends Schema.TaggedError<Down>()("Down", { retryable: Schema.Boolean }) {}

const failing = (times: number, retryable = true) => {
  let calls = 0
  return {
    calls: () => calls,
    attempt: () => {
      calls += 1
      return calls <= times ? Exit.fail(new Down({ retryable })) : Exit.succeed(calls)
    }
  }
}

const settings = (env: Record<string, string>) => ConfigProvider.layer(ConfigProvider.fromEnv({ env }))

describe("RetryPolicy", () => {
  it.prop(
    "never waits longer than the cap, nor less than it was asked to",
    [Attempt, Millis, Millis, Share, Millis],
    ([attempt, base, cap, u, retryAfter]) => {
      const policy = RetryPolicy.make({ attempts: 3, base, cap })
      const wait = RetryPolicy.delay(policy, attempt, u, retryAfter)
      assert.isAtLeast(wait, Math.min(retryAfter, cap + 5_000))
      assert.isAtMost(wait, Math.max(cap, Math.min(retryAfter, cap + 5_000)))
      assert.isTrue(Number.isFinite(wait))
    }
  )

  it.effect("tries again until it succeeds", () =>
    Effect.gen(function* () {
      const { attempt, calls } = failing(2)
      const fiber = yield* Effect.forkChild(RetryPolicy.retry(RetryPolicy.make(), attempt))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual(yield* Fiber.join(fiber), 3)
      assert.strictEqual(calls(), 3)
    })
  )

  it.effect("gives up with the last failure when the attempts are used up", () =>
    Effect.gen(function* () {
      const { attempt, calls } = failing(9)
      const fiber = yield* Effect.forkChild(Effect.flip(RetryPolicy.retry(RetryPolicy.make({ attempts: 4 }), attempt)))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(fiber))._tag, "Down")
      assert.strictEqual(calls(), 4)
    })
  )

  it.effect("tries once what is not retryable", () =>
    Effect.gen(function* () {
      const { attempt, calls } = failing(9, false)
      yield* Effect.flip(RetryPolicy.retry(RetryPolicy.make({ attempts: 4 }), attempt))
      assert.strictEqual(calls(), 1)
    })
  )

  it.effect("never sleeps past the deadline: it fails at once instead", () =>
    Effect.gen(function* () {
      const { attempt, calls } = failing(9)
      const policy = RetryPolicy.make({ attempts: 4, base: "1 hour", cap: "1 hour" })
      yield* Effect.flip(RetryPolicy.retry(policy, attempt)).pipe(Effect.provideService(Deadline.Deadline, 1))
      assert.strictEqual(calls(), 1)
    })
  )

  it.effect("reads its settings, and names the one that is wrong", () =>
    Effect.gen(function* () {
      const read = Effect.provide(RetryPolicy.HandlerRetry, RetryPolicy.layerConfig)
      assert.deepStrictEqual(yield* Effect.provide(read, settings({})), RetryPolicy.none)
      assert.strictEqual((yield* Effect.provide(read, settings({ RETRY_ATTEMPTS: "3" }))).attempts, 3)
      const error = yield* Effect.flip(Effect.provide(read, settings({ RETRY_ATTEMPTS: "0" })))
      assert.match(String(error), /RETRY_ATTEMPTS/)
    })
  )
})

describe("FailurePolicy", () => {
  it("decides by kind, and by how often a delivery came", () => {
    const policy = FailurePolicy.make({ maxAttempts: 3 })
    assert.deepStrictEqual(
      [
        FailurePolicy.decide(policy, false, 1),
        FailurePolicy.decide(policy, true, 2),
        FailurePolicy.decide(policy, true, 3)
      ],
      ["park", "halt", "park"]
    )
  })

  it.effect("reads its settings, and names the one that is wrong", () =>
    Effect.gen(function* () {
      const read = Effect.provide(FailurePolicy.FailurePolicy, FailurePolicy.layerConfig)
      assert.deepStrictEqual(yield* Effect.provide(read, settings({})), FailurePolicy.make())
      assert.strictEqual((yield* Effect.provide(read, settings({ FAILURE_PERMANENT: "skip" }))).permanent, "skip")
      const error = yield* Effect.flip(Effect.provide(read, settings({ FAILURE_TRANSIENT: "ignore" })))
      assert.match(String(error), /FAILURE_TRANSIENT/)
    })
  )
})

describe("Deadline", () => {
  it.effect("only ever shrinks through nested calls", () =>
    Effect.gen(function* () {
      yield* TestClock.adjust("10 seconds")
      const nested = Deadline.remaining.pipe(
        Deadline.within("1 hour"),
        Deadline.within("2 seconds"),
        Deadline.within("1 minute")
      )
      assert.strictEqual(yield* nested, 2_000)
      assert.strictEqual(yield* Deadline.remaining, Infinity)
    })
  )
})
