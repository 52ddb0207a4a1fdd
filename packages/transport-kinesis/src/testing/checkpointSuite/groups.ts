import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type { Group } from "../../Checkpoint.ts"
import * as ShardPosition from "../../ShardPosition.ts"
import { acquire, at, begin, begun, positionOf, shardId } from "./World.ts"
import type { Must } from "./World.ts"

export const groups = (must: Must): void => {
  must("is empty before its first shard", ({ group, store }) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* store.list(group), [])
      yield* store.create(group, [])
      yield* store.remove(group, [])
      assert.deepStrictEqual(yield* store.list(group), [])
    })
  )

  must("keeps its rows from other applications", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      const other = { ...world, group: { ...world.group, application: `${world.group.application}-2` } }
      assert.deepStrictEqual(yield* world.store.list(other.group), [])
      yield* begun(other)
      yield* acquire(other, "b")
      assert.strictEqual(yield* acquire(world, "a"), 1)
    })
  )

  must("T17: begins anew when the stream is made anew under its old name", (world) =>
    Effect.gen(function* () {
      yield* begun(world)
      yield* world.store.advance(world.group, {
        shardId,
        token: yield* acquire(world, "a"),
        revision: 1,
        position: ShardPosition.end
      })
      const anew = { ...world, group: { ...world.group, stream: "orders@1798761600000" } }
      assert.deepStrictEqual(yield* world.store.list(anew.group), [])
      yield* begun(anew)
      assert.deepStrictEqual(yield* positionOf(anew), begin)
      assert.deepStrictEqual(yield* positionOf(world), ShardPosition.end)
    })
  )

  must("has a name of any characters, and no other group's", ({ group, store }) =>
    Effect.gen(function* () {
      const odd = [
        "",
        " ",
        "é",
        "日本",
        "🎬",
        "\u0000",
        "\ud800",
        "a/b",
        'quo"te',
        "back\\slash",
        "{tag}",
        "}{",
        "a:b",
        "'",
        "%",
        "line\r\nend"
      ]
      const named = odd.flatMap((name): ReadonlyArray<Group> => [
        { application: `${group.application}${name}`, stream: "s" },
        { application: group.application, stream: name }
      ])
      yield* Effect.forEach(named, (one, index) => store.create(one, [{ shardId, position: at(index) }]))
      const found = yield* Effect.forEach(named, (one) => store.list(one))
      assert.deepStrictEqual(
        found,
        named.map((_, index) => [{ shardId, position: at(index), token: 0, owner: "" }])
      )
    })
  )
}
