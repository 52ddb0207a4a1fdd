import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Lineage from "../../src/eventSourceMapping/Lineage.ts"
import type * as KinesisClient from "../../src/KinesisClient.ts"

const shard = (shardId: string, ...parents: ReadonlyArray<string>): KinesisClient.Shard => ({
  shardId,
  parents,
  closed: false
})
const ids = (shards: ReadonlyArray<KinesisClient.Shard>) => shards.map((one) => one.shardId)
const lineage = (started: ReadonlyArray<string>, ended: ReadonlyArray<string>) => ({
  started: new Set(started),
  ended: new Set(ended)
})

/** Splits and merges of whatever shards are open, in any order. */
const history = Arbitrary.map(
  Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1000 }))), {
    maxLength: 12
  }),
  (choices) => {
    const shards = [shard("0"), shard("1")]
    let open = ["0", "1"]
    for (const choice of choices) {
      const first = open[choice % open.length] ?? "0"
      const second = open[(choice + 1) % open.length] ?? "0"
      const merge = choice % 3 === 0 && first !== second
      const parents = merge ? [first, second] : [first]
      const born = Array.from({ length: merge ? 1 : 2 }, (_, index) => shard(String(shards.length + index), ...parents))
      shards.push(...born)
      open = [...open.filter((id) => !parents.includes(id)), ...ids(born)]
    }
    return shards
  }
)

describe("a shard", () => {
  it.prop("T19: is read after the end of all its parents, and at last every shard is", [history], ([shards]) => {
    const started = new Set<string>()
    const ended = new Set<string>()
    for (let turn = 0; turn < shards.length; turn++) {
      for (const one of Lineage.ready(shards, { started, ended })) {
        assert.isTrue(one.parents.every((parent) => ended.has(parent)))
        started.add(one.shardId)
      }
      const next = [...started].find((id) => !ended.has(id))
      if (next !== undefined) ended.add(next)
    }
    assert.strictEqual(started.size, shards.length)
  })

  it("T19: of a merge waits for both of its parents", () => {
    const shards = [shard("a"), shard("b"), shard("c", "a", "b")]
    assert.deepStrictEqual(ids(Lineage.ready(shards, lineage(["a", "b"], ["a"]))), [])
    assert.deepStrictEqual(ids(Lineage.ready(shards, lineage(["a", "b"], ["a", "b"]))), ["c"])
  })

  it("does not wait for a parent that has expired from the stream", () => {
    assert.deepStrictEqual(ids(Lineage.ready([shard("b", "gone")], lineage([], []))), ["b"])
  })
})
