import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { at, begin } from "./World.ts"
import type { Must } from "./World.ts"

export const many = (must: Must): void => {
  const shards = Array.from({ length: 300 }, (_, index) => `shardId-${String(index).padStart(12, "0")}`)

  must("T27, T39: are all listed, each in a row of its own that moves alone", ({ group, store }) =>
    Effect.gen(function* () {
      // Long owners make a page of a store that counts bytes end before the last row.
      const owner = "machine".repeat(600)
      yield* store.create(
        group,
        shards.map((shardId) => ({ shardId, position: begin }))
      )
      yield* Effect.forEach(shards, (shardId) => store.acquire(group, shardId, owner), { concurrency: 16 })
      yield* Effect.forEach(
        shards.slice(0, 50),
        (shardId, index) => store.advance(group, { shardId, token: 1, revision: 1, position: at(index) }),
        { concurrency: 16 }
      )
      const rows = yield* store.list(group)
      assert.deepStrictEqual(
        rows.map((row) => [row.shardId, row.position, row.token]).toSorted(),
        shards.map((shardId, index) => [shardId, index < 50 ? at(index) : begin, 1])
      )
      yield* store.remove(group, shards.slice(0, 50))
      assert.deepStrictEqual((yield* store.list(group)).map((row) => row.shardId).toSorted(), shards.slice(50))
    })
  )
}
