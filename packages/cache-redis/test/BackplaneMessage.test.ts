import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import { decode, encode } from "../src/internal/backplaneMessage.ts"

const Millis = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

describe("a message of a cache", () => {
  it.prop("comes as it was sent", [Schema.String, Schema.Array(Schema.String), Millis], ([from, keys, at]) => {
    assert.deepStrictEqual(decode(encode({ from, keys, at })), { from, keys, at })
  })

  it.prop("is nothing else", [Schema.String], ([text]) => {
    const found = decode(text)
    if (found !== undefined) assert.strictEqual(encode(found), JSON.stringify(JSON.parse(text)))
  })

  it("has bounds", () => {
    for (const text of [
      "",
      "{}",
      "[]",
      "null",
      '[2,"a",1]',
      "[1,1,1]",
      '[1,"a",-1]',
      '[1,"a",1.5]',
      '[1,"a",1,2]',
      JSON.stringify([1, "a", 1, "k".repeat(5_000)]),
      JSON.stringify([1, "a", 1, ...Array.from({ length: 10_001 }, () => "k")]),
      JSON.stringify([1, "a", 1, ...Array.from({ length: 500 }, () => "k".repeat(4_000))])
    ]) {
      assert.isUndefined(decode(text), text.slice(0, 40))
    }
  })
})
