import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as HashKey from "../../src/HashKey.ts"
import * as ShardMap from "../../src/kinesisPublisher/ShardMap.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"

const keys = Arbitrary.array(Arbitrary.schema(Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(40))), {
  minLength: 1,
  maxLength: 30
})
const shards = Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 9 })))

describe("the shard of a record", () => {
  it.effect.prop(
    "is the one that takes it, also after shards were split and merged",
    [keys, shards],
    ([texts, count]) =>
      Effect.gen(function* () {
        const fake = yield* FakeKinesis.make({ streams: [{ name: "s", shards: count }] })
        const stream = fake.stream("s")
        yield* stream.split("shardId-000000000000")
        const map = ShardMap.make(yield* fake.client.listShards("s"))
        assert.strictEqual(map.length, count + 1)
        const entries = texts.flatMap((partitionKey, index) => [
          { partitionKey, data: new Uint8Array(1) },
          { partitionKey, explicitHashKey: String(HashKey.largest / BigInt(index + 1)), data: new Uint8Array(1) }
        ])
        const puts = yield* fake.client.putRecords("s", entries)
        for (const [index, entry] of entries.entries()) {
          const put = puts[index]
          assert.strictEqual(
            put?._tag === "Accepted" ? put.shardId : "rejected",
            ShardMap.shardOf(map, () => HashKey.of(entry))
          )
        }
      })
  )

  it("of a key that no range owns is unknown, and where there is one shard nobody asks for the hash", () => {
    const one = { shardId: "a", parents: [], closed: false, hashRange: { start: 5n, end: 9n } }
    const two = { ...one, shardId: "b", hashRange: { start: 20n, end: 30n } }
    const map = ShardMap.make([two, one, { ...one, shardId: "c", closed: true }])
    assert.deepStrictEqual(
      [4n, 5n, 9n, 10n, 20n, 31n].map((key) => ShardMap.shardOf(map, () => key)),
      ["", "a", "a", "", "b", ""]
    )
    assert.strictEqual(
      ShardMap.shardOf(ShardMap.make([one]), () => assert.fail("asked")),
      "a"
    )
    assert.strictEqual(
      ShardMap.shardOf([], () => 1n),
      ""
    )
  })
})
