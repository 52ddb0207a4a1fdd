import { assert, describe, it } from "@effect/vitest"
import * as Background from "@leat/core/Background"
import * as Deadline from "@leat/core/Deadline"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

const after = (millis: number, done: Array<number>) =>
  Effect.andThen(
    Effect.sleep(millis),
    Effect.sync(() => done.push(millis))
  )

describe("background work", () => {
  it.effect("begins at once, and is waited for with what it begins itself", () =>
    Effect.gen(function* () {
      const done: Array<number> = []
      const background = yield* Background.make
      background.run(
        Effect.andThen(
          after(10, done),
          Effect.sync(() => background.run(after(20, done)))
        )
      )
      assert.strictEqual(background.pending(), 1)
      const drained = yield* Effect.forkChild(background.drain)
      yield* TestClock.adjust(10)
      yield* TestClock.adjust(20)
      yield* Fiber.join(drained)
      assert.deepStrictEqual([done, background.pending()], [[10, 20], 0])
    })
  )

  it.effect("is waited for until the deadline, and is interrupted then", () =>
    Effect.gen(function* () {
      const done: Array<number> = []
      let stopped = 0
      const background = yield* Background.make
      background.run(after(10, done))
      background.run(Effect.onInterrupt(Effect.never, () => Effect.sync(() => void stopped++)))
      const drained = yield* Effect.forkChild(Deadline.within("100 millis")(background.drain))
      yield* TestClock.adjust(100)
      yield* Fiber.join(drained)
      assert.deepStrictEqual([done, stopped, background.pending()], [[10], 1, 0])
    })
  )

  it.effect("of a scope has half a second when that ends", () =>
    Effect.gen(function* () {
      const done: Array<number> = []
      const scope = yield* Scope.make()
      const background = yield* Scope.provide(Background.scoped, scope)
      background.run(after(400, done))
      background.run(after(600, done))
      const closed = yield* Effect.forkChild(Scope.close(scope, yield* Effect.exit(Effect.void)))
      yield* TestClock.adjust(500)
      yield* Fiber.join(closed)
      yield* TestClock.adjust(1_000)
      assert.deepStrictEqual(done, [400])
    })
  )

  it.effect("that a transport takes is not ended by a scope", () =>
    Effect.gen(function* () {
      const done: Array<number> = []
      const given = yield* Background.make
      yield* Effect.scoped(Effect.map(Background.scoped, (background) => background.run(after(10, done)))).pipe(
        Effect.provideService(Background.Background, given)
      )
      assert.strictEqual(given.pending(), 1)
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(done, [10])
    })
  )
})
