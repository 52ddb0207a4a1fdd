import { assert, describe, it } from "@effect/vitest"
import * as Journal from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import * as MemoryJournal from "../src/internal/memoryJournal.ts"
import * as JournalSuite from "../src/testing/JournalSuite.ts"

JournalSuite.suite("memory", Journal.layerMemory)
JournalSuite.properties("memory", Journal.layerMemory, { runs: 500 })

describe("the memory journal", () => {
  it.effect("regression: wakes a reader once a commit, it went round hundreds of times", () =>
    Effect.gen(function* () {
      const journal = MemoryJournal.make([], 0)
      let turns = 0
      const follow = (position: number): Effect.Effect<never> =>
        Effect.flatMap(journal.moved(position), (last) => {
          turns++
          return follow(last)
        })
      yield* Effect.forkChild(follow(0), { startImmediately: true })
      const entry = {
        id: "1",
        type: "Tested",
        source: { partition: "p", position: "1", partitionKey: "", arrival: 0 },
        bytes: new Uint8Array(),
        outcome: { _tag: "Skipped", reason: "for a test" },
        attempts: 1,
        duration: 0,
        workerVersion: undefined
      } as const
      journal.commit("w", [{ key: "a", expected: 0, entries: [entry] }], 0)
      yield* Effect.yieldNow
      assert.strictEqual(turns, 1)
    })
  )
})
