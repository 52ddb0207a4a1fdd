/**
 * What is written comes back as it was.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { Draft, JournaledOutcome } from "../../Journal.ts"
import { append, draft, entriesOf, handled, lane, oddStrings, parked, plain } from "./world.ts"
import type { Must } from "./world.ts"

const recorded = ({ attempts, duration, eventVersion, source, workerVersion }: Draft) => ({
  attempts,
  duration,
  eventVersion,
  source,
  workerVersion
})

/**
 * What must come back as it was written.
 *
 * @category testing
 * @since 0.1.0
 */
export const keeping = (must: Must): void => {
  must("keeps names exactly: keys, types and ids that differ stay different", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const verdicts = yield* journal.commit(
        worker,
        oddStrings.map((odd) => lane(odd, 0, [draft(odd, handled, { type: odd })]))
      )
      assert.isTrue(verdicts.every((verdict) => verdict !== "conflict"))
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map(({ id, key, type }) => [key, type, id]),
        oddStrings.map((odd) => [odd, odd, odd])
      )
      const { heads } = yield* journal.open(
        worker,
        oddStrings.map((key) => ({ key, deliveries: oddStrings.map((odd) => ({ type: odd, id: odd })) }))
      )
      oddStrings.forEach((_, at) => {
        assert.strictEqual(heads[at]?.version, 1)
        assert.deepStrictEqual(
          oddStrings.map((_other, index) => heads[at]?.known?.[index] !== undefined),
          oddStrings.map((_other, index) => index === at)
        )
      })
      for (const key of oddStrings) {
        const own = yield* Stream.runCollect(journal.read(0, { worker, keys: [key] }))
        assert.deepStrictEqual(
          own.map((entry) => entry.key),
          [key]
        )
      }
    })
  )

  must("keeps a worker's name exactly", (world) =>
    Effect.gen(function* () {
      const names = oddStrings.map((odd) => `${world.worker}${odd}`)
      yield* Effect.forEach(names, (worker) => append({ journal: world.journal, worker }, "a", 0, [draft("1")]))
      for (const worker of names) {
        const entries = yield* Stream.runCollect(world.journal.read(0, { worker }))
        assert.deepStrictEqual(
          entries.map((entry) => entry.worker),
          [worker]
        )
      }
    })
  )

  must("keeps every byte, and none", (world) =>
    Effect.gen(function* () {
      const all = Uint8Array.from({ length: 256 }, (_, byte) => byte)
      // A view into a larger buffer, as a transport hands it over.
      const inside = Buffer.from([0xff, ...all, 0xff]).subarray(1, 257)
      const kept = [new Uint8Array(), all, inside, new Uint8Array(200_000).fill(0x80)]
      yield* append(
        world,
        "a",
        0,
        kept.map((bytes, index) => draft(String(index), parked, { bytes }))
      )
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map(({ bytes }) => Buffer.from(bytes).toString("hex")),
        kept.map((bytes) => Buffer.from(bytes).toString("hex"))
      )
    })
  )

  must("keeps where a delivery came from, how often it was tried, how long it took and by which code", (world) =>
    Effect.gen(function* () {
      const drafts = oddStrings.map((odd, index): Draft =>
        draft(String(index), handled, {
          source: { partition: odd, position: `${odd}1`, partitionKey: odd, arrival: 1_790_000_000_123 + index },
          attempts: index,
          duration: index / 7,
          workerVersion: index === 0 ? undefined : odd
        })
      )
      yield* append(world, "a", 0, drafts)
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(entries.map(recorded), drafts.map(recorded))
      assert.isTrue(entries.every(({ at, compacted }) => Number.isSafeInteger(at) && !compacted))
    })
  )

  must("keeps outcomes exactly: reasons, traces, times and emitted events", (world) =>
    Effect.gen(function* () {
      const outcomes = oddStrings.flatMap((odd): ReadonlyArray<JournaledOutcome> => [
        { _tag: "Skipped", reason: odd },
        { _tag: "Parked", reason: odd },
        { _tag: "Parked", reason: odd, trace: odd },
        { _tag: "Parked", reason: odd, trace: odd, notBefore: 1_790_000_000_123 },
        {
          _tag: "Handled",
          emitted: [
            {
              id: odd,
              type: odd,
              version: 3,
              source: odd,
              time: "2026-01-01T00:00:00Z",
              key: odd,
              correlationId: odd,
              causationId: odd,
              data: { [odd]: odd, list: [odd, 1.5, -1e-7, 1e21, null, true, {}, []] }
            },
            {
              id: undefined,
              type: "bare",
              version: 1,
              source: undefined,
              time: undefined,
              key: undefined,
              correlationId: undefined,
              causationId: undefined,
              data: odd
            }
          ]
        }
      ])
      yield* append(
        world,
        "a",
        0,
        outcomes.map((outcome, index) => draft(String(index), outcome))
      )
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map(({ outcome }) => plain(outcome)),
        outcomes.map(plain)
      )
      // What comes again is told the same.
      const { heads } = yield* world.journal.open(world.worker, [
        { key: "a", deliveries: outcomes.map((_, index) => ({ type: "Tested", id: String(index) })) }
      ])
      assert.deepStrictEqual(
        outcomes.map((_, index) => plain(heads[0]?.known?.[index])),
        outcomes.map(plain)
      )
    })
  )

  must("keeps the results of steps: any JSON, under any name, and that there were none", (world) =>
    Effect.gen(function* () {
      const steps: Record<string, unknown> = {
        ...Object.fromEntries(oddStrings.map((odd) => [odd, { value: odd }])),
        constructor: { value: 1 },
        numbers: { value: [0, 0.1 + 0.2, Number.MAX_SAFE_INTEGER, 5e-324, 1.797e308] },
        nothing: { value: null },
        failed: { error: { message: "no", retryable: false } }
      }
      yield* append(world, "a", 0, [draft("1", handled, { steps }), draft("2"), draft("3", handled, { steps: {} })])
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map((entry) => entry.steps),
        [steps, undefined, {}]
      )
    })
  )
}
