import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Batch from "../../src/eventSourceMapping/Batch.ts"

const source = {
  shardId: "shardId-000000000000",
  streamArn: `arn:aws:kinesis:eu-central-1:123456789012:stream/${"s".repeat(128)}`
}

const record = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 4000 }))),
    Arbitrary.schema(Schema.String)
  ]),
  ([length, partitionKey]) => ({
    sequenceNumber: "49680494546922537181362600444818978798639657068148031490",
    partitionKey,
    data: new Uint8Array(length),
    arrival: 1_764_000_000_123
  })
)
const bounds = Arbitrary.all({
  batchSize: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))),
  payloadBytes: Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1000, maximum: 20_000 })))
})

describe("a batch", () => {
  it.prop(
    "holds no more than an invocation may carry, and never nothing",
    [Arbitrary.array(record, { minLength: 1, maxLength: 12 }), bounds],
    ([records, limits]) => {
      const { count, full } = Batch.fit(records, limits)
      const bytes = Buffer.byteLength(JSON.stringify(Batch.event(records.slice(0, count), source)))
      assert.isAtLeast(count, 1)
      assert.isAtMost(count, limits.batchSize)
      if (count > 1) assert.isAtMost(bytes, limits.payloadBytes)
      if (!full) assert.strictEqual(count, records.length)
    }
  )

  it.prop("counts a record's bytes as the event writes them, within a hundred and fifty", [record], ([one]) => {
    const bytes = Buffer.byteLength(JSON.stringify(Batch.event([one], source).Records[0]))
    assert.isAtLeast(Batch.payload(one), bytes)
    assert.isBelow(Batch.payload(one) - bytes, 150)
  })

  it("cuts at 6 MB of base64, not at the batch size", () => {
    const mebibyte = { sequenceNumber: "1", partitionKey: "k", data: new Uint8Array(1024 * 1024), arrival: 0 }
    const fit = Batch.fit(
      Array.from({ length: 10 }, () => mebibyte),
      { batchSize: 100, payloadBytes: Batch.largestPayload }
    )
    assert.deepStrictEqual(fit, { count: 4, full: true })
  })

  it("a record that fits nowhere is a batch of its own", () => {
    const huge = { sequenceNumber: "1", partitionKey: "k", data: new Uint8Array(10 * 1024 * 1024), arrival: 0 }
    assert.deepStrictEqual(Batch.fit([huge, huge], { batchSize: 100, payloadBytes: Batch.largestPayload }), {
      count: 1,
      full: true
    })
  })

  it("of nothing is empty", () => {
    assert.deepStrictEqual(Batch.fit([], { batchSize: 1, payloadBytes: 1000 }), { count: 0, full: false })
  })
})
