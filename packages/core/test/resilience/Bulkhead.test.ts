import { assert, describe, it } from "@effect/vitest"
import * as Bulkhead from "@leat/core/resilience/Bulkhead"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

import { dependency, result } from "./Dependency.ts"

const full = { permits: 2, maxQueue: 3 }

const crowded = Effect.gen(function* () {
  const gate = yield* Deferred.make<void>()
  const { handler, state } = dependency()
  state.answer = () => Effect.as(Deferred.await(gate), 1)
  const bulkhead = yield* Bulkhead.make(full)
  const call = result(bulkhead.protect(handler)(0))
  const fork = Effect.forkChild(call, { startImmediately: true })
  const fibers = [yield* fork, yield* fork, yield* fork, yield* fork, yield* fork]
  return { gate, state, bulkhead, call, fibers }
})

describe("a bulkhead", () => {
  it.effect("lets so many calls through, keeps so many waiting, and turns away the next at once", () =>
    Effect.gen(function* () {
      const { bulkhead, call, fibers, gate, state } = yield* crowded
      assert.deepStrictEqual(bulkhead.stats(), { permits: 2, running: 2, waiting: 3, rejected: 0 })
      assert.strictEqual(yield* call, "BulkheadFull")
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual(yield* Fiber.joinAll(fibers), ["1", "1", "1", "1", "1"])
      assert.deepStrictEqual([state.calls, state.most], [5, 2])
      assert.deepStrictEqual(bulkhead.stats(), { permits: 2, running: 0, waiting: 0, rejected: 1 })
    })
  )

  it.effect("serves those who wait in the order of their coming", () =>
    Effect.gen(function* () {
      const served: Array<number> = []
      const bulkhead = yield* Bulkhead.make({ permits: 1, maxQueue: 10 })
      const call = bulkhead.protect((who: number) =>
        Effect.andThen(
          Effect.yieldNow,
          Effect.sync(() => void served.push(who))
        )
      )
      yield* Effect.all([0, 1, 2, 3, 4].map(call), { concurrency: "unbounded" })
      assert.deepStrictEqual(served, [0, 1, 2, 3, 4])
    })
  )

  it.effect("gives the place of one who goes away to another", () =>
    Effect.gen(function* () {
      const { bulkhead, call, fibers, gate, state } = yield* crowded
      yield* Fiber.interruptAll(fibers.slice(2, 3))
      assert.strictEqual(bulkhead.stats().waiting, 2)
      const late = yield* Effect.forkChild(call, { startImmediately: true })
      yield* Fiber.interruptAll(fibers.slice(0, 1))
      yield* Effect.yieldNow
      assert.deepStrictEqual(bulkhead.stats(), { permits: 2, running: 2, waiting: 2, rejected: 0 })
      yield* Deferred.succeed(gate, undefined)
      assert.strictEqual(yield* Fiber.join(late), "1")
      yield* Fiber.awaitAll(fibers)
      assert.deepStrictEqual([state.calls, bulkhead.stats().running, bulkhead.stats().waiting], [5, 0, 0])
    })
  )

  it.effect("may be widened and narrowed while it is in use", () =>
    Effect.gen(function* () {
      const { bulkhead, fibers, gate, state } = yield* crowded
      yield* bulkhead.resize(4)
      yield* Effect.yieldNow
      assert.strictEqual(bulkhead.stats().running, 4)
      yield* bulkhead.resize(1)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(state.calls, 5)
      assert.deepStrictEqual(bulkhead.stats(), { permits: 1, running: 0, waiting: 0, rejected: 0 })
    })
  )
})
