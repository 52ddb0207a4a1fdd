import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Limits from "../../src/testing/embeddedKinesis/Limits.ts"
import * as ShardRouting from "../../src/testing/embeddedKinesis/ShardRouting.ts"
import * as TokenBucket from "../../src/TokenBucket.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

describe("a token bucket", () => {
  it.prop(
    "never gives more than a second's worth at once and its rate from then on",
    [Arbitrary.array(Arbitrary.all([int(0, 400), int(1, 300)]), { maxLength: 60 })],
    ([steps]) => {
      let bucket = TokenBucket.make(100, 0)
      let now = 0
      let given = 0
      for (const [wait, cost] of steps) {
        now += wait
        bucket = TokenBucket.refill(bucket, now)
        const after = TokenBucket.take(bucket, cost)
        if (after === undefined) continue
        given += cost
        bucket = after
      }
      assert.isAtMost(given, 100 + (now * 100) / 1000 + 1e-6)
    }
  )

  it("in debt gives nothing until it is paid back", () => {
    const debt = TokenBucket.charge(TokenBucket.make(2, 0), 12)
    assert.isUndefined(TokenBucket.take(TokenBucket.refill(debt, 4999), 1))
    assert.isDefined(TokenBucket.take(TokenBucket.refill(debt, 5500), 1))
  })

  it("without a rate limit never ends, and a clock that runs back refills nothing", () => {
    assert.isDefined(TokenBucket.take(TokenBucket.refill(TokenBucket.make(Infinity, 0), 0), 1e12))
    assert.strictEqual(TokenBucket.refill(TokenBucket.charge(TokenBucket.make(5, 100), 5), 50).tokens, 0)
  })
})

describe("a shard's limits", () => {
  it("take a thousand records at once and no more, and leave another shard alone", () => {
    const throttle = Limits.make(undefined, () => 0)
    const accepted = Array.from({ length: 1500 }, () => throttle.write("a", 10)).filter(Boolean).length
    assert.strictEqual(accepted, 1000)
    assert.isTrue(throttle.write("b", 10))
  })

  it("take a mebibyte a second, however few the records", () => {
    let now = 0
    const throttle = Limits.make(undefined, () => now)
    assert.isTrue(throttle.write("a", 1024 * 1024))
    assert.isFalse(throttle.write("a", 1))
    now = 1000
    assert.isTrue(throttle.write("a", 1024 * 1024))
  })

  it("a record refused for its bytes costs no record", () => {
    const throttle = Limits.make({ recordsPerSecond: 2, bytesPerSecond: 10 }, () => 0)
    assert.deepStrictEqual(
      [11, 5, 5, 5].map((bytes) => throttle.write("a", bytes)),
      [false, true, true, false]
    )
  })

  it("T42: answer five reads a second, and rest after a page of ten mebibytes", () => {
    let now = 0
    const throttle = Limits.make(undefined, () => now)
    assert.deepStrictEqual(
      Array.from({ length: 6 }, () => throttle.read("a")),
      [true, true, true, true, true, false]
    )
    now = 1000
    assert.isTrue(throttle.read("a"))
    throttle.gave("a", 10 * 1024 * 1024)
    now = 4900
    assert.isFalse(throttle.read("a"))
    now = 5100
    assert.isTrue(throttle.read("a"))
  })
})

describe("a partition key", () => {
  const space = 2n ** 128n
  const shards = (count: number): ReadonlyArray<ShardRouting.HashRange> =>
    Array.from({ length: count }, (_, index) => ({
      shardId: String(index),
      start: (space * BigInt(index)) / BigInt(count),
      end: (space * BigInt(index + 1)) / BigInt(count) - 1n,
      open: true
    }))

  it.prop(
    "belongs to one shard, the one whose range its hash lies in",
    [Arbitrary.schema(Schema.String), int(1, 9)],
    ([partitionKey, count]) => {
      const owner = ShardRouting.shardOf(shards(count), { partitionKey })
      const hash = ShardRouting.hashKey(partitionKey)
      assert.strictEqual(owner, shards(count).find((shard) => shard.start <= hash && hash <= shard.end)?.shardId)
      assert.isDefined(owner)
    }
  )

  it("is hashed by MD5 over UTF-8", () => {
    assert.strictEqual(ShardRouting.hashKey("é"), BigInt("0x66ddcd97cfdeabb2f6fb8a999b4bc76f"))
    assert.strictEqual(ShardRouting.hashKey(""), BigInt("0xd41d8cd98f00b204e9800998ecf8427e"))
  })

  it("gives way to an explicit hash key, which must be a number", () => {
    const top = (space - 1n).toString()
    assert.strictEqual(ShardRouting.shardOf(shards(4), { partitionKey: "", explicitHashKey: top }), "3")
    assert.isUndefined(ShardRouting.shardOf(shards(4), { partitionKey: "", explicitHashKey: "0x1" }))
  })
})
