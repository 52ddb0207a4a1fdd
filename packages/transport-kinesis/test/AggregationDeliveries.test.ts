import { assert, describe, it } from "@effect/vitest"
import * as Aggregation from "@leat/transport-kinesis/Aggregation"
import * as HashKey from "@leat/transport-kinesis/HashKey"
import type * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as ShardPosition from "@leat/transport-kinesis/ShardPosition"

import * as Deliveries from "../src/internal/deliveries.ts"
import * as Wire from "./aggregationWire.ts"

const shard = "orders/shardId-000000000003"

const record = (sequenceNumber: string, data: Uint8Array | string, partitionKey = "outer"): KinesisClient.Record => ({
  sequenceNumber,
  partitionKey,
  data: Buffer.from(data as Uint8Array),
  arrival: Number(sequenceNumber) * 1000
})

const aggregateOf = (...users: ReadonlyArray<readonly [key: string, data: string, explicitHashKey?: string]>) =>
  Aggregation.make(
    users.map(([partitionKey, data, explicitHashKey]) => ({ partitionKey, data: Buffer.from(data), explicitHashKey }))
  )

const deliver = (records: ReadonlyArray<KinesisClient.Record>, options?: Deliveries.Options) =>
  Deliveries.fromRecords(shard, records, options)

const seen = (deliveries: ReturnType<typeof deliver>) =>
  deliveries.map(({ bytes, partitionKey, position }) => [position, partitionKey, Buffer.from(bytes).toString()])

describe("records of a shard", () => {
  it("T7: have positions of their own, user records that of their aggregate and their place in it", () => {
    const deliveries = deliver([
      record("10", "plain"),
      record("11", aggregateOf(["a", "one"], ["b", "two"], ["a", "three"])),
      record("12", "plain again", "c"),
      record("13", aggregateOf(["d", "four"]))
    ])
    assert.deepStrictEqual(seen(deliveries), [
      ["10", "outer", "plain"],
      ["11/0", "a", "one"],
      ["11/1", "b", "two"],
      ["11/2", "a", "three"],
      ["12", "c", "plain again"],
      ["13/0", "d", "four"]
    ])
    assert.deepStrictEqual(
      deliveries.map(({ arrival }) => arrival),
      [10_000, 11_000, 11_000, 11_000, 12_000, 13_000]
    )
    for (const delivery of deliveries) {
      assert.deepInclude(delivery, { partition: shard, attempt: 1, fault: undefined })
    }
  })

  it.prop("carry every user record once, in order", [Wire.userRecords], ([users]) => {
    const deliveries = deliver([record("1", Aggregation.make(users)), record("2", "plain")])
    assert.strictEqual(deliveries.length, users.length + 1)
    users.forEach(({ data, partitionKey }, index) => {
      assert.deepInclude(deliveries[index], { position: `1/${index}`, partitionKey })
      assert.isTrue(Buffer.from(data).equals(deliveries[index]?.bytes ?? Buffer.alloc(0)))
    })
  })

  it("T53: that only look like an aggregate are delivered as they are", () => {
    const lookalike = Buffer.concat([Wire.magic, Buffer.from("a plain record of somebody else's")])
    const [delivery] = deliver([record("1", lookalike)])
    assert.deepInclude(delivery, { position: "1", partitionKey: "outer", fault: undefined })
    assert.isTrue(lookalike.equals(delivery?.bytes ?? Buffer.alloc(0)))
  })

  it("T56: that are a malformed aggregate are one delivery that says so and holds all bytes", () => {
    const malformed = Wire.framed(Wire.partitionKey("k"), Wire.record(Wire.number(1, 4), Wire.block(3, "data")))
    const deliveries = deliver([record("1", malformed), record("2", "next")])
    assert.strictEqual(deliveries.length, 2)
    assert.strictEqual(
      deliveries[0]?.fault,
      "an aggregate that can't be read: a user record has partition key 4 of 1 (byte 13) [Index]"
    )
    assert.isTrue(malformed.equals(deliveries[0]?.bytes ?? Buffer.alloc(0)))
  })
})

describe("an aggregate that was left half way", () => {
  const page = [record("20", aggregateOf(["a", "1"], ["b", "2"], ["c", "3"])), record("21", aggregateOf(["d", "4"]))]
  const from = (subSequence?: number) =>
    seen(deliver(page, { from: ShardPosition.after("20", subSequence) })).map(([position]) => position)

  it("T5: goes on behind the last part that is done", () => {
    assert.deepStrictEqual(from(0), ["20/1", "20/2", "21/0"])
    assert.deepStrictEqual(from(1), ["20/2", "21/0"])
    assert.deepStrictEqual(from(2), ["21/0"])
    assert.deepStrictEqual(from(), ["21/0"])
  })

  it("T5: keeps all of its parts when the position is another record's, or none", () => {
    const all = ["20/0", "20/1", "20/2", "21/0"]
    for (const position of [ShardPosition.after("2", 1), ShardPosition.trimHorizon, ShardPosition.atTimestamp(1)]) {
      assert.deepStrictEqual(
        seen(deliver(page, { from: position })).map(([at]) => at),
        all
      )
    }
  })
})

describe("user records of other shards", () => {
  const middle = HashKey.largest / 2n
  const lower = { start: 0n, end: middle }
  const upper = { start: middle + 1n, end: HashKey.largest }
  const isLower = (key: string) => HashKey.isWithin(HashKey.ofPartitionKey(key), lower)
  const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
  const mine = keys.find(isLower) ?? ""
  const other = keys.find((key) => !isLower(key)) ?? ""

  const page = [
    record("1", "a plain record is where it was put", other),
    record("2", aggregateOf([mine, "mine"], [other, "other"], [mine, "mine too"], [other, "other, too"])),
    record("3", aggregateOf([other, "put here by its hash key", "7"], [mine, "put there", String(middle + 1n)]))
  ]
  const run = (policy: Aggregation.HashRangePolicy, range: KinesisClient.HashRange, records = page) => {
    const found: Array<Deliveries.OutOfRange> = []
    const deliveries = deliver(records, { hashRange: { policy, range }, onOutOfRange: (one) => found.push(one) })
    return { found, positions: deliveries.map(({ position }) => position) }
  }

  it("T54: are delivered when the policy is off, and counted", () => {
    const { found, positions } = run("off", lower)
    assert.deepStrictEqual(positions, ["1", "2/0", "2/1", "2/2", "2/3", "3/0", "3/1"])
    assert.deepStrictEqual(found, [
      { sequenceNumber: "2", count: 2, dropped: false },
      { sequenceNumber: "3", count: 1, dropped: false }
    ])
  })

  it("T54: are left out by kpl-strict one by one, and the rest of their aggregate is delivered", () => {
    const { found, positions } = run("kpl-strict", lower)
    assert.deepStrictEqual(positions, ["1", "2/0", "2/2", "3/0"])
    assert.deepStrictEqual(found, [
      { sequenceNumber: "2", count: 2, dropped: true },
      { sequenceNumber: "3", count: 1, dropped: true }
    ])
  })

  it("T54: of a split, each child takes what the other one leaves out", () => {
    const users = keys.map((key): [string, string] => [key, key])
    const halves = [lower, upper].map(
      (range) => run("kpl-strict", range, [record("9", aggregateOf(...users))]).positions
    )
    assert.deepStrictEqual(new Set(halves.flat()).size, keys.length)
    assert.strictEqual(halves.flat().length, keys.length)
  })

  it("T54: may be all of an aggregate, which then has no delivery", () => {
    const { found, positions } = run("kpl-strict", lower, [record("5", aggregateOf([other, "1"], [other, "2"]))])
    assert.deepStrictEqual(positions, [])
    assert.deepStrictEqual(found, [{ sequenceNumber: "5", count: 2, dropped: true }])
  })

  it("T54: are none in a shard that owns all keys, and one whose hash key is none stays", () => {
    const all = { start: 0n, end: HashKey.largest }
    assert.deepStrictEqual(run("kpl-strict", all), {
      found: [],
      positions: ["1", "2/0", "2/1", "2/2", "2/3", "3/0", "3/1"]
    })
    const strange = [record("6", aggregateOf([other, "1", "not a number"], [other, "2", String(HashKey.largest + 1n)]))]
    assert.deepStrictEqual(run("kpl-strict", lower, strange), { found: [], positions: ["6/0", "6/1"] })
  })
})
