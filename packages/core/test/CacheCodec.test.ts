import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import * as CacheCodec from "../src/CacheCodec.ts"

const max = 5_000
const maxLength = 6
const codec = CacheCodec.ints({ max, maxLength })

const decode = (text: string) => codec.decode(Buffer.from(text))

/** What JSON.parse says, where the text uses nothing but what a list of integers needs. */
const oracle = (text: string): ReadonlyArray<number> | undefined => {
  if (!/^[\d,[\] \t\r\n]*$/.test(text)) return undefined
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return undefined
  }
  const fits = (item: unknown) => typeof item === "number" && item <= max
  return Array.isArray(value) && value.length <= maxLength && value.every(fits) ? value : undefined
}

/** Texts near the grammar: random strings hardly ever are lists. */
const Piece = Schema.Literals([
  "[",
  "]",
  ",",
  "0",
  "1",
  "7",
  "42",
  "5000",
  "5001",
  "00",
  " ",
  "\n\t",
  "\r",
  "-",
  ".",
  "e",
  '"',
  "x"
])
const Near = Schema.Array(Piece)
const List = Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: max }))).check(
  Schema.isMaxLength(maxLength)
)

describe("a list of integers", () => {
  it.prop("comes back as it was written", [List], ([list]) => {
    const bare = list.map(Math.abs)
    assert.deepStrictEqual(codec.decode(codec.encode(bare)), bare)
    assert.strictEqual(String(codec.encode(bare)), JSON.stringify(bare))
  })

  it.prop("is read in any layout of JSON", [List], ([list]) => {
    const bare = list.map(Math.abs)
    assert.deepStrictEqual(decode(JSON.stringify(bare, null, 4)), bare)
    assert.deepStrictEqual(decode(` [ ${bare.join(" ,\t")} ]\r\n`), bare)
  })

  it.prop(
    "is read exactly where JSON.parse reads one",
    [Near],
    ([pieces]) => {
      const text = pieces.join("")
      assert.deepStrictEqual(decode(text), oracle(text), JSON.stringify(text))
      const inside = `[${text}]`
      assert.deepStrictEqual(decode(inside), oracle(inside), JSON.stringify(inside))
    },
    { arbitrary: { runs: 3_000 } }
  )

  it.prop(
    "is nothing else, whatever the bytes, and reading never throws",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 255 })))],
    ([bytes]) => {
      const found = codec.decode(Uint8Array.from(bytes))
      assert.isTrue(found === undefined || found.every((int) => Number.isInteger(int) && int >= 0 && int <= max))
    },
    { arbitrary: { runs: 1_000 } }
  )

  for (const text of [
    "",
    " ",
    "[",
    "]",
    "[1",
    "1]",
    "[1,]",
    "[,1]",
    "[1,,2]",
    "[1 2]",
    "[1]]",
    "[1]x",
    "[[1]]",
    "null",
    "{}",
    '"1"',
    "[null]",
    "[-1]",
    "[-0]",
    "[1.5]",
    "[1.0]",
    "[1e2]",
    "[01]",
    "[00]",
    "[5001]",
    "[99999999999999999999999]",
    "[1,2,3,4,5,6,7]",
    '["1"]',
    "\ufeff[1]",
    "[1]\0",
    "[1\u00a0]"
  ]) {
    it(`is not ${JSON.stringify(text)}`, () => assert.isUndefined(decode(text)))
  }

  it("is not a long stretch of white space either", () => {
    assert.isUndefined(decode(`[1${" ".repeat(1_000_000)}]`))
  })

  it("is read up to the largest safe integer by default", () => {
    const wide = CacheCodec.ints()
    assert.deepStrictEqual(wide.decode(Buffer.from("[9007199254740991]")), [Number.MAX_SAFE_INTEGER])
    assert.isUndefined(wide.decode(Buffer.from("[9007199254740992]")))
    assert.isUndefined(wide.decode(Buffer.from("[9007199254740993]")))
  })
})

describe("a value with a Schema", () => {
  const User = Schema.Struct({ name: Schema.String, born: Schema.DateTimeUtcFromString })
  const users = CacheCodec.json(User, { maxBytes: 100 })

  it("comes back as it was written", () => {
    const ada = Schema.decodeSync(User)({ name: "Ada", born: "1815-12-10T00:00:00Z" })
    assert.deepStrictEqual(users.decode(users.encode(ada)), ada)
    assert.deepStrictEqual(users.decode(Buffer.from('{"name":"Ada","born":"1815-12-10T00:00:00Z"}')), ada)
  })

  it("is nothing else, and no larger than allowed", () => {
    for (const text of ["", "{", "[]", '{"name":1}', `{"name":"${"a".repeat(200)}","born":"1815-12-10T00:00:00Z"}`]) {
      assert.isUndefined(users.decode(Buffer.from(text)))
    }
  })

  it("that can't be encoded is a miss, not a throw", () => {
    const positive = CacheCodec.json(Schema.Int.check(Schema.isGreaterThan(0)))
    assert.isUndefined(positive.decode(positive.encode(-1)))
  })
})
