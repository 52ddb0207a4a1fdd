import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

import * as Catalog from "../../src/engine/Catalog.ts"
import { train } from "../../src/engine/train.ts"
import * as Trainer from "../../src/engine/Trainer.ts"

const ratings = Catalog.ratings(Catalog.make({ users: 60, items: 120 }))
const program = (source: string): URL => new URL(`data:text/javascript,${encodeURIComponent(source)}`)

describe("the trainer", () => {
  it.live("trains in its thread the very model that this thread would", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Trainer.train(ratings, { lambda: 50 }), train(ratings, { lambda: 50 }))
      assert.isAbove(ratings.positives.values.length, 0, "the ratings are still here")
    })
  )

  it.live("leaves this thread free while it trains on the embedded catalogue", () =>
    Effect.gen(function* () {
      const all = Catalog.ratings(Catalog.make())
      let turns = 0
      const count = Effect.forever(
        Effect.andThen(
          Effect.sleep("1 millis"),
          Effect.sync(() => turns++)
        )
      )
      const model = yield* Effect.raceFirst(Trainer.train(all), count)
      assert.isAbove(model.trained.length, 1800)
      assert.isAbove(turns, 10)
    })
  )

  it.live("says so when the thread throws", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Trainer.train(ratings, { worker: program("throw new Error('no memory')") }))
      assert.deepStrictEqual([error.reason, error.retryable], ["WorkerFailed", true])
      assert.include(error.message, "no memory")
    })
  )

  it.live("says so when the thread ends without a model", () =>
    Effect.gen(function* () {
      for (const [source, code] of [
        ["process.exit(7)", 7],
        ["", 0]
      ] as const) {
        const error = yield* Effect.flip(Trainer.train(ratings, { worker: program(source) }))
        assert.strictEqual(error.reason, "WorkerExited")
        assert.include(error.message, `code ${code}`)
      }
    })
  )

  it.live("says so when the thread can't start", () =>
    Effect.gen(function* () {
      for (const worker of [new URL("http://localhost/worker.js"), new URL("file:///no/such/worker.js")]) {
        assert.strictEqual((yield* Effect.flip(Trainer.train(ratings, { worker }))).reason, "WorkerFailed")
      }
    })
  )

  it.live("ends the thread when it is interrupted", () =>
    Effect.gen(function* () {
      // The thread counts in memory that both share, as fast as it can: as long as it lives, the count grows.
      const count = new Int32Array(new SharedArrayBuffer(4))
      const worker = program(
        "import { workerData } from 'node:worker_threads'; for (;;) Atomics.add(workerData.input.itemIds, 0, 1)"
      )
      const fiber = yield* Effect.forkChild(Trainer.train({ ...ratings, itemIds: count }, { worker }))
      while (Atomics.load(count, 0) === 0) yield* Effect.sleep("1 millis")
      yield* Fiber.interrupt(fiber)
      const atEnd = Atomics.load(count, 0)
      yield* Effect.sleep("5 millis")
      assert.strictEqual(Atomics.load(count, 0), atEnd)
    })
  )

  it.effect("names an option that is out of range", () =>
    Effect.gen(function* () {
      const faults = [
        [{ lambda: 0 }, "lambda must be above 0, not 0"],
        [{ beta: -1 }, "beta must be at least 0, not -1"],
        [{ maxItems: 0.5 }, "maxItems must be a whole number from 1 to 30000, not 0.5"]
      ] as const
      for (const [options, message] of faults) {
        const error = yield* Effect.flip(Trainer.train(ratings, options))
        assert.deepStrictEqual([error.reason, error.message], ["InvalidOptions", message])
      }
    })
  )
})
