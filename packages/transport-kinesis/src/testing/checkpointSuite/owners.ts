import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { fight } from "./concurrent.ts"
import { lose } from "./lossy.ts"
import { acquire, at, begun, positionOf, shardId } from "./World.ts"
import type { Must } from "./World.ts"

export const owners = (must: Must): void => {
  must("of a shard without a row is nobody", ({ group, store }) =>
    Effect.gen(function* () {
      assert.isUndefined(yield* store.acquire(group, shardId, "a"))
      assert.isFalse(yield* store.advance(group, { shardId, token: 0, revision: 1, position: at(1) }))
      assert.deepStrictEqual(yield* store.list(group), [])
    })
  )

  must("gets the position that the last one left, and the next token", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      assert.isTrue(yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(41) }))
      const taken = yield* world.store.acquire(world.group, shardId, "b")
      assert.deepStrictEqual(taken, { shardId, position: at(41), token: 2, owner: "b" })
    })
  )

  must("T33: that was replaced changes nothing, however late it writes", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const [zombie, successor] = [yield* acquire(world, "a"), yield* acquire(world, "b")]
      const { advance } = world.store
      assert.isTrue(yield* advance(world.group, { shardId, token: successor, revision: 1, position: at(5) }))
      assert.isFalse(yield* advance(world.group, { shardId, token: zombie, revision: 99, position: at(9) }))
      assert.isFalse(yield* advance(world.group, { shardId, token: successor + 1, revision: 99, position: at(9) }))
      assert.deepStrictEqual(yield* positionOf(world), at(5))
    })
  )

  must("T32: that takes its own shard again is fenced from its own earlier writes", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const [before, after] = [yield* acquire(world, "a"), yield* acquire(world, "a")]
      assert.strictEqual(after, before + 1)
      assert.isFalse(yield* world.store.advance(world.group, { shardId, token: before, revision: 1, position: at(1) }))
      assert.isTrue(yield* world.store.advance(world.group, { shardId, token: after, revision: 1, position: at(2) }))
    })
  )

  must("never moves the row back: a number that is not above the last changes nothing", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      const write = (revision: number, number: number) =>
        world.store.advance(world.group, { shardId, token, revision, position: at(number) })
      assert.isTrue(yield* write(2, 20))
      assert.isTrue(yield* write(1, 10))
      assert.isTrue(yield* write(2, 21))
      assert.deepStrictEqual(yield* positionOf(world), at(20))
      assert.isTrue(yield* write(10, 100))
      assert.isTrue(yield* write(9, 90))
      assert.deepStrictEqual(yield* positionOf(world), at(100))
    })
  )

  must("T34: repeats a write whose answer got lost without harm", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      const write = { shardId, token, revision: 1, position: at(3) }
      const error = yield* lose(world.store, (store) => store.advance(world.group, write))
      assert.isTrue(error.retryable)
      assert.isTrue(yield* world.store.advance(world.group, write))
      assert.isTrue(yield* world.store.advance(world.group, { ...write, revision: 2, position: at(4) }))
      assert.isTrue(yield* world.store.advance(world.group, write))
      assert.deepStrictEqual(yield* positionOf(world), at(4))
    })
  )

  must("T34: whose acquisition was done and not answered takes the shard again", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      yield* lose(world.store, (store) => store.acquire(world.group, shardId, "a"))
      const token = yield* acquire(world, "a")
      assert.isTrue(yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(1) }))
    })
  )

  must("T37: whose row was deleted is told so, and makes no new one", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      yield* world.store.remove(world.group, [shardId, "shardId-unknown"])
      assert.isFalse(yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(1) }))
      assert.deepStrictEqual(yield* world.store.list(world.group), [])
      assert.isUndefined(yield* world.store.acquire(world.group, shardId, "a"))
    })
  )

  must("T30, T33: of several that fight for a shard is the one with the highest token", ({ group, store }) =>
    fight(store, group, { owners: 6, writes: 8 })
  )
}
