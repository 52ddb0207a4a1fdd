import { assert, describe, it } from "@effect/vitest"
import * as Aggregation from "@leat/transport-kinesis/Aggregation"

import * as Wire from "./aggregationWire.ts"

const read = (bytes: Uint8Array): Aggregation.Aggregate => {
  const reading = Aggregation.read(bytes)
  if (reading._tag !== "Aggregate") throw new Error(`not an aggregate: ${JSON.stringify(reading)}`)
  return reading
}

const recordsOf = (bytes: Uint8Array) => {
  const aggregate = read(bytes)
  return Array.from({ length: aggregate.length }, (_, index) => aggregate.record(index))
}

const comparable = ({ data, explicitHashKey, partitionKey }: Aggregation.UserRecord) => ({
  partitionKey,
  explicitHashKey,
  data: Buffer.from(data).toString("hex")
})

const tags = (...readings: ReadonlyArray<Uint8Array>) => readings.map((bytes) => Aggregation.read(bytes)._tag)

const user = (partitionKey: string, data: string, explicitHashKey?: string): Aggregation.UserRecord => ({
  partitionKey,
  explicitHashKey,
  data: Buffer.from(data)
})

describe("an aggregate", () => {
  it.prop("is read as it was written, whatever its keys are", [Wire.userRecords], ([records]) => {
    const bytes = Aggregation.make(records)
    assert.deepStrictEqual(recordsOf(bytes).map(comparable), records.map(comparable))
    assert.strictEqual(bytes.length, Aggregation.size(records))
  })

  it("keeps keys that are no keys in an object, and integers in the order they came", () => {
    const records = ["10", "2", "__proto__", "hasOwnProperty", "", "constructor", "é日本😀", "\uFEFF"].map((key) =>
      user(key, `of ${key}`, key === "2" ? "1" : undefined)
    )
    assert.deepStrictEqual(recordsOf(Aggregation.make(records)).map(comparable), records.map(comparable))
  })

  it("T55: an absent explicit hash key is not index 0", () => {
    const aggregate = read(Aggregation.make([user("a", "1", "7"), user("b", "2"), user("c", "3", "7")]))
    assert.deepStrictEqual(
      [0, 1, 2].map((index) => aggregate.explicitHashKey(index)),
      ["7", undefined, "7"]
    )
  })

  it("is seen through views: nothing is copied", () => {
    const bytes = Aggregation.make([user("a", "first"), user("b", "second")])
    const view = read(bytes).data(1)
    assert.strictEqual(Buffer.from(view).toString(), "second")
    assert.strictEqual(view.buffer, bytes.buffer)
    const within = Buffer.concat([Buffer.alloc(5), bytes, Buffer.alloc(3)]).subarray(5, 5 + bytes.length)
    assert.strictEqual(Buffer.from(read(within).data(0)).toString(), "first")
    assert.strictEqual(Buffer.from(read(Uint8Array.from(bytes)).data(0)).toString(), "first")
  })

  it("has no record behind its last, and asking for one is a defect", () => {
    const aggregate = read(Aggregation.make([user("a", "1")]))
    assert.throws(() => aggregate.data(1), RangeError)
    assert.throws(() => aggregate.partitionKey(-1), RangeError)
  })
})

describe("beside aws-kinesis-agg", () => {
  it.prop("writes the same bytes", [Wire.plainerRecords], ([records]) => {
    assert.isTrue(Buffer.from(Aggregation.make(records)).equals(Wire.theirAggregate(records)))
  })

  it.prop("is read by it", [Wire.plainerRecords], ([records]) => {
    const read = Wire.theirReading(Aggregation.make(records))
    assert.deepStrictEqual(
      read.map(({ data, partitionKey }) => [partitionKey, data]),
      records.map(({ data, partitionKey }) => [partitionKey, Buffer.from(data).toString("base64")])
    )
    records.forEach(({ explicitHashKey }, index) => {
      if (explicitHashKey !== undefined) assert.strictEqual(read[index]?.explicitPartitionKey, explicitHashKey)
    })
  })

  it.prop("reads what it writes", [Wire.plainerRecords], ([records]) => {
    assert.deepStrictEqual(recordsOf(Wire.theirAggregate(records)).map(comparable), records.map(comparable))
  })
})

describe("a plain record", () => {
  it("T53: is what has no magic number, no message behind it, or another MD5", () => {
    const good = Buffer.from(Aggregation.make([user("a", "data")]))
    const wrongDigest = Buffer.from(good)
    wrongDigest.writeUInt8(wrongDigest.readUInt8(good.length - 1) ^ 1, good.length - 1)
    const wrongMessage = Buffer.from(good)
    wrongMessage.writeUInt8(wrongMessage.readUInt8(8) ^ 1, 8)
    const records = [
      Buffer.alloc(0),
      Buffer.from('{"a":1}'),
      Wire.magic.subarray(0, 3),
      Wire.magic,
      Buffer.concat([Wire.magic, Buffer.alloc(3)]),
      Buffer.concat([Wire.magic, Buffer.alloc(16)]),
      Wire.framed(),
      good.subarray(0, -1),
      wrongDigest,
      wrongMessage
    ]
    assert.deepStrictEqual(
      tags(...records),
      records.map(() => "Plain")
    )
    assert.deepStrictEqual(tags(good), ["Aggregate"])
  })
})

const key = Wire.partitionKey("k")
const good = Wire.record(Wire.number(1, 0), Wire.block(3, "data"))

describe("a message", () => {
  it("T56: has its unknown fields and its tags passed over", () => {
    const unknown = [
      Wire.number(9, 2n ** 64n - 1n),
      Buffer.concat([Wire.varint(10 * 8 + 1), Buffer.alloc(8, 0xff)]),
      Wire.block(11, "skipped"),
      Buffer.concat([Wire.varint(12 * 8 + 5), Buffer.alloc(4, 0xff)]),
      Wire.number(2 ** 29 - 1, 1)
    ]
    const tag = Wire.block(4, Wire.block(1, "name"), Wire.block(2, "value"))
    const bytes = Wire.framed(
      ...unknown,
      key,
      Wire.record(...unknown, Wire.number(1, 0), tag, Wire.block(3, "data"), tag),
      ...unknown
    )
    assert.deepStrictEqual(recordsOf(bytes).map(comparable), [comparable(user("k", "data"))])
  })

  it("T56: may have its tables behind, a field twice, and a number with zeros before it", () => {
    const twice = Wire.record(Wire.number(1, 9), Wire.block(3, "no"), Wire.block(3, "data"), Wire.number(1, 0))
    const padded = Wire.record(Buffer.of(0x08, 0x80, 0x80, 0x00), Wire.block(3, "more"))
    assert.deepStrictEqual(recordsOf(Wire.framed(twice, padded, key)).map(comparable), [
      comparable(user("k", "data")),
      comparable(user("k", "more"))
    ])
  })

  const faults: ReadonlyArray<readonly [Aggregation.MalformedReason, string, Uint8Array]> = [
    ["WireType", "a group", Wire.framed(key, good, Buffer.of(9 * 8 + 3, 9 * 8 + 4))],
    ["WireType", "the end of a group", Wire.framed(key, good, Buffer.of(9 * 8 + 4))],
    ["WireType", "type 7", Wire.framed(key, good, Buffer.of(9 * 8 + 7))],
    ["WireType", "field 0", Wire.framed(key, good, Buffer.of(2, 0))],
    ["WireType", "a field beyond the last number", Wire.framed(key, good, Wire.number(2 ** 29, 0))],
    ["WireType", "a key that is a number", Wire.framed(key, good, Wire.number(1, 0))],
    ["WireType", "data that is a number", Wire.framed(key, Wire.record(Wire.number(1, 0), Wire.number(3, 0)))],
    ["Varint", "a number of eleven bytes", Wire.framed(key, good, Buffer.of(72, ...Array<number>(10).fill(0x80), 0))],
    ["Varint", "a number of 65 bits", Wire.framed(key, good, Buffer.of(72, ...Array<number>(9).fill(0x80), 2))],
    ["Truncated", "a number that is cut off", Wire.framed(key, good, Buffer.of(72, 0x80))],
    ["Truncated", "a field without its value", Wire.framed(key, good, Buffer.of(72))],
    ["Truncated", "a record longer than the message", Wire.framed(key, good.subarray(0, -1))],
    ["Truncated", "a length of 2⁶³", Wire.framed(key, good, Buffer.of(0x1a), Wire.varint(2n ** 63n))],
    ["Truncated", "a fixed field that is cut off", Wire.framed(key, good, Buffer.of(9 * 8 + 1, 0, 0))],
    [
      "Truncated",
      "data that reaches into the next record",
      Wire.framed(key, Wire.record(Wire.number(1, 0), Buffer.of(0x1a, 5, 0)), good)
    ],
    ["Missing", "a record without a key", Wire.framed(key, Wire.record(Wire.block(3, "data")))],
    ["Missing", "a record without data", Wire.framed(key, Wire.record(Wire.number(1, 0)))],
    ["Missing", "no record", Wire.framed(key)],
    ["Index", "a partition key beyond the table", Wire.framed(key, Wire.record(Wire.number(1, 1), Wire.block(3)))],
    ["Index", "index 2⁶⁴ − 1", Wire.framed(key, Wire.record(Wire.number(1, 2n ** 64n - 1n), Wire.block(3)))],
    [
      "Index",
      "an explicit hash key beyond the table",
      Wire.framed(key, Wire.record(Wire.number(1, 0), Wire.number(2, 0), Wire.block(3)))
    ],
    ["Text", "a key that is not UTF-8", Wire.framed(Wire.partitionKey(Buffer.of(0xc3, 0x28)), good)]
  ]
  for (const [reason, what, bytes] of faults) {
    it(`T56: with ${what} is malformed, and says why`, () => {
      const reading = Aggregation.read(bytes)
      assert.deepInclude(reading, { _tag: "Malformed", reason })
      assert.match(reading._tag === "Malformed" ? reading.message : "", /^.+ \((byte \d+)\)$/)
    })
  }

  it("T56: of 1 MiB of empty records is not unfolded", () => {
    const empty = Wire.record(Wire.number(1, 0), Wire.block(3))
    const of = (count: number) => Wire.framed(key, Buffer.alloc(count * empty.length, empty))
    assert.strictEqual(read(of(Aggregation.maxUserRecords)).length, Aggregation.maxUserRecords)
    assert.deepInclude(Aggregation.read(of(Aggregation.maxUserRecords + 1)), { _tag: "Malformed", reason: "TooMany" })
    const keys = Wire.framed(Buffer.alloc(2 ** 20, Wire.partitionKey("")), good)
    assert.deepInclude(Aggregation.read(keys), { _tag: "Malformed", reason: "TooMany" })
  })
})

describe("fuzzed", () => {
  const random = Wire.randomOf(7)
  const someBytes = (length: number) => Uint8Array.from({ length }, () => random(256))

  /** What is read lies within what was given. */
  const holds = (bytes: Uint8Array) => {
    const reading = Aggregation.read(bytes)
    if (reading._tag !== "Aggregate") return reading._tag
    let within = reading.length > 0
    for (let index = 0; index < reading.length; index++) {
      const { data, partitionKey } = reading.record(index)
      const end = data.byteOffset + data.length
      within &&= typeof partitionKey === "string" && end <= bytes.byteOffset + bytes.length - 16
    }
    assert.isTrue(within)
    return reading._tag
  }

  it("T53: any bytes are plain, and any bytes in a frame are read or named malformed", () => {
    const seen = new Set<string>()
    for (let run = 0; run < 3000; run++) {
      assert.strictEqual(holds(someBytes(random(64))), "Plain")
      assert.strictEqual(holds(Buffer.concat([Wire.magic, someBytes(random(64))])), "Plain")
      seen.add(holds(Wire.framed(someBytes(1 + random(40)))))
    }
    assert.isFalse(seen.has("Plain"))
    assert.isTrue(seen.has("Malformed"))
  })

  it("T56: an aggregate with changed, lost or added bytes is read or named malformed", () => {
    const seen = new Map<string, number>()
    const source = Buffer.from(
      Aggregation.make(
        Array.from({ length: 12 }, (_, i) => user(`key-${i % 5}`, "x".repeat(i * 30), i % 2 ? "9" : undefined))
      )
    )
    const message = source.subarray(4, -16)
    for (let run = 0; run < 6000; run++) {
      const mutated = Buffer.from(message)
      for (let change = 0; change <= random(3); change++) mutated.writeUInt8(random(256), random(mutated.length))
      const from = random(mutated.length)
      const parts = [mutated.subarray(0, from), someBytes(random(3)), mutated.subarray(from + random(3))]
      const tag = holds(Wire.framed(...(run % 2 ? parts : [mutated])))
      seen.set(tag, (seen.get(tag) ?? 0) + 1)
    }
    assert.isUndefined(seen.get("Plain"))
    assert.isAbove(seen.get("Malformed") ?? 0, 100)
    assert.isAbove(seen.get("Aggregate") ?? 0, 100)
  })
})

describe("a builder", () => {
  it.prop("knows the size of what it builds, before and after each record", [Wire.userRecords], ([records]) => {
    const builder = new Aggregation.Builder()
    for (const record of records) {
      const foreseen = builder.sizeWith(record)
      assert.isTrue(builder.fits(record, foreseen))
      assert.isFalse(builder.fits(record, foreseen - 1))
      builder.add(record)
      assert.strictEqual(builder.size, foreseen)
    }
    assert.strictEqual(builder.length, records.length)
    assert.strictEqual(builder.build().length, builder.size)
  })

  it("knows it also where indexes and lengths need another byte", () => {
    const builder = new Aggregation.Builder()
    for (let index = 0; index < 300; index++) {
      const record = user(`key-${index}`, "x".repeat(index), String(index))
      const foreseen = builder.sizeWith(record)
      builder.add(record)
      assert.strictEqual(builder.size, foreseen)
    }
    assert.strictEqual(builder.build().length, builder.size)
  })

  it("T59: counts bytes, not UTF-16 units", () => {
    const key = "é".repeat(200)
    assert.strictEqual(Aggregation.size([user(key, "")]) - Aggregation.size([user("", "")]), 400 + 1)
  })

  it("fills an aggregate up to the last byte of a limit of 1 MiB", () => {
    const builder = new Aggregation.Builder()
    const record = user("a", "x".repeat(1000))
    while (builder.fits(record, 2 ** 20)) builder.add(record)
    assert.isAtMost(builder.build().length, 2 ** 20)
    assert.isAbove(builder.sizeWith(record), 2 ** 20)
    const left = 2 ** 20 - builder.sizeWith(user("a", "x".repeat(200)))
    builder.add(user("a", "x".repeat(200 + left)))
    assert.strictEqual(builder.build().length, 2 ** 20)
  })

  it("holds as many records as are read again, and builds nothing of none", () => {
    const builder = new Aggregation.Builder()
    const record = user("a", "")
    for (let count = 0; count < Aggregation.maxUserRecords; count++) builder.add(record)
    assert.isFalse(builder.fits(record, Infinity))
    assert.throws(() => builder.add(record), /at most 65536 user records/)
    assert.strictEqual(read(builder.build()).length, Aggregation.maxUserRecords)
    assert.throws(() => new Aggregation.Builder().build(), /at least one user record/)
  })
})
