import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"

import * as FailureDocument from "../../src/lambdaFailure/FailureDocument.ts"
import * as RedriveOrder from "../../src/lambdaFailure/RedriveOrder.ts"
import { about, streamArn } from "./documents.ts"

const item = (shardId: string, start: string, end = start) => ({
  name: `${shardId}${start}-${end}`,
  document: Result.getOrThrow(
    Result.flatMap(FailureDocument.parseJson(about({ shardId, start, end })), FailureDocument.fromJson)
  )
})

const shard = (shardId: string, ...parents: ReadonlyArray<string>) => ({ shardId, parents })

const wavesOf = (shardIds: ReadonlyArray<string>, shards: ReadonlyArray<ReturnType<typeof shard>>) =>
  RedriveOrder.waves(
    shardIds.map((shardId) => ({ streamArn, shardId })),
    ({ shardId }) => {
      const ancestors = [...RedriveOrder.ancestorsOf(shardId, shards)]
      return new Set(ancestors.map((ancestor) => RedriveOrder.nameOf({ streamArn, shardId: ancestor })))
    }
  ).map((wave) => wave.map(({ shardId }) => shardId))

describe("the order of a redrive", () => {
  it("T74: is a shard's own, by the first sequence number compared as an integer", () => {
    const groups = RedriveOrder.byShard([
      item("b", "5"),
      item("a", "100"),
      item("a", "99"),
      item("a", "9", "12"),
      item("a", "9")
    ])
    assert.deepStrictEqual(
      groups.map((group) => [group.shardId, group.items.map(({ name }) => name)]),
      [
        ["a", ["a9-9", "a9-12", "a99-99", "a100-100"]],
        ["b", ["b5-5"]]
      ]
    )
  })

  it("has parents before their children, also where the shard between them has nothing to redrive", () => {
    const shards = [shard("0"), shard("1"), shard("2", "0", "1"), shard("3", "2"), shard("4", "9")]
    assert.deepStrictEqual(wavesOf(["0", "1", "3", "4"], shards), [["0", "1", "4"], ["3"]])
  })

  it("ends where parents stand in a ring", () => {
    const shards = [shard("0", "1"), shard("1", "0"), shard("2")]
    assert.deepStrictEqual(wavesOf(["0", "1", "2"], shards), [["2"], ["0", "1"]])
  })
})
