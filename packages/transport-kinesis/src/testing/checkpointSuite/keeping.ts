import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as ShardPosition from "../../ShardPosition.ts"
import { acquire, at, begin, begun, positionOf, shardId } from "./World.ts"
import type { Must } from "./World.ts"

export const keeping = (must: Must): void => {
  must("comes back as it was: every kind of position, and numbers of 128 bits", ({ group, store }) =>
    Effect.gen(function* () {
      const positions: ReadonlyArray<ShardPosition.ShardPosition> = [
        begin,
        ShardPosition.end,
        ShardPosition.atTimestamp(1_767_225_600_000),
        ShardPosition.after("49590338271490256608559692538361571095921575989136588898"),
        ShardPosition.after("340282366920938463463374607431768211455", 0),
        ShardPosition.after("0", 4_095)
      ]
      const rows = positions.map((position, index) => ({ shardId: `shardId-${index}`, position }))
      yield* store.create(group, rows)
      for (const { position, shardId } of rows) {
        const taken = yield* store.acquire(group, shardId, "a")
        assert.deepStrictEqual(taken?.position, position)
        yield* store.advance(group, { shardId, token: 1, revision: 1, position })
      }
      assert.deepStrictEqual(
        new Map((yield* store.list(group)).map((row) => [row.shardId, row.position])),
        new Map(rows.map((row) => [row.shardId, row.position]))
      )
    })
  )

  must("names shards and owners of any characters", ({ group, store }) =>
    Effect.gen(function* () {
      const odd = [
        " ",
        "é",
        "日本",
        "🎬",
        "\u0000",
        "\ud800",
        'quo"te',
        "back\\slash",
        "'",
        "a b c",
        "1 2 3 4",
        "line\r\nend",
        "-1"
      ]
      yield* store.create(
        group,
        odd.map((shardId) => ({ shardId, position: begin }))
      )
      for (const name of odd) {
        const taken = yield* store.acquire(group, name, name)
        assert.deepStrictEqual(taken, { shardId: name, position: begin, token: 1, owner: name })
        assert.isTrue(yield* store.advance(group, { shardId: name, token: 1, revision: 1, position: at(1) }))
      }
      const rows = yield* store.list(group)
      assert.deepStrictEqual(
        rows.map(({ owner, shardId }) => [shardId, owner]).toSorted(),
        odd.map((name) => [name, name]).toSorted()
      )
    })
  )

  must("counts tokens and revisions beyond 32 bits", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const token = yield* acquire(world, "a")
      const write = (revision: number, number: number) =>
        world.store.advance(world.group, { shardId, token, revision, position: at(number) })
      assert.isTrue(yield* write(2 ** 52, 1))
      assert.isTrue(yield* write(2 ** 52 - 1, 2))
      assert.deepStrictEqual(yield* positionOf(world), at(1))
      assert.isTrue(yield* write(2 ** 52 + 1, 3))
      assert.deepStrictEqual(yield* positionOf(world), at(3))
    })
  )
}
