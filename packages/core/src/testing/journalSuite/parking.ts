/**
 * What waits parked, and what resolves it.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { append, draft, emitting, entriesOf, handled, lane, look, parked, skipped } from "./world.ts"
import type { Must, World } from "./world.ts"

const idsOf = (world: World, filter?: Parameters<World["journal"]["parked"]>[1]) =>
  Effect.map(world.journal.parked(world.worker, filter), (entries) => entries.map(({ id, key }) => `${key}${id}`))

/**
 * What a resolution must do.
 *
 * @category testing
 * @since 0.1.0
 */
export const resolving = (must: Must): void => {
  must("counts down what was resolved, and tells its latest outcome", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked), draft("2", parked)])
      yield* append(world, "a", 2, [draft("1", handled, { resolves: first })])
      const { allParked, known, parked: waiting, version } = yield* look(world, "a", "1", "2")
      assert.deepStrictEqual(
        { version, waiting, allParked, known },
        { version: 3, waiting: 1, allParked: 1, known: ["Handled", "Parked"] }
      )
      assert.deepStrictEqual(yield* idsOf(world), ["a2"])
    })
  )

  must("keeps what fails again waiting, in its place, and tells why it does now", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked), draft("2", parked)])
      const again = { _tag: "Parked", reason: "again" } as const
      yield* append(world, "a", 2, [draft("1", again, { resolves: first })])
      const { heads } = yield* world.journal.open(world.worker, [
        { key: "a", deliveries: [{ type: "Tested", id: "1" }] }
      ])
      assert.deepStrictEqual([heads[0]?.version, heads[0]?.parked, heads[0]?.known?.[0]], [3, 2, again])
      assert.deepStrictEqual(yield* idsOf(world), ["a1", "a2"])
      yield* append(world, "a", 3, [draft("1", handled, { resolves: first })])
      assert.deepStrictEqual(yield* idsOf(world), ["a2"])
      assert.deepStrictEqual((yield* look(world, "a", "1")).known, ["Handled"])
    })
  )

  must("ends the waiting of what is discarded", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked)])
      yield* append(world, "a", 1, [draft("1", skipped, { resolves: first, attempts: 0 })])
      const { allParked, known, parked: waiting } = yield* look(world, "a", "1")
      assert.deepStrictEqual([waiting, allParked, known], [0, 0, ["Skipped"]])
      assert.deepStrictEqual(yield* idsOf(world), [])
    })
  )

  must("keeps what an entry resolves", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked)])
      yield* append(world, "a", 1, [draft("1", handled, { resolves: first })])
      assert.deepStrictEqual(
        (yield* entriesOf(world)).map(({ resolves }) => resolves),
        [undefined, first]
      )
    })
  )

  must("takes a resolution under another type and id: today's code may read what yesterday's could not", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("0/1", parked, { type: "undecodable" })])
      yield* append(world, "a", 1, [draft("1", handled, { resolves: first })])
      const { known, parked: waiting } = yield* look(world, "a", "1")
      assert.deepStrictEqual([waiting, known], [0, ["Handled"]])
    })
  )

  must("resolves many in one commit, and lets new ones queue behind in between", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked), draft("2", parked)])
      yield* append(world, "a", 2, [draft("3", parked)])
      yield* append(world, "a", 3, [
        draft("1", emitting("1"), { resolves: first }),
        draft("2", skipped, { resolves: first + 1 })
      ])
      assert.deepStrictEqual(yield* idsOf(world), ["a3"])
      assert.deepStrictEqual((yield* look(world, "a", "1", "2", "3")).known, ["Handled", "Skipped", "Parked"])
    })
  )

  must("does not count an entry twice that is resolved twice", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked), draft("2", parked)])
      yield* append(world, "a", 2, [draft("1", handled, { resolves: first })])
      yield* append(world, "a", 3, [draft("1", skipped, { resolves: first })])
      const { allParked, parked: waiting } = yield* look(world, "a")
      assert.deepStrictEqual([waiting, allParked], [1, 1])
    })
  )
}

/**
 * What must be told of what waits.
 *
 * @category testing
 * @since 0.1.0
 */
export const waiting = (must: Must): void => {
  must("gives what waits in order of position, with all that was recorded of it", (world) =>
    Effect.gen(function* () {
      yield* world.journal.commit(world.worker, [
        lane("b", 0, [draft("1", parked), draft("2")]),
        lane("a", 0, [draft("1", skipped), draft("2", parked)])
      ])
      yield* append(world, "b", 2, [draft("3", parked)])
      const entries = yield* world.journal.parked(world.worker)
      assert.deepStrictEqual(
        entries.map(({ key, id, version }) => [key, id, version]),
        [
          ["b", "1", 1],
          ["a", "2", 2],
          ["b", "3", 3]
        ]
      )
      const recorded = (yield* entriesOf(world)).filter(({ outcome }) => outcome._tag === "Parked")
      assert.deepStrictEqual(
        entries.map(({ at, bytes, outcome, position, source }) => [
          position,
          at,
          Buffer.from(bytes).toString(),
          outcome,
          source
        ]),
        recorded.map(({ at, bytes, outcome, position, source }) => [
          position,
          at,
          Buffer.from(bytes).toString(),
          outcome,
          source
        ])
      )
    })
  )

  must("gives it page by page, of one key, after a position", (world) =>
    Effect.gen(function* () {
      const many = Array.from({ length: 130 }, (_, index) => draft(String(index), parked))
      const a = yield* append(world, "a", 0, many)
      const b = yield* append(world, "b", 0, [draft("1", parked), draft("2", parked)])
      assert.lengthOf(yield* idsOf(world), 100)
      assert.lengthOf(yield* idsOf(world, { limit: 1_000 }), 132)
      assert.deepStrictEqual(yield* idsOf(world, { limit: 2 }), ["a0", "a1"])
      assert.deepStrictEqual(yield* idsOf(world, { after: a + 128 }), ["a129", "b1", "b2"])
      assert.deepStrictEqual(yield* idsOf(world, { after: a + 128, limit: 2 }), ["a129", "b1"])
      assert.deepStrictEqual(yield* idsOf(world, { key: "b" }), ["b1", "b2"])
      assert.deepStrictEqual(yield* idsOf(world, { key: "b", after: b }), ["b2"])
      assert.deepStrictEqual(yield* idsOf(world, { key: "b", after: b - 1, limit: 1 }), ["b1"])
      assert.deepStrictEqual(yield* idsOf(world, { key: "c" }), [])
      assert.deepStrictEqual(yield* idsOf(world, { limit: 0 }), [])
    })
  )

  must("keeps what waits of workers apart", (world) =>
    Effect.gen(function* () {
      const other = { ...world, worker: world.another() }
      yield* append(world, "a", 0, [draft("1", parked)])
      yield* append(other, "a", 0, [draft("2", parked), draft("3", parked)])
      assert.deepStrictEqual(yield* idsOf(world), ["a1"])
      assert.deepStrictEqual(yield* idsOf(other), ["a2", "a3"])
      assert.deepStrictEqual([(yield* look(world, "z")).allParked, (yield* look(other, "z")).allParked], [1, 2])
    })
  )

  must("counts over all keys what waits, also for a batch that asks of others", (world) =>
    Effect.gen(function* () {
      yield* world.journal.commit(world.worker, [
        lane("a", 0, [draft("1", parked), draft("2", parked)]),
        lane("b", 0, [draft("1", parked)]),
        lane("c", 0, [draft("1")])
      ])
      assert.strictEqual((yield* look(world, "c")).allParked, 3)
      assert.strictEqual((yield* world.journal.open(world.worker, [])).parked, 3)
    })
  )
}
