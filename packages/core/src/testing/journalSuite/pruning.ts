/**
 * What goes when it is old, and what never does.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import { append, draft, emitting, entriesOf, freshName, handled, later, look, parked, skipped } from "./world.ts"
import type { Must, World } from "./world.ts"

/** Later than any commit: every entry that may go, goes. */
const tomorrow = 8e12

const namesOf = (world: World) => Effect.map(entriesOf(world), (entries) => entries.map(({ id, key }) => `${key}${id}`))

const forget = ({ journal }: World, forgetBefore = tomorrow) => journal.prune({ forgetBefore })
const compact = ({ journal }: World, compactBefore = tomorrow) => journal.prune({ compactBefore })

/**
 * What a pruning must do and leave.
 *
 * @category testing
 * @since 0.1.0
 */
export const pruning = (must: Must): void => {
  must("removes nothing where nothing is asked for, or nothing is old enough", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1", emitting("1"))])
      yield* world.journal.prune({})
      const [entry] = yield* entriesOf(world)
      // What is as old as the cutoff stays.
      yield* world.journal.prune({ compactBefore: entry?.at, forgetBefore: entry?.at })
      assert.deepStrictEqual(
        (yield* entriesOf(world)).map(({ compacted, id }) => [id, compacted]),
        [["1", false]]
      )
    })
  )

  must("compacts what is old: bytes, steps and events go, outcomes stay known", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1", emitting("1"), { steps: { s: { value: 1 } } }), draft("2", skipped)])
      yield* later
      yield* append(world, "a", 2, [draft("3", emitting("3"))])
      const before = yield* entriesOf(world)
      const { compacted } = yield* compact(world, before[2]?.at)
      assert.isAtLeast(compacted, 2)
      const entries = yield* entriesOf(world)
      assert.deepStrictEqual(
        entries.map(({ bytes, compacted, id, steps, version }) => [id, version, compacted, bytes.length, steps]),
        [
          ["1", 1, true, 0, undefined],
          ["2", 2, true, 0, undefined],
          ["3", 3, false, 1, undefined]
        ]
      )
      assert.deepStrictEqual([entries[0]?.outcome, entries[1]?.outcome], [handled, skipped])
      assert.deepStrictEqual(
        entries.map(({ at, position }) => [position, at]),
        before.map(({ at, position }) => [position, at])
      )
      assert.deepStrictEqual((yield* look(world, "a", "1", "2", "3")).known, ["Handled", "Skipped", "Handled"])
      assert.strictEqual(yield* append(world, "a", 3, [draft("1")]), -1, "and are not recorded again")
    })
  )

  must("compacts an entry once", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1")])
      yield* compact(world)
      assert.deepStrictEqual(yield* compact(world), { compacted: 0, forgotten: 0 })
    })
  )

  must("forgets what is old: the same id is a new delivery, and the stream's versions go on", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1"), draft("2")])
      yield* later
      yield* append(world, "a", 2, [draft("3")])
      const [, , third] = yield* entriesOf(world)
      const { forgotten } = yield* forget(world, third?.at)
      assert.isAtLeast(forgotten, 2)
      assert.deepStrictEqual(yield* namesOf(world), ["a3"])
      const { known, version } = yield* look(world, "a", "1", "2", "3")
      assert.deepStrictEqual([version, known], [3, [undefined, undefined, "Handled"]])
      const again = yield* append(world, "a", 3, [draft("1")])
      assert.isAbove(again, third?.position ?? Infinity)
      assert.deepStrictEqual(
        (yield* entriesOf(world)).map(({ id, version }) => [id, version]),
        [
          ["3", 3],
          ["1", 4]
        ]
      )
    })
  )

  must("goes on with versions and positions where all of a stream is forgotten", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1"), draft("2")])
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), [])
      assert.strictEqual((yield* look(world, "a")).version, 2)
      assert.strictEqual(yield* append(world, "a", 0, [draft("3")]), -1)
      assert.isAbove(yield* append(world, "a", 2, [draft("3")]), first + 1)
    })
  )

  must("forgets compacted entries, too", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1")])
      yield* compact(world)
      yield* world.journal.prune({ compactBefore: tomorrow, forgetBefore: tomorrow })
      assert.deepStrictEqual(yield* namesOf(world), [])
      assert.deepStrictEqual((yield* look(world, "a", "1")).known, [undefined])
    })
  )

  must("touches no stream on which something waits parked", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", emitting("1")), draft("2", parked), draft("3", parked)])
      yield* append(world, "b", 0, [draft("1")])
      yield* world.journal.prune({ compactBefore: tomorrow, forgetBefore: tomorrow })
      const kept = yield* entriesOf(world)
      assert.deepStrictEqual(
        kept.map(({ compacted, id, bytes }) => [id, compacted, bytes.length]),
        [
          ["1", false, 1],
          ["2", false, 1],
          ["3", false, 1]
        ]
      )
      yield* append(world, "a", 3, [
        draft("2", handled, { resolves: first + 1 }),
        draft("3", skipped, { resolves: first + 2 })
      ])
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), [])
    })
  )

  must("keeps what waits to be published, with its events, until it is", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", emitting("1")), draft("2")], "leave")
      const held = yield* append(world, "b", 0, [draft("1", emitting("1"))], "hold")
      yield* world.journal.prune({ compactBefore: tomorrow, forgetBefore: tomorrow })
      assert.includeMembers(yield* namesOf(world), ["a1", "b1"])
      const [entry] = yield* world.journal.outbox.claim(world.worker)
      assert.deepStrictEqual(entry?.outcome._tag === "Handled" ? entry.outcome.emitted[0]?.id : "", "1/0")
      yield* world.journal.outbox.settle(world.worker, { published: [first, held], returned: [] })
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), [])
    })
  )

  must("keeps what a view of the worker has not folded, until it has, or is dropped", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const view = { name: freshName(), version: 1, worker }
      const begun = yield* journal.views.stand(view)
      const first = yield* append(world, "a", 0, [draft("1"), draft("2")])
      yield* append({ ...world, worker: world.another() }, "a", 0, [draft("1")])
      yield* world.journal.prune({ compactBefore: tomorrow, forgetBefore: tomorrow })
      assert.deepStrictEqual(
        (yield* entriesOf(world)).map(({ compacted, id }) => [id, compacted]),
        [
          ["1", false],
          ["2", false]
        ]
      )
      yield* journal.views.advance(view, begun, first, [])
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), ["a2"])
      yield* journal.views.drop(view)
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), [])
    })
  )

  must("keeps what a rebuild that is under way has not folded", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const view = { name: freshName(), version: 1, worker }
      const begun = yield* journal.views.stand(view)
      const first = yield* append(world, "a", 0, [draft("1")])
      yield* journal.views.advance(view, begun, first, [])
      yield* journal.views.begin(view)
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), ["a1"])
      yield* journal.views.drop(view)
      yield* forget(world)
      assert.deepStrictEqual(yield* namesOf(world), [])
    })
  )

  must("knows the outcome of a redrive when the entry it resolves is forgotten", (world) =>
    Effect.gen(function* () {
      const first = yield* append(world, "a", 0, [draft("1", parked)])
      yield* later
      yield* append(world, "a", 1, [draft("1", handled, { resolves: first })])
      const [, resolution] = yield* entriesOf(world)
      yield* forget(world, resolution?.at)
      assert.deepStrictEqual((yield* look(world, "a", "1")).known, ["Handled"])
      assert.strictEqual(yield* append(world, "a", 2, [draft("1")]), -1, "it is not new")
    })
  )

  must("is not seen by who reads on: what is left comes in order", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* append(world, "a", 0, [draft("1"), draft("2")])
      const first = yield* append(world, "b", 0, [draft("1", parked)])
      yield* append(world, "a", 2, [draft("3")])
      yield* forget(world)
      yield* append(world, "a", 3, [draft("4")])
      const seen = yield* Stream.runCollect(Stream.take(journal.subscribe(0, { worker }), 2))
      assert.deepStrictEqual(
        seen.map(({ id, key }) => `${key}${id}`),
        ["b1", "a4"]
      )
      assert.deepStrictEqual(
        (yield* journal.parked(worker)).map(({ position }) => position),
        [first]
      )
    })
  )
}
