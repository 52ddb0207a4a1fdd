import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Resume from "../src/kinesisConsumer/Resume.ts"
import * as ShardPosition from "../src/ShardPosition.ts"

const natural = (maximum: number) => Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum })))

const position: Arbitrary.Arbitrary<ShardPosition.ShardPosition> = Arbitrary.map(
  Arbitrary.all([natural(3), natural(1_000_000), natural(9)]),
  ([kind, number, sub]) => {
    if (kind === 0) return ShardPosition.trimHorizon
    if (kind === 1) return ShardPosition.end
    if (kind === 2) return ShardPosition.atTimestamp(number)
    const sequenceNumber = String(2n ** 70n + BigInt(number % 5))
    return sub === 0 ? ShardPosition.after(sequenceNumber) : ShardPosition.after(sequenceNumber, sub - 1)
  }
)

describe("a position", () => {
  it.prop("comes back as it was written", [position], ([written]) => {
    assert.deepStrictEqual(ShardPosition.decode(ShardPosition.encode(written)), written)
  })

  it.prop(
    "T6: is ordered as the shard is, beyond what a number of JavaScript holds",
    [position, position],
    ([a, b]) => {
      const forwards = ShardPosition.order(a, b)
      assert.strictEqual(forwards + ShardPosition.order(b, a), 0)
      if (forwards === 0) assert.deepStrictEqual(a, b)
    }
  )

  it("T5: a whole record lies behind all of its parts, and before the next record", () => {
    const order = [
      ShardPosition.trimHorizon,
      ShardPosition.after("9", 0),
      ShardPosition.after("9", 1),
      ShardPosition.after("9"),
      ShardPosition.after("10", 0),
      ShardPosition.end
    ]
    assert.deepStrictEqual(order.toReversed().toSorted(ShardPosition.order), order)
  })

  it("what is none is refused", () => {
    for (const text of ["", "LATEST", "1/", "1/-1", "1/01", "01", "1/2/3", "AT_TIMESTAMP/x", "0x1", "1.5"]) {
      assert.isUndefined(ShardPosition.decode(text), text)
    }
  })
})

const record = (sequenceNumber: string) => ({ sequenceNumber, partitionKey: "k", data: new Uint8Array(), arrival: 0 })

describe("going on from a position", () => {
  const page = ["8", "9", "10"].map(record)
  const numbers = (position: Resume.Resumable) => Resume.rest(position, page).map((one) => one.sequenceNumber)

  it("asks for the record of the checkpoint again, and leaves it out when all of it is done", () => {
    assert.deepStrictEqual(Resume.from(ShardPosition.after("9")), { _tag: "At", sequenceNumber: "9" })
    assert.deepStrictEqual(numbers(ShardPosition.after("9")), ["10"])
    assert.deepStrictEqual(numbers(ShardPosition.after("9", 0)), ["9", "10"])
    assert.deepStrictEqual(numbers({ _tag: "TrimHorizon" }), ["8", "9", "10"])
  })

  it("T16: knows that the record of the checkpoint has expired", () => {
    assert.strictEqual(Resume.gap(ShardPosition.after("7"), page), "8")
    assert.isUndefined(Resume.gap(ShardPosition.after("8"), page))
    assert.isUndefined(Resume.gap({ _tag: "TrimHorizon" }, page))
    assert.isUndefined(Resume.gap(ShardPosition.after("7"), []))
  })
})
