import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import * as KeyedTurns from "../src/internal/kernel/KeyedTurns.ts"

const lanesOf = (keys: ReadonlyArray<string>) => new Map(keys.map((key) => [key, undefined]))

/** Calls that wait until they are told to go on, and the order in which they ran. */
const stage = () => {
  const turns = KeyedTurns.make()
  const log: Array<string> = []
  const call = Effect.fnUntraced(function* (name: string, keys: ReadonlyArray<string>) {
    const go = yield* Deferred.make<void>()
    const work = Effect.gen(function* () {
      log.push(`${name} in`)
      yield* Deferred.await(go)
      log.push(`${name} out`)
    })
    const fiber = yield* Effect.forkChild(turns.take(lanesOf(keys), work), { startImmediately: true })
    return {
      fiber,
      end: Effect.andThen(Deferred.succeed(go, undefined), Fiber.join(fiber)),
      interrupt: Fiber.interrupt(fiber)
    }
  })
  return { call, log }
}

describe("KeyedTurns", () => {
  it.live("regression: gives back its place wherever between two steps it is interrupted", () =>
    Effect.gen(function* () {
      // A fiber yields after 2,048 of its own steps: in one of these calls that is right between entering and the promise to
      // leave.
      for (let steps = 300; steps < 2_100; steps++) {
        const turns = KeyedTurns.make()
        let before: Effect.Effect<void> = Effect.void
        for (let step = 0; step < steps; step++) before = Effect.andThen(Effect.void, before)
        const call = Effect.andThen(before, turns.take(lanesOf(["a"]), Effect.never))
        const fiber = yield* Effect.forkChild(call, { startImmediately: true })
        yield* Fiber.interrupt(fiber)
        const next = turns.take(lanesOf(["a"]), Effect.succeed("its turn")).pipe(Effect.timeout("1 second"))
        assert.strictEqual(yield* next, "its turn", `after ${steps} steps`)
      }
    })
  )

  it.effect("lets calls without a common key run side by side", () =>
    Effect.gen(function* () {
      const { call, log } = stage()
      const first = yield* call("1", ["a"])
      const second = yield* call("2", ["b", "c"])
      yield* second.end
      yield* first.end
      assert.deepStrictEqual(log, ["1 in", "2 in", "2 out", "1 out"])
    })
  )

  it.effect("gives calls with a common key their turns in order of arrival", () =>
    Effect.gen(function* () {
      const { call, log } = stage()
      const first = yield* call("1", ["a", "b"])
      const second = yield* call("2", ["b", "c"])
      const third = yield* call("3", ["c"])
      yield* first.end
      yield* second.end
      yield* third.end
      assert.deepStrictEqual(log, ["1 in", "1 out", "2 in", "2 out", "3 in", "3 out"])
    })
  )

  it.effect("keeps the place of a call that was interrupted while it waited", () =>
    Effect.gen(function* () {
      const { call, log } = stage()
      const first = yield* call("1", ["a"])
      const second = yield* call("2", ["a"])
      const third = yield* call("3", ["a"])
      yield* second.interrupt
      assert.deepStrictEqual(log, ["1 in"], "the third must not overtake the first")
      yield* first.end
      yield* third.end
      assert.deepStrictEqual(log, ["1 in", "1 out", "3 in", "3 out"])
    })
  )

  it.effect("frees the keys of a call that died", () =>
    Effect.gen(function* () {
      const turns = KeyedTurns.make()
      yield* Effect.exit(turns.take(lanesOf(["a"]), Effect.die("a bug")))
      assert.strictEqual(yield* turns.take(lanesOf(["a"]), Effect.succeed("next")), "next")
    })
  )

  const Call = Schema.Struct({
    keys: Schema.Array(Schema.Literals(["a", "b", "c", "d"])).check(Schema.isMinLength(1), Schema.isMaxLength(4)),
    pauses: Schema.Literals([0, 0, 1, 2]),
    interrupted: Schema.Literals([false, false, false, true])
  })

  it.effect.prop(
    "never runs two calls of a key at once and never leaves one waiting",
    [Schema.Array(Call).check(Schema.isMaxLength(30))],
    ([calls]) =>
      TestClock.withLive(
        Effect.gen(function* () {
          const turns = KeyedTurns.make()
          const inside = new Map<string, number>()
          const order = new Map<string, Array<number>>()
          const work = Effect.fnUntraced(function* (index: number, { keys, pauses }: typeof Call.Type) {
            for (const key of new Set(keys)) {
              assert.isUndefined(inside.get(key), `call ${index} met another one at ${key}`)
              inside.set(key, index)
              order.set(key, [...(order.get(key) ?? []), index])
            }
            for (let n = 0; n < pauses; n++) yield* Effect.yieldNow
          })
          const leave = ({ keys }: typeof Call.Type) => Effect.sync(() => keys.forEach((key) => inside.delete(key)))
          const fibers = yield* Effect.forEach(calls, (call, index) =>
            Effect.forkChild(
              turns.take(
                lanesOf(call.keys),
                Effect.acquireUseRelease(
                  work(index, call),
                  () => Effect.yieldNow,
                  () => leave(call)
                )
              ),
              {
                startImmediately: true
              }
            )
          )
          for (const [index, call] of calls.entries()) {
            const fiber = fibers[index]
            if (call.interrupted && fiber !== undefined) yield* Fiber.interrupt(fiber)
          }
          yield* Effect.forEach(fibers, (fiber) => Fiber.await(fiber)).pipe(Effect.timeout("5 seconds"))
          for (const indexes of order.values())
            assert.deepStrictEqual(
              indexes,
              indexes.toSorted((a, b) => a - b)
            )
        })
      ),
    { arbitrary: { runs: 200 } }
  )
})
