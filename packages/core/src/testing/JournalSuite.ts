/**
 * What every journal must do: one suite, run against each implementation.
 *
 * @since 0.1.0
 */
import { assert, layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import { Journal } from "../Journal.ts"
import type { Draft, JournaledOutcome, Verdict } from "../Journal.ts"

const handled: JournaledOutcome = { _tag: "Handled", emitted: [] }
const parked: JournaledOutcome = { _tag: "Parked", reason: "for a test" }

const draft = (id: string, outcome: JournaledOutcome = handled): Draft => ({
  type: "Tested",
  id,
  source: { partition: "0", position: id, partitionKey: "", arrival: 0 },
  bytes: new TextEncoder().encode(id),
  outcome,
  attempts: 1,
  duration: 1,
  workerVersion: undefined
})

const tagOf = (verdict: Verdict): "ok" | "conflict" => (verdict === "conflict" ? verdict : "ok")

let unused = 0

/** Every test works on streams of its own, so that implementations with a real store can share it. */
const freshWorker = () => `suite-${(unused += 1)}`

/**
 * Declares the tests of a journal.
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(name: string, journal: Layer.Layer<Journal, E>): void =>
  layer(journal)(`Journal (${name})`, (it) => {
    it.effect("knows nothing of a stream that was never written", () =>
      Effect.gen(function* () {
        const { heads } = yield* (yield* Journal).open(freshWorker(), [
          { key: "a", deliveries: [{ type: "Tested", id: "1" }] }
        ])
        assert.deepStrictEqual(
          heads.map((head) => [head.version, head.parked, head.known?.[0]]),
          [[0, 0, undefined]]
        )
      })
    )

    it.effect("gives back what was committed: version, parked count and known outcomes", () =>
      Effect.gen(function* () {
        const { commit, open } = yield* Journal
        const worker = freshWorker()
        const verdicts = yield* commit(worker, [
          { key: "a", expected: 0, entries: [draft("1"), draft("2", parked)] },
          { key: "b", expected: 0, entries: [draft("1")] }
        ])
        const {
          heads: [a, b]
        } = yield* open(worker, [
          {
            key: "a",
            deliveries: [
              { type: "Tested", id: "2" },
              { type: "Tested", id: "3" },
              { type: "Other", id: "1" }
            ]
          },
          { key: "b", deliveries: [{ type: "Tested", id: "1" }] }
        ])
        assert.deepStrictEqual(verdicts.map(tagOf), ["ok", "ok"])
        assert.deepStrictEqual([a?.version, a?.parked, b?.version, b?.parked], [2, 1, 1, 0])
        assert.deepStrictEqual([a?.known?.[0], a?.known?.[1], a?.known?.[2]], [parked, undefined, undefined])
        assert.deepStrictEqual(b?.known?.[0], handled)
      })
    )

    it.effect("refuses a lane whose stream moved, whole, and commits the other lanes", () =>
      Effect.gen(function* () {
        const { commit, open } = yield* Journal
        const worker = freshWorker()
        yield* commit(worker, [{ key: "a", expected: 0, entries: [draft("1")] }])
        const verdicts = yield* commit(worker, [
          { key: "a", expected: 0, entries: [draft("2"), draft("3")] },
          { key: "b", expected: 0, entries: [draft("1")] }
        ])
        assert.deepStrictEqual(verdicts.map(tagOf), ["conflict", "ok"])
        const { heads } = yield* open(worker, [
          { key: "a", deliveries: [{ type: "Tested", id: "2" }] },
          { key: "b", deliveries: [] }
        ])
        assert.deepStrictEqual(
          heads.map((head) => [head.version, head.known?.[0]]),
          [
            [1, undefined],
            [1, undefined]
          ]
        )
      })
    )

    it.effect("lets one of two that commit the same version win", () =>
      Effect.gen(function* () {
        const { commit } = yield* Journal
        const worker = freshWorker()
        const race = (id: string) => commit(worker, [{ key: "a", expected: 0, entries: [draft(id)] }])
        const verdicts = yield* Effect.all([race("1"), race("2"), race("3")], { concurrency: "unbounded" })
        assert.deepStrictEqual(verdicts.flat().map(tagOf).toSorted(), ["conflict", "conflict", "ok"])
      })
    )

    it.effect("keeps workers apart", () =>
      Effect.gen(function* () {
        const { commit, open } = yield* Journal
        yield* commit(freshWorker(), [{ key: "a", expected: 0, entries: [draft("1")] }])
        const {
          heads: [head]
        } = yield* open(freshWorker(), [{ key: "a", deliveries: [{ type: "Tested", id: "1" }] }])
        assert.strictEqual(head?.version, 0)
      })
    )

    it.effect("counts down the parked entries that were resolved, and tells their latest outcome", () =>
      Effect.gen(function* () {
        const { commit, open, read } = yield* Journal
        const worker = freshWorker()
        yield* commit(worker, [{ key: "a", expected: 0, entries: [draft("1", parked), draft("2", parked)] }])
        const [first] = yield* Stream.runCollect(read(0, { worker }))
        yield* commit(worker, [{ key: "a", expected: 2, entries: [{ ...draft("1"), resolves: first?.position ?? 0 }] }])
        const {
          heads: [head]
        } = yield* open(worker, [{ key: "a", deliveries: [{ type: "Tested", id: "1" }] }])
        assert.deepStrictEqual([head?.version, head?.parked, head?.known?.[0]], [3, 1, handled])
      })
    )

    it.effect("reads in commit order, from a position, of one worker, of some keys", () =>
      Effect.gen(function* () {
        const { commit, read } = yield* Journal
        const worker = freshWorker()
        for (const [key, id] of [
          ["a", "1"],
          ["b", "1"],
          ["c", "1"]
        ] as const) {
          yield* commit(worker, [{ key, expected: 0, entries: [draft(id)] }])
        }
        const all = yield* Stream.runCollect(read(0, { worker }))
        assert.deepStrictEqual(
          all.map((entry) => [entry.key, entry.version]),
          [
            ["a", 1],
            ["b", 1],
            ["c", 1]
          ]
        )
        assert.isTrue(
          all.every((entry, index) => index === 0 || entry.position > (all[index - 1]?.position ?? Infinity))
        )
        assert.deepStrictEqual(
          all.map((entry) => new TextDecoder().decode(entry.bytes)),
          ["1", "1", "1"]
        )
        const later = yield* Stream.runCollect(read(all[0]?.position ?? 0, { worker, keys: ["a", "c"] }))
        assert.deepStrictEqual(
          later.map((entry) => entry.key),
          ["c"]
        )
      })
    )

    it.effect("subscribes to what is there and to what comes", () =>
      Effect.gen(function* () {
        const { commit, subscribe } = yield* Journal
        const worker = freshWorker()
        yield* commit(worker, [{ key: "a", expected: 0, entries: [draft("1")] }])
        const fiber = yield* Effect.forkChild(subscribe(0, { worker }).pipe(Stream.take(3), Stream.runCollect), {
          startImmediately: true
        })
        yield* commit(worker, [{ key: "a", expected: 1, entries: [draft("2")] }])
        yield* commit(worker, [{ key: "b", expected: 0, entries: [draft("3")] }])
        const seen = yield* Fiber.join(fiber)
        assert.deepStrictEqual(
          seen.map((entry) => entry.id),
          ["1", "2", "3"]
        )
      })
    )
  })
