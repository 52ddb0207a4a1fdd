/**
 * What readers and subscribers see.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"

import type { Filter } from "../../Journal.ts"
import { append, draft, entriesOf, lane, later, look, placeOf } from "./world.ts"
import type { Must, World } from "./world.ts"

const namesOf = (world: World, from: number, filter: Filter = {}) =>
  Stream.runCollect(
    Stream.map(world.journal.read(from, { worker: world.worker, ...filter }), ({ id, key }) => `${key}${id}`)
  )

/** Position last seen, and what was seen of the test's own. */
interface Seen {
  readonly last: number
  readonly seen: Array<string>
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

/**
 * What a reader must see.
 *
 * @category testing
 * @since 0.1.0
 */
export const reading = (must: Must): void => {
  must("gives entries in commit order, after a position, of one worker, of some keys", (world) =>
    Effect.gen(function* () {
      const a = yield* append(world, "a", 0, [draft("1")])
      yield* append(world, "b", 0, [draft("1")])
      yield* append({ ...world, worker: world.another() }, "a", 0, [draft("other")])
      const c = yield* append(world, "c", 0, [draft("1"), draft("2")])
      assert.deepStrictEqual(yield* namesOf(world, 0), ["a1", "b1", "c1", "c2"])
      assert.deepStrictEqual(yield* namesOf(world, a), ["b1", "c1", "c2"])
      assert.deepStrictEqual(yield* namesOf(world, c), ["c2"])
      assert.deepStrictEqual(yield* namesOf(world, c + 1), [])
      assert.deepStrictEqual(yield* namesOf(world, 2 ** 40), [])
      assert.deepStrictEqual(yield* namesOf(world, 0, { keys: ["c", "a", "nobody"] }), ["a1", "c1", "c2"])
      assert.deepStrictEqual(yield* namesOf(world, a, { keys: ["a", "c"] }), ["c1", "c2"])
      assert.deepStrictEqual(yield* namesOf(world, 0, { keys: [] }), [])
      const everyone = yield* Stream.runCollect(Stream.map(world.journal.read(a), ({ id }) => id))
      assert.include(everyone, "other")
    })
  )

  must("gives what was committed at a time or later", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1")])
      yield* later
      yield* append(world, "a", 1, [draft("2")])
      yield* later
      yield* append(world, "b", 0, [draft("3")])
      const [first, second, third] = yield* entriesOf(world)
      assert.isTrue((first?.at ?? 0) < (second?.at ?? 0) && (second?.at ?? 0) < (third?.at ?? 0))
      assert.deepStrictEqual(yield* namesOf(world, 0, { since: first?.at }), ["a1", "a2", "b3"])
      assert.deepStrictEqual(yield* namesOf(world, 0, { since: second?.at }), ["a2", "b3"])
      assert.deepStrictEqual(yield* namesOf(world, 0, { since: (second?.at ?? 0) + 1 }), ["b3"])
      assert.deepStrictEqual(yield* namesOf(world, 0, { since: second?.at, keys: ["a"] }), ["a2"])
      assert.deepStrictEqual(yield* namesOf(world, 0, { since: 2 ** 42 }), [])
    })
  )

  must("gives thousands of entries, each once, and stops where the reader does", (world) =>
    Effect.gen(function* () {
      for (const round of [0, 1, 2]) {
        yield* append(
          world,
          `k${round}`,
          0,
          upTo(1_000).map((index) => draft(String(index)))
        )
      }
      const entries = yield* entriesOf(world)
      assert.lengthOf(entries, 3_000)
      assert.isTrue(
        entries.every(({ position }, index) => index === 0 || position > (entries[index - 1]?.position ?? 0))
      )
      const some = yield* Stream.runCollect(Stream.take(world.journal.read(0, { worker: world.worker }), 3))
      assert.deepStrictEqual(
        some.map(({ id }) => id),
        ["0", "1", "2"]
      )
      const few = yield* namesOf(world, 0, { keys: ["k2"] })
      assert.lengthOf(few, 1_000)
    })
  )

  must("ends with what was there when it began to read", (world) =>
    Effect.gen(function* () {
      yield* append(world, "a", 0, [draft("1")])
      let version = 1
      const seen = yield* Stream.runCollect(
        Stream.tap(Stream.take(world.journal.read(0, { worker: world.worker }), 1_000), () =>
          append(world, "a", version++, [draft(`more ${version}`)])
        )
      )
      assert.lengthOf(seen, 1)
    })
  )
}

/**
 * What a subscriber must see.
 *
 * @category testing
 * @since 0.1.0
 */
export const subscribing = (must: Must): void => {
  must("gives what is there and then what comes", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      yield* append(world, "a", 0, [draft("1")])
      const fiber = yield* Effect.forkChild(
        journal.subscribe(0, { worker }).pipe(
          Stream.map(({ id }) => id),
          Stream.take(3),
          Stream.runCollect
        ),
        { startImmediately: true }
      )
      yield* append(world, "a", 1, [draft("2")])
      yield* append({ ...world, worker: world.another() }, "a", 0, [draft("other")])
      yield* append(world, "b", 0, [draft("3")])
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["1", "2", "3"])
    })
  )

  must("gives only what comes after a position, of some keys", (world) =>
    Effect.gen(function* () {
      const { journal, worker } = world
      const first = yield* append(world, "a", 0, [draft("1"), draft("2")])
      const fiber = yield* Effect.forkChild(
        journal.subscribe(first, { worker, keys: ["a"] }).pipe(
          Stream.map(({ id }) => id),
          Stream.take(2),
          Stream.runCollect
        ),
        { startImmediately: true }
      )
      yield* append(world, "b", 0, [draft("no")])
      yield* append(world, "a", 2, [draft("3")])
      assert.deepStrictEqual(yield* Fiber.join(fiber), ["2", "3"])
    })
  )

  must("shows all subscribers the same order, without a gap or a repeat, while many write", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const from = yield* append(world, "before", 0, [draft("1")])
      const workers = upTo(5).map(world.another)
      const rounds = 12
      const total = workers.length * rounds * 3
      const mine = new Set(workers)
      // Nothing is filtered by the journal: a gap in the namespace would be seen.
      const watch = journal.subscribe(from).pipe(
        Stream.scan(
          (): Seen => ({ last: from, seen: [] }),
          ({ last, seen }, { id, key, position, worker }) => {
            assert.strictEqual(position, last + 1, "positions follow each other")
            if (mine.has(worker)) seen.push(`${worker}/${key}/${id}`)
            return { last: position, seen }
          }
        ),
        Stream.filter(({ seen }) => seen.length >= total),
        Stream.take(1),
        Stream.runCollect
      )
      const early = yield* Effect.forEach([1, 2], () => Effect.forkChild(watch, { startImmediately: true }))
      const write = (worker: string) =>
        Effect.forEach(upTo(rounds), (round) =>
          Effect.andThen(
            Effect.yieldNow,
            journal.commit(worker, [
              lane("a", round * 2, [draft(`${round}`), draft(`${round}+`)]),
              lane("b", round, [draft(`${round}`)])
            ])
          )
        )
      yield* Effect.forEach(workers, write, { concurrency: "unbounded" })
      const late = yield* Effect.forkChild(watch, { startImmediately: true })
      const views = yield* Effect.forEach([...early, late], (fiber) => Fiber.join(fiber))
      const orders = views.map(([view]) => view?.seen ?? [])
      assert.lengthOf(new Set(orders[0]), total)
      for (const order of orders) assert.deepStrictEqual(order, orders[0])
      for (const worker of workers) {
        assert.deepStrictEqual(
          (orders[0] ?? []).filter((name) => name.startsWith(`${worker}/b/`)),
          upTo(rounds).map((round) => `${worker}/b/${round}`)
        )
      }
    })
  )

  must("a reader that has seen a position has seen all before it", (world) =>
    Effect.gen(function* () {
      const { journal } = world
      const workers = upTo(6).map(world.another)
      const from = yield* append(world, "before", 0, [draft("1")])
      let written = 0
      const write = (worker: string) =>
        Effect.forEach(upTo(10), (round) =>
          Effect.map(journal.commit(worker, [lane("a", round, [draft(`${round}`)])]), ([verdict]) => {
            assert.isAbove(placeOf(verdict), 0)
            written += 1
          })
        )
      const read: Effect.Effect<void, never> = Effect.suspend(() =>
        Effect.flatMap(Effect.orDie(Stream.runCollect(journal.read(from))), (entries) => {
          assert.isTrue(
            entries.every(({ position }, index) => position === from + 1 + index),
            "no position is missing"
          )
          return written < 60 ? Effect.andThen(Effect.sleep(1), read) : Effect.void
        })
      )
      const reader = yield* Effect.forkChild(read, { startImmediately: true })
      yield* Effect.forEach(workers, write, { concurrency: "unbounded" })
      yield* Fiber.join(reader)
      assert.strictEqual((yield* look({ ...world, worker: workers[0] ?? "" }, "a")).version, 10)
    })
  )

  must("ends when its reader does, and leaves the journal to others", (world) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Stream.runDrain(world.journal.subscribe(0, { worker: world.worker })), {
        startImmediately: true
      })
      yield* Effect.yieldNow
      yield* Fiber.interrupt(fiber)
      assert.isAbove(yield* append(world, "a", 0, [draft("1")]), 0)
    })
  )
}
