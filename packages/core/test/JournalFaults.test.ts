import { assert, describe, it } from "@effect/vitest"
import * as Journal from "@leat/core/Journal"
import type * as Publisher from "@leat/core/Publisher"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import * as Faults from "../src/testing/Faults.ts"

const draft = (id: string): Journal.Draft => ({
  type: "Tested",
  id,
  source: { partition: "0", position: id, partitionKey: "", arrival: 0 },
  bytes: new Uint8Array(),
  outcome: { _tag: "Handled", emitted: [] },
  attempts: 1,
  duration: 0,
  workerVersion: undefined
})

const append = (expected: number, id: string) =>
  Effect.flatMap(Journal.Journal, ({ commit }) => commit("w", [{ key: "a", expected, entries: [draft(id)] }]))

const version = Effect.map(
  Effect.flatMap(Journal.Journal, ({ open }) => open("w", [{ key: "a", deliveries: [] }])),
  ({ heads }) => heads[0]?.version
)

const under = (...faults: ReadonlyArray<Faults.JournalFault>) =>
  Effect.provide(Faults.layer(Journal.layerMemory, faults))

describe("a fault of the journal", () => {
  it.effect("strikes at its moments, and not at others", () =>
    Effect.gen(function* () {
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(append(0, "1"))))
      assert.isTrue(Exit.isFailure(yield* Effect.exit(append(1, "2"))))
      assert.strictEqual(yield* version, 1)
      assert.isTrue(Exit.isSuccess(yield* Effect.exit(append(1, "2"))))
    }).pipe(under(Faults.failureBeforeCommit(Faults.at(2))))
  )

  it.effect("that loses the answer has written", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(append(0, "1"))
      assert.deepStrictEqual([error.retryable, yield* version], [true, 1])
    }).pipe(under(Faults.lostAcknowledgement(Faults.at(1))))
  )

  it.effect("that kills the process is a defect, before or after it has written", () =>
    Effect.gen(function* () {
      assert.isTrue(Faults.hasCrashed(yield* Effect.exit(append(0, "1"))))
      assert.strictEqual(yield* version, 0)
      assert.isTrue(Faults.hasCrashed(yield* Effect.exit(append(0, "1"))))
      assert.strictEqual(yield* version, 1)
    }).pipe(under(Faults.crashAfterCommit(Faults.at(1)), Faults.crashBeforeCommit(Faults.at(1))))
  )

  it.effect("that is slow waits on the clock", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(append(0, "1"), { startImmediately: true })
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* version, 1)
      assert.isUndefined(fiber.pollUnsafe())
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
    }).pipe(under(Faults.slow(Faults.always, "1 second")))
  )

  it.effect("that is another process has its lane refused", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* append(0, "1"), ["conflict"])
      assert.strictEqual(yield* version, 1)
      assert.deepStrictEqual(yield* append(1, "1"), [{ position: 2 }])
    }).pipe(under(Faults.conflictingWriter(Faults.at(1))))
  )

  it.effect("at seeded moments strikes at the same ones for the same seed, and at its share of them", () =>
    Effect.sync(() => {
      const struck = (seed: number) => Array.from({ length: 2_000 }, (_, call) => Faults.seeded(seed, 0.25)(call + 1))
      assert.deepStrictEqual(struck(1), struck(1))
      assert.notDeepEqual(struck(1), struck(2))
      assert.closeTo(struck(3).filter(Boolean).length, 500, 80)
      assert.isFalse(Faults.seeded(1, 0)(1))
      assert.isTrue(Faults.seeded(1, 1)(1))
    })
  )
})

describe("a fault of the publisher", () => {
  const recording = () => {
    const ids: Array<number> = []
    const sound: Publisher.Publisher = {
      publish: (envelopes) =>
        Effect.sync(() => {
          ids.push(envelopes.length)
          return envelopes.map(() => Exit.void)
        })
    }
    return { ids, sound }
  }
  const envelopes = [1, 2].map(() => ({}) as never)

  it.effect("that loses the answer has sent; one that refuses has not", () =>
    Effect.gen(function* () {
      const { ids, sound } = recording()
      const faulty = Faults.publisher(sound, [Faults.lostAnswer(Faults.at(1)), Faults.refusedPublish(Faults.at(2))])
      for (const expected of [[2], [2], [2, 2]]) {
        const answers = yield* faulty.publish(envelopes)
        assert.lengthOf(answers, 2)
        assert.deepStrictEqual([ids, Exit.isSuccess(answers[0] ?? Exit.void)], [expected, expected.length === 2])
      }
    })
  )
})
