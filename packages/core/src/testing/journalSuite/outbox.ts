/**
 * Events that are committed and wait to be published.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { append, draft, emitting, lane, look, parked, plain, skipped } from "./world.ts"
import type { Must, World } from "./world.ts"

const emits = (id: string) => draft(id, emitting(id))

const claim = ({ journal, worker }: World, limit?: number) =>
  Effect.map(journal.outbox.claim(worker, limit), (entries) => entries.map(({ id, key }) => `${key}${id}`))

const settle = (
  { journal, worker }: World,
  positions: { readonly published?: ReadonlyArray<number>; readonly returned?: ReadonlyArray<number> }
) => journal.outbox.settle(worker, { published: positions.published ?? [], returned: positions.returned ?? [] })

/**
 * What the outbox must do.
 *
 * @category testing
 * @since 0.1.0
 */
export const outbox = (must: Must): void => {
  must("what is left in it waits for any relay, with its events, in order of position", (world) =>
    Effect.gen(function* () {
      yield* world.journal.commit(world.worker, [
        lane("b", 0, [emits("1"), draft("2"), emits("3")], "leave"),
        lane("a", 0, [emits("1"), draft("2", parked), draft("3", skipped)], "leave")
      ])
      assert.deepStrictEqual([(yield* look(world, "b")).unpublished, (yield* look(world, "a")).unpublished], [2, 1])
      assert.strictEqual((yield* look(world, "z")).free, 3)
      const entries = yield* world.journal.outbox.claim(world.worker)
      assert.deepStrictEqual(
        entries.map(({ key, outcome }) => [key, plain(outcome)]),
        [
          ["b", plain(emitting("1"))],
          ["b", plain(emitting("3"))],
          ["a", plain(emitting("1"))]
        ]
      )
    })
  )

  must("what is not put in it waits for nobody", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [emits("1")])
      const { free, unpublished } = yield* look(world, "a")
      assert.deepStrictEqual([free, unpublished, yield* claim(world)], [0, 0, []])
    })
  )

  must("what is held is the committer's alone, until it says what became of it", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [emits("1"), emits("2")], "hold")
      const held = yield* look(world, "a")
      assert.deepStrictEqual([held.free, held.unpublished, yield* claim(world)], [0, 2, []])
      yield* settle(world, { published: [first], returned: [first + 1] })
      const after = yield* look(world, "a")
      assert.deepStrictEqual([after.free, after.unpublished], [1, 1])
      assert.deepStrictEqual(yield* claim(world), ["a2"])
    })
  )

  must("what was published is in it no more", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [emits("1"), emits("2")], "leave")
      yield* claim(world)
      yield* settle(world, { published: [first, first + 1] })
      const { free, unpublished } = yield* look(world, "a")
      assert.deepStrictEqual([free, unpublished, yield* claim(world)], [0, 0, []])
      // A second answer, and one for what was never in it, change nothing.
      yield* settle(world, { published: [first], returned: [first + 1, 2 ** 40] })
      assert.deepStrictEqual(yield* look(world, "a"), { ...(yield* look(world, "a")), free: 0, unpublished: 0 })
      yield* settle(world, {})
    })
  )

  must("a claim takes the oldest, at most as many as asked for", (world) =>
    Effect.gen(function* () {
      for (const key of ["c", "a", "b"]) yield* append(world, key, 0, [emits("1")], "leave")
      assert.deepStrictEqual(yield* claim(world, 2), ["c1", "a1"])
      assert.strictEqual((yield* look(world, "z")).free, 1)
      assert.deepStrictEqual(yield* claim(world, 2), ["b1"])
      assert.deepStrictEqual(yield* claim(world, 2), [])
    })
  )

  must("a claim takes 100 where nobody says how many", (world) =>
    Effect.gen(function* () {
      yield* append(
        world,
        "a",
        0,
        Array.from({ length: 130 }, (_, index) => emits(String(index))),
        "leave"
      )
      assert.lengthOf(yield* claim(world), 100)
    })
  )

  must("a stream of which somebody holds an entry is nobody else's: its events go out in order", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [emits("1"), emits("2"), emits("3")], "leave")
      yield* append(world, "b", 0, [emits("1")], "leave")
      assert.deepStrictEqual(yield* claim(world, 1), ["a1"])
      assert.deepStrictEqual(yield* claim(world), ["b1"])
      yield* append(world, "a", 3, [emits("4")], "leave")
      assert.deepStrictEqual(yield* claim(world), [])
      yield* settle(world, { published: [first] })
      assert.deepStrictEqual(yield* claim(world), ["a2", "a3", "a4"])
    })
  )

  must("what is given back comes first again", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [emits("1"), emits("2")], "leave")
      yield* claim(world, 1)
      yield* settle(world, { returned: [first] })
      assert.deepStrictEqual(yield* claim(world), ["a1", "a2"])
    })
  )

  must("of many that claim at once each gets other streams, and all of them together everything", (world) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 30 }, (_, index) => `k${index}-`)
      yield* world.journal.commit(
        world.worker,
        keys.map((key) => lane(key, 0, [emits("1"), emits("2")], "leave"))
      )
      const claims = yield* Effect.forEach(
        Array.from({ length: 12 }, (_, index) => index),
        () => claim(world, 6),
        { concurrency: "unbounded" }
      )
      const owners = new Map<string, number>()
      claims.forEach((taken, owner) => {
        for (const name of taken) {
          const key = name.slice(0, name.indexOf("-"))
          assert.strictEqual(owners.get(key) ?? owner, owner, "a stream has one relay")
          owners.set(key, owner)
        }
      })
      const taken = claims.flat()
      assert.strictEqual(new Set(taken).size, taken.length, "no entry is claimed twice")
      assert.deepStrictEqual(taken.toSorted(), keys.flatMap((key) => [`${key}1`, `${key}2`]).toSorted())
    })
  )

  must("is each worker's own", (world) =>
    Effect.gen(function* () {
      const other = { ...world, worker: world.another() }
      const first = yield* append(world, "a", 0, [emits("1")], "leave")
      assert.deepStrictEqual(yield* claim(other), [])
      yield* settle(other, { published: [first] })
      assert.deepStrictEqual(yield* claim(world), ["a1"])
    })
  )

  must("takes the events of a redrive like any other", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked)], "leave")
      yield* append(world, "a", 1, [draft("1", emitting("1"), { resolves: first })], "leave")
      assert.deepStrictEqual(yield* claim(world), ["a1"])
    })
  )

  must("takes nothing of a lane that was refused", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 4, [emits("1")], "leave")
      const { free, unpublished } = yield* look(world, "a")
      assert.deepStrictEqual([free, unpublished], [0, 0])
    })
  )
}
