import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import { Watermark } from "../../src/eventSourceMapping/Watermark.ts"

const records = (count: number) =>
  Array.from({ length: count }, (_, index) => ({
    sequenceNumber: String(index),
    partitionKey: "k",
    data: new Uint8Array(index % 7),
    arrival: 0
  }))
const order = Arbitrary.array(
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 1_000_000 }))),
  {
    minLength: 1,
    maxLength: 60
  }
)

describe("T2: the watermark of a shard", () => {
  it.prop("is the end of the longest prefix that is done, in whatever order lanes get done", [order], ([weights]) => {
    const all = records(weights.length)
    const watermark = new Watermark()
    watermark.offer(all)
    const done = new Set<number>()
    const turns = all.map((_, index) => index).toSorted((a, b) => (weights[a] ?? 0) - (weights[b] ?? 0))
    for (const index of turns) {
      watermark.settle(all.slice(index, index + 1))
      done.add(index)
      const gap = all.findIndex((_, at) => !done.has(at))
      const prefix = gap === -1 ? all.length : gap
      assert.strictEqual(watermark.position, prefix === 0 ? undefined : String(prefix - 1))
      assert.deepStrictEqual([watermark.passed, watermark.open], [prefix, all.length - prefix])
    }
    assert.deepStrictEqual([watermark.bytes, watermark.open], [0, 0])
  })

  it("holds nothing that was passed, over a long run", () => {
    const watermark = new Watermark()
    for (let page = 0; page < 100; page++) {
      const read = records(1000)
      watermark.offer(read)
      watermark.settle(read.toReversed())
    }
    assert.deepStrictEqual([watermark.offered, watermark.passed, watermark.open], [100_000, 100_000, 0])
  })
})
