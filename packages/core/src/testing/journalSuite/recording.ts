/**
 * What is recorded, where it stands, and what is refused.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import {
  append,
  draft,
  emitting,
  entriesOf,
  handled,
  lane,
  look,
  parked,
  placeOf,
  plain,
  skipped,
  tagOf
} from "./world.ts"
import type { Must } from "./world.ts"

/**
 * What an open must tell.
 *
 * @category testing
 * @since 0.1.0
 */
export const opening = (must: Must): void => {
  must("knows nothing of a stream that was never written", (world) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* look(world, "a", "1"), {
        version: 0,
        parked: 0,
        unpublished: 0,
        known: [undefined],
        allParked: 0,
        free: 0
      })
    })
  )

  must("gives back what was committed: version, parked count and known outcomes", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* journal.commit(worker, [
        lane("a", 0, [draft("1"), draft("2", parked)]),
        lane("b", 0, [draft("1", skipped)])
      ])
      const {
        heads: [a, b]
      } = yield* journal.open(worker, [
        {
          key: "a",
          deliveries: [
            { type: "Tested", id: "2" },
            { type: "Tested", id: "3" },
            { type: "Other", id: "1" },
            { type: "Tested", id: "1" },
            { type: "Tested", id: "2" }
          ]
        },
        { key: "b", deliveries: [{ type: "Tested", id: "1" }] }
      ])
      assert.deepStrictEqual([a?.version, a?.parked, b?.version, b?.parked], [2, 1, 1, 0])
      assert.deepStrictEqual(
        [0, 1, 2, 3, 4].map((index) => a?.known?.[index]),
        [parked, undefined, undefined, handled, parked]
      )
      assert.deepStrictEqual(b?.known?.[0], skipped)
    })
  )

  must("answers each lane at its place, also a lane that was never written and one that asks nothing", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* append(world, "b", 0, [draft("1"), draft("2")])
      const { heads } = yield* journal.open(worker, [
        { key: "c", deliveries: [{ type: "Tested", id: "1" }] },
        { key: "b", deliveries: [] },
        { key: "a", deliveries: [] }
      ])
      assert.deepStrictEqual(
        heads.map(({ version }) => version),
        [0, 2, 0]
      )
      assert.deepStrictEqual((yield* journal.open(worker, [])).heads, [])
    })
  )

  must("keeps workers apart, and keys whose names meet when they are joined", (world) =>
    Effect.gen(function* () {
      const other = { ...world, worker: world.another() }
      yield* append(world, "a", 0, [draft("1", parked)])
      assert.deepStrictEqual(yield* look(other, "a", "1"), yield* look(other, "b", "1"))
      yield* append(world, "x/y", 0, [draft("z", handled, { type: "T" })])
      const {
        heads: [head]
      } = yield* world.journal.open(world.worker, [{ key: "x", deliveries: [{ type: "y/T", id: "z" }] }])
      assert.deepStrictEqual([head?.version, head?.known?.[0]], [0, undefined])
    })
  )

  must("tells what a handled event emitted, when it comes again", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1", emitting("1"))])
      const { heads } = yield* world.journal.open(world.worker, [
        { key: "a", deliveries: [{ type: "Tested", id: "1" }] }
      ])
      assert.deepStrictEqual(plain(heads[0]?.known?.[0]), plain(emitting("1")))
    })
  )
}

/**
 * What a commit must write and refuse.
 *
 * @category testing
 * @since 0.1.0
 */
export const committing = (must: Must): void => {
  must("counts the versions of a stream from 1, without gaps, over many commits", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1"), draft("2")])
      yield* append(world, "b", 0, [draft("1")])
      yield* append(world, "a", 2, [draft("3")])
      yield* append(world, "a", 3, [draft("4"), draft("5")])
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map(({ key, version }) => `${key}${version}`),
        ["a1", "a2", "b1", "a3", "a4", "a5"]
      )
    })
  )

  must("answers each lane with the position of its first entry; the others follow it", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const verdicts = yield* journal.commit(worker, [
        lane("a", 0, [draft("1"), draft("2"), draft("3")]),
        lane("b", 0, [draft("1")]),
        lane("c", 0, [draft("1"), draft("2")])
      ])
      const entries = yield* entriesOf(world)
      for (const [index, key] of ["a", "b", "c"].entries()) {
        const positions = entries.filter((entry) => entry.key === key).map(({ position }) => position)
        const first = placeOf(verdicts[index])
        assert.deepStrictEqual(
          positions,
          positions.map((_, place) => first + place)
        )
      }
    })
  )

  must("gives out positions without gaps in the whole namespace, also after refusals", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const from = yield* append(world, "before", 0, [draft("1")])
      const workers = Array.from({ length: 4 }, world.another)
      yield* Effect.forEach(
        workers.flatMap((worker) => [1, 2, 3].map((round) => ({ worker, round }))),
        ({ round, worker }) =>
          journal.commit(worker, [
            // The second and third of a worker are refused on "a".
            lane("a", 0, [draft(`${round}`), draft(`${round}+`)]),
            lane(`b${round}`, 0, [draft("1")])
          ]),
        { concurrency: "unbounded" }
      )
      const to = yield* append(world, "after", 0, [draft("1")])
      const positions = yield* Stream.runCollect(Stream.map(journal.read(from - 1), ({ position }) => position))
      const between = positions.filter((position) => position <= to)
      assert.deepStrictEqual(
        between,
        Array.from({ length: to - from + 1 }, (_, index) => from + index)
      )
      assert.isAtLeast(between.length, 2 + 4 * (2 + 3))
    })
  )

  must("refuses a lane whose stream moved, whole, and commits the other lanes", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* append(world, "a", 0, [draft("1")])
      const verdicts = yield* journal.commit(worker, [
        lane("a", 0, [draft("2"), draft("3")]),
        lane("b", 0, [draft("1")]),
        lane("c", 4, [draft("1")])
      ])
      assert.deepStrictEqual(verdicts.map(tagOf), ["conflict", "ok", "conflict"])
      const { known, version } = yield* look(world, "a", "1", "2", "3")
      assert.deepStrictEqual([version, known], [1, ["Handled", undefined, undefined]])
      assert.strictEqual((yield* look(world, "b")).version, 1)
      assert.strictEqual((yield* look(world, "c")).version, 0)
      assert.lengthOf(yield* entriesOf(world), 2)
    })
  )

  must("lets one of many that commit the same version win", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const race = (id: string) => journal.commit(worker, [lane("a", 0, [draft(id)])])
      const verdicts = yield* Effect.forEach(["1", "2", "3", "4", "5", "6", "7", "8"], race, {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(
        verdicts
          .flat()
          .map(tagOf)
          .filter((tag) => tag === "ok"),
        ["ok"]
      )
      assert.lengthOf(yield* entriesOf(world), 1)
    })
  )

  must("records a delivery once: a second one is refused with its lane, and alone", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* append(world, "a", 0, [draft("1")])
      const verdicts = yield* journal.commit(worker, [
        lane("b", 0, [draft("1")]),
        lane("a", 1, [draft("2"), draft("1", skipped)]),
        lane("c", 0, [draft("1")])
      ])
      assert.deepStrictEqual(verdicts.map(tagOf), ["ok", "conflict", "ok"])
      const { known, version } = yield* look(world, "a", "1", "2")
      assert.deepStrictEqual([version, known], [1, ["Handled", undefined]])
    })
  )

  must("takes the same id on another key and of another type", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* append(world, "a", 0, [draft("1")])
      const verdicts = yield* journal.commit(worker, [
        lane("a", 1, [draft("1", handled, { type: "Other" })]),
        lane("b", 0, [draft("1")])
      ])
      assert.deepStrictEqual(verdicts.map(tagOf), ["ok", "ok"])
    })
  )

  must("refuses a parked delivery that is recorded again without saying what it resolves", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1", parked)])
      assert.strictEqual(yield* append(world, "a", 1, [draft("1", handled)]), -1)
      assert.deepStrictEqual((yield* look(world, "a", "1")).known, ["Parked"])
    })
  )

  must("takes nothing at all, and a lane without entries", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      assert.deepStrictEqual(yield* journal.commit(worker, []), [])
      const verdicts = yield* journal.commit(worker, [lane("a", 0, []), lane("b", 0, [draft("1")])])
      assert.deepStrictEqual(verdicts.map(tagOf), ["ok", "ok"])
      assert.strictEqual((yield* look(world, "a")).version, 0)
      assert.strictEqual((yield* look(world, "b")).version, 1)
    })
  )

  must("takes a lane of 1,000 entries, and 1,000 lanes, in one commit", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const ids = Array.from({ length: 1_000 }, (_, index) => String(index))
      const first = yield* append(
        world,
        "big",
        0,
        ids.map((id) => draft(id))
      )
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map(({ id, position, version }) => [id, position, version]),
        ids.map((id, index) => [id, first + index, index + 1])
      )
      const verdicts = yield* journal.commit(
        worker,
        ids.map((id) => lane(`key-${id}`, 0, [draft(id)]))
      )
      assert.isTrue(verdicts.length === 1_000 && verdicts.every((verdict) => verdict !== "conflict"))
      const { heads } = yield* journal.open(worker, [
        { key: "big", deliveries: ids.map((id) => ({ type: "Tested", id })) },
        ...ids.map((id) => ({ key: `key-${id}`, deliveries: [{ type: "Tested", id }] }))
      ])
      assert.strictEqual(heads[0]?.version, 1_000)
      assert.isTrue(ids.every((_, index) => heads[0]?.known?.[index]?._tag === "Handled"))
      assert.isTrue(heads.slice(1).every(({ known, version }) => version === 1 && known?.[0]?._tag === "Handled"))
    })
  )
}
