import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as SequenceNumber from "../src/SequenceNumber.ts"

/** Up to 60 digits, as long as AWS's. */
const number = Arbitrary.map(
  Arbitrary.all([
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER }))),
    Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 130 })))
  ]),
  ([low, shift]) => BigInt(low) << BigInt(shift)
)

describe("a sequence number", () => {
  it.prop("T6: is ordered as the integer it is, however long", [number, number], ([a, b]) => {
    assert.strictEqual(SequenceNumber.isBefore(String(a), String(b)), a < b)
    assert.strictEqual(SequenceNumber.order(String(a), String(b)), a < b ? -1 : a > b ? 1 : 0)
  })

  it.prop(
    "the lowest of several is their minimum",
    [Arbitrary.array(number, { minLength: 1, maxLength: 20 })],
    ([all]) => {
      const lowest = all.reduce((left, right) => (right < left ? right : left))
      assert.strictEqual(SequenceNumber.lowest(all.map(String)), String(lowest))
    }
  )

  it("T6: neither text nor a JavaScript number orders them", () => {
    assert.isTrue(SequenceNumber.isBefore("9", "10"))
    assert.isTrue(SequenceNumber.isBefore("9007199254740992", "9007199254740993"))
  })

  it("is refused when it is no plain decimal", () => {
    for (const text of ["", " ", "-1", "0x10", "1.0", "01", "1e3", "٣"]) assert.isUndefined(SequenceNumber.parse(text))
  })

  it("of none there is no lowest", () => assert.isUndefined(SequenceNumber.lowest([])))
})
