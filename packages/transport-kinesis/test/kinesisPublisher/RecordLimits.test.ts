import { assert, describe, it } from "@effect/vitest"

import * as RecordLimits from "../../src/kinesisPublisher/RecordLimits.ts"

const entry = (partitionKey: string, bytes = 1, explicitHashKey?: string) => ({
  partitionKey,
  data: new Uint8Array(bytes),
  explicitHashKey
})

const reason = (...of: Parameters<typeof entry>) => RecordLimits.faultOf(entry(...of), 1000)?.reason

describe("what a stream takes", () => {
  it("T59: counts data and partition key in bytes of UTF-8, against the stream's limit", () => {
    assert.isUndefined(reason("kkkk", 996))
    assert.strictEqual(reason("kkkk", 997), "TooLarge")
    assert.isUndefined(reason("éé", 996))
    assert.strictEqual(reason("éé", 997), "TooLarge")
    assert.strictEqual(RecordLimits.size(entry("😀", 10)), 14)
    const error = RecordLimits.faultOf(entry("k", 2000), 1000)
    assert.isFalse(error?.retryable)
    assert.match(error?.message ?? "", /2001 bytes.*1000.*UpdateMaxRecordSize/)
  })

  it("T59: takes partition keys of 1 to 256 characters, a character outside the BMP being one", () => {
    assert.strictEqual(reason(""), "Refused")
    assert.isUndefined(reason("k".repeat(256)))
    assert.strictEqual(reason("k".repeat(257)), "Refused")
    assert.isUndefined(RecordLimits.faultOf(entry("😀".repeat(256)), 10_000))
    assert.strictEqual(RecordLimits.faultOf(entry("😀".repeat(257)), 10_000)?.reason, "Refused")
  })

  it("T59: takes explicit hash keys from 0 to 2¹²⁸ − 1, in decimal", () => {
    assert.isUndefined(reason("k", 1, "0"))
    assert.isUndefined(reason("k", 1, String(2n ** 128n - 1n)))
    for (const wrong of [String(2n ** 128n), "-1", "", "1e3", "0x1", "1.5"]) {
      assert.strictEqual(reason("k", 1, wrong), "Refused", wrong)
    }
  })
})
