import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import * as Filter from "../../src/eventSourceMapping/Filter.ts"

const source = {
  shardId: "shardId-000000000003",
  streamArn: "arn:aws:kinesis:eu-central-1:000000000000:stream/orders"
}
const record = (data: unknown, partitionKey = "k") => ({
  sequenceNumber: "1",
  partitionKey,
  data: data instanceof Uint8Array ? data : Buffer.from(typeof data === "string" ? data : JSON.stringify(data)),
  arrival: 1_764_000_000_000
})
const passes = (patterns: ReadonlyArray<Filter.Pattern>, data: unknown, partitionKey?: string): boolean =>
  Result.getOrThrow(Filter.make(patterns))(record(data, partitionKey), source)
const onField = (rules: unknown, value: unknown): boolean =>
  passes([{ data: { field: rules } }], value === undefined ? { other: 1 } : { field: value })

describe("a rule", () => {
  const table: ReadonlyArray<
    [sentence: string, rules: unknown, yes: ReadonlyArray<unknown>, no: ReadonlyArray<unknown>]
  > = [
    ["a text equals itself, in its case", ["buy"], ["buy"], ["Buy", "buys", "", 1, null, undefined, {}]],
    ["a number equals itself, however it is written", [300], [300, 3e2], ["300", 301, undefined]],
    ["true is no text", [true], [true], ["true", 1, false, undefined]],
    ["null is a value, absent is none", [null], [null], [undefined, "", 0, "null"]],
    ["the empty text is a value", [""], [""], [null, undefined, " "]],
    ["one of several values", ["a", "b", 3], ["a", "b", 3], ["c", "3"]],
    ["a list passes with one of its members", ["a"], [["x", "a"]], [["x", "y"], []]],
    ["prefix", [{ prefix: "ab" }], ["ab", "abc"], ["a", "xab", "Abc", 1, undefined]],
    ["prefix in any case", [{ prefix: { "equals-ignore-case": "AB" } }], ["abc", "ABc"], ["bab"]],
    ["suffix", [{ suffix: ".png" }], ["a.png", ".png"], ["a.PNG", "png", undefined]],
    ["suffix in any case", [{ suffix: { "equals-ignore-case": ".png" } }], ["a.PNG"], ["a.jpg"]],
    ["equals in any case", [{ "equals-ignore-case": "Alice" }], ["alice", "ALICE"], ["alic", undefined]],
    ["anything but a text", [{ "anything-but": "x" }], ["y", 1, null], ["x", undefined, {}]],
    ["anything but a number", [{ "anything-but": 5 }], [6, "5"], [5, undefined]],
    ["anything but one of a list", [{ "anything-but": ["a", "b"] }], ["c"], ["a", "b", undefined]],
    ["anything but a prefix", [{ "anything-but": { prefix: "in" } }], ["out"], ["in", "init"]],
    ["anything but several suffixes", [{ "anything-but": { suffix: ["a", "b"] } }], ["c"], ["xa", "xb"]],
    ["numeric equality", [{ numeric: ["=", 100] }], [100], [101, "100", undefined]],
    ["a bound", [{ numeric: ["<", 0] }], [-1, -0.5], [0, 1, "-1"]],
    ["a range, its ends as they say", [{ numeric: [">", 0, "<=", 5] }], [0.1, 5], [0, 5.1]],
    ["exists: any leaf", [{ exists: true }], ["", null, 0, [1]], [undefined, {}, []]],
    ["exists is about leaves: an object is none", [{ exists: false }], [undefined, { a: 1 }], ["", null]],
    ["a rule or a value", ["a", { numeric: [">", 5] }, { exists: false }], ["a", 6, undefined], ["b", 5]],
    ["wildcard", [{ wildcard: "a*c" }], ["ac", "abc", "abcc"], ["ab", "xac", "acx"]],
    ["wildcard in the middle, twice", [{ wildcard: "*b*d*" }], ["bd", "abcde"], ["db", "b"]],
    ["wildcard of a star itself", [{ wildcard: "a\\*" }], ["a*"], ["ab", "a"]],
    ["a wildcard's parts don't overlap", [{ wildcard: "aba*aba" }], ["abaaba"], ["aba", "ababa"]]
  ]
  for (const [sentence, rules, yes, no] of table) {
    it(sentence, () => {
      for (const value of yes) assert.isTrue(onField(rules, value), `${JSON.stringify(value)} passes`)
      for (const value of no) assert.isFalse(onField(rules, value), `${JSON.stringify(value)} does not pass`)
    })
  }

  it("a wildcard is fast on what is made to be slow", () => {
    assert.isFalse(onField([{ wildcard: `${"a*".repeat(500)}b` }], "a".repeat(100_000)))
  })
})

describe("a pattern", () => {
  it("needs all of its fields, however deep", () => {
    const pattern = { data: { order: { type: ["buy"], quantity: [{ numeric: [">=", 10] }] } } }
    assert.isTrue(passes([pattern], { record: 1, order: { type: "buy", quantity: 10, more: true } }))
    assert.isFalse(passes([pattern], { order: { type: "buy", quantity: 9 } }))
    assert.isFalse(passes([pattern], { type: "buy", quantity: 10 }))
  })

  it("is AWS's text as well as the object that it stands for", () => {
    assert.isTrue(passes(['{"data":{"a":["1"]}}'], { a: "1" }))
  })

  it("finds its fields in one object of a list, not across several", () => {
    const pattern = { data: { items: { kind: ["book"], price: [5] } } }
    assert.isTrue(passes([pattern], { items: [{ kind: "pen" }, { kind: "book", price: 5 }] }))
    assert.isFalse(passes([pattern], { items: [{ kind: "book" }, { price: 5 }] }))
  })

  it("holds with one side of its $or, beside its other fields", () => {
    const pattern = { data: { city: ["Ulm"], $or: [{ a: [1] }, { b: [2] }] } }
    assert.isTrue(passes([pattern], { city: "Ulm", b: 2 }))
    assert.isFalse(passes([pattern], { city: "Ulm", b: 3 }))
    assert.isFalse(passes([pattern], { city: "Bonn", b: 2 }))
    assert.isTrue(passes([{ $or: [{ partitionKey: ["x"] }, { data: { a: [1] } }] }], { a: 1 }))
  })

  it("of several one is enough; of none every record passes", () => {
    assert.isTrue(passes([{ data: { a: [1] } }, { data: { a: [2] } }], { a: 2 }))
    assert.isFalse(passes([{ data: { a: [1] } }, { data: { a: [2] } }], { a: 3 }))
    assert.isTrue(passes([], "anything"))
  })

  it("may look at the record's other fields", () => {
    assert.isTrue(passes([{ partitionKey: [{ prefix: "user-" }] }], "no json", "user-1"))
    assert.isFalse(passes([{ partitionKey: [{ prefix: "user-" }] }], "no json", "shop-1"))
    assert.isTrue(passes([{ eventSourceARN: [source.streamArn], awsRegion: ["eu-central-1"] }], "x"))
  })

  it("does not take a prototype for a field", () => {
    assert.isFalse(passes([{ data: { constructor: { name: [{ exists: true }] } } }], { a: 1 }))
    assert.isTrue(passes(['{"data":{"__proto__":{"a":[1]}}}'], '{"__proto__":{"a":1}}'))
  })
})

describe("data and pattern", () => {
  const json = { data: { a: [{ exists: false }] } }
  const text = { data: [{ prefix: "he" }] }
  const aggregate = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2, 1, 2, 3)
  const table: ReadonlyArray<[sentence: string, pattern: Filter.Pattern, data: unknown, passes: boolean]> = [
    ["JSON data and a JSON pattern: by the pattern", json, { b: 1 }, true],
    ["a list is JSON", { data: { a: [1] } }, [{ a: 1 }], true],
    ["text and a JSON pattern: dropped, whatever the pattern", json, "hello", false],
    ["a JSON number is text", json, "5", false],
    ["truncated JSON is text", json, '{"b":1', false],
    ["no UTF-8 is text", json, Uint8Array.of(0xff, 0xfe), false],
    ["empty data are text", json, "", false],
    ["an aggregate of the KPL is text", json, aggregate, false],
    ["text and a text pattern: by the pattern", text, "hello", true],
    ["text that the pattern does not want", text, "bye", false],
    ["JSON data and a text pattern: dropped", { data: [{ exists: false }] }, { a: 1 }, false],
    ["text without a pattern on data: by the other keys", { partitionKey: ["k"] }, "hello", true]
  ]
  for (const [sentence, pattern, data, expected] of table) {
    it(sentence, () => assert.strictEqual(passes([pattern], data), expected))
  }
})

describe("a pattern that AWS refuses, or that would drop everything", () => {
  const table: ReadonlyArray<[pattern: Filter.Pattern, says: string]> = [
    ["{nope", "not JSON"],
    ["[]", "takes a list of values"],
    [{}, "empty object"],
    [{ data: {} }, "data: an empty object"],
    [{ data: { a: [] } }, "data.a: an empty list"],
    [{ data: { a: "x" } }, "data.a: takes a list"],
    [{ data: { a: [{ prefix: 1 }] } }, 'data.a: "prefix" takes text'],
    [{ data: { a: [{ like: "x" }] } }, 'no operator "like"'],
    [{ data: { a: [{ prefix: "x", suffix: "y" }] } }, "one operator"],
    [{ data: { a: [["x"]] } }, "no operator"],
    [{ data: { a: [{ exists: "yes" }] } }, "true or false"],
    [{ data: { a: [{ numeric: ["~", 1] }] } }, '"numeric" takes'],
    [{ data: { a: [{ numeric: ["<", 1, ">", 0] }] } }, '"numeric" takes'],
    [{ data: { a: [{ numeric: [">", 5, "<", 1] }] } }, '"numeric" takes'],
    [{ data: { a: [{ numeric: [">", "5"] }] } }, '"numeric" takes'],
    [{ data: { a: [{ "anything-but": [] }] } }, '"anything-but" takes'],
    [{ data: { a: [{ "anything-but": ["x", 1] }] } }, '"anything-but" takes'],
    [{ data: { a: [{ wildcard: "a**b" }] } }, "no two stars"],
    [{ data: { $or: [{ a: [1] }] } }, "at least two"],
    [{ body: { a: [1] } }, "no record of Kinesis has this key"],
    [{ data: { a: ["x".repeat(5000)] } }, "at most 4096"]
  ]
  for (const [pattern, says] of table) {
    it(`${says}: ${JSON.stringify(pattern).slice(0, 60)}`, () => {
      const error = Result.getOrThrow(Result.flip(Filter.make([pattern])))
      assert.strictEqual(error._tag, "FilterError")
      assert.include(error.message, says)
    })
  }

  it("more than ten", () => {
    const error = Result.flip(Filter.make(Array.from({ length: 11 }, () => ({ data: { a: [1] } }))))
    assert.include(Result.getOrThrow(error).message, "at most 10")
  })
})

const leaf = Arbitrary.schema(Schema.Union([Schema.String, Schema.Finite, Schema.Boolean, Schema.Null]))
const object = Arbitrary.map(
  Arbitrary.array(Arbitrary.all([Arbitrary.schema(Schema.String), leaf]), { minLength: 1, maxLength: 5 }),
  (entries) => Object.fromEntries(entries.filter(([key]) => key !== "$or" && key !== "__proto__"))
)

describe("any object", () => {
  it.prop("matches the pattern of its own leaves, and not one with a leaf changed", [object], ([fields]) => {
    const keys = Object.keys(fields)
    if (keys.length === 0) return
    const pattern = Object.fromEntries(keys.map((key) => [key, [fields[key]]]))
    if (JSON.stringify({ data: pattern }).length > Filter.largestPattern) return
    assert.isTrue(passes([{ data: pattern }], fields))
    const [key = ""] = keys
    assert.isFalse(passes([{ data: { ...pattern, [key]: [`${String(fields[key])}!`] } }], fields))
  })

  it.prop("is never an error, whatever the bytes", [Arbitrary.schema(Schema.Uint8Array)], ([bytes]) => {
    assert.isBoolean(passes([{ data: { a: { b: [{ exists: false }] } } }, { data: ["x"] }], bytes))
  })
})
