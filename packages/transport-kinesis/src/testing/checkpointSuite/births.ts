import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"

import type { Checkpoint } from "../../Checkpoint.ts"
import * as ShardPosition from "../../ShardPosition.ts"
import { acquire, at, begin, begun, shardId } from "./World.ts"
import type { Must } from "./World.ts"

export const births = (must: Must): void => {
  must("stands with token 0 and nobody as its owner", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const expected: ReadonlyArray<Checkpoint> = [{ shardId, position: begin, token: 0, owner: "" }]
      assert.deepStrictEqual(yield* world.store.list(world.group), expected)
    })
  )

  must("leaves a row that is there as it is, also one of many", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      yield* world.store.advance(world.group, { shardId, token, revision: 1, position: at(7) })
      const late = [shardId, "shardId-000000000001"].map((shardId) => ({ shardId, position: ShardPosition.end }))
      yield* world.store.create(world.group, late)
      const rows = yield* world.store.list(world.group)
      assert.deepStrictEqual(rows.map((row) => [row.shardId, row.position, row.token]).toSorted(), [
        [shardId, at(7), 1],
        ["shardId-000000000001", ShardPosition.end, 0]
      ])
    })
  )

  must(
    "T27: is written in the order given: who stops in the middle leaves none without those before it",
    ({ group, store }) =>
      Effect.gen(function* () {
        // Not in the order of their names, by which a store may list them.
        const shards = Array.from(
          { length: 60 },
          (_, index) => `shardId-${String((index * 37) % 60).padStart(12, "0")}`
        )
        const rows = shards.map((shardId) => ({ shardId, position: begin }))
        const creating = yield* Effect.forkChild(store.create(group, rows))
        while (creating.pollUnsafe() === undefined && (yield* store.list(group)).length === 0) yield* Effect.yieldNow
        yield* Fiber.interrupt(creating)
        const written = new Set((yield* store.list(group)).map((row) => row.shardId))
        assert.deepStrictEqual(written, new Set(shards.slice(0, written.size)))
      })
  )

  must("is written once by two processes that start at once", ({ group, store }) =>
    Effect.gen(function* () {
      const shards = Array.from({ length: 20 }, (_, index) => `shardId-${index}`)
      const rowsOf = (process: number) =>
        shards.map((shardId) => ({ shardId, position: ShardPosition.atTimestamp(process) }))
      yield* Effect.forEach(
        [1, 2, 3],
        (process) => store.create(group, process === 2 ? rowsOf(process).toReversed() : rowsOf(process)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual((yield* store.list(group)).length, shards.length)
    })
  )
}
