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

describe("a list of packed integers", () => {
  const packed = CacheCodec.packedInts({ max: 5_000, maxLength: 6 })
  const wide = CacheCodec.packedInts()

  it.prop(
    "comes back as it was written",
    [Schema.Array(Schema.Int.check(Schema.isGreaterThanOrEqualTo(0)))],
    ([list]) => {
      const kept = list.slice(0, 1_000)
      assert.deepStrictEqual(wide.decode(wide.encode(kept)), kept)
    }
  )

  it("comes back at every width", () => {
    const list = Array.from({ length: 54 }, (_, bits) => 2 ** bits - 1).concat(Number.MAX_SAFE_INTEGER)
    assert.deepStrictEqual(wide.decode(wide.encode(list)), list)
  })

  it.prop("is nothing that isn't spelt exactly so", [Schema.Uint8Array], ([bytes]) => {
    const marked = new Uint8Array([1, ...bytes])
    const value = wide.decode(marked)
    if (value !== undefined) assert.deepStrictEqual(new Uint8Array(wide.encode(value)), marked)
  })

  it("keeps its bounds", () => {
    assert.isUndefined(packed.decode(wide.encode([5_001])))
    assert.isUndefined(packed.decode(wide.encode([1, 2, 3, 4, 5, 6, 7])))
    assert.deepStrictEqual(packed.decode(wide.encode([])), [])
    assert.isUndefined(packed.decode(Buffer.from([1, 0x80])))
    assert.isUndefined(packed.decode(Buffer.from([1, 0x81, 0x00])))
    assert.isUndefined(packed.decode(Buffer.from([1, ...Array.from({ length: 7 }, () => 0xff), 0x7f])))
  })

  it("is written as what can't be read where it holds something else", () => {
    for (const list of [[-1], [1.5], [Number.NaN], [2 ** 53]]) assert.isUndefined(wide.decode(wide.encode(list)))
  })

  it("may be read beside what was there before", () => {
    const both = CacheCodec.orElse(packed, codec)
    assert.deepStrictEqual(both.decode(Buffer.from("[1, 2]")), [1, 2])
    assert.deepStrictEqual(both.decode(both.encode([1, 2])), [1, 2])
    assert.strictEqual(both.encode([1])[0], 1)
  })
})
