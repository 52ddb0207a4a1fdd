/**
 * Which records of a shard a function is called with: AWS's event filtering (`FilterCriteria`) on Kinesis, pure.
 *
 * **Details**
 *
 * A pattern has the shape of what it matches: objects for objects, at the leaves a list of values and rules of which one
 * has to hold; `$or` takes a list of patterns. A list in the data passes when one of its members does. Data are JSON when
 * they are an object or a list in UTF-8, else plain text:
 *
 * | data | pattern on `data` | record |
 * | --- | --- | --- |
 * | JSON | an object | by the pattern |
 * | plain text | an object | dropped |
 * | JSON | a list of rules | dropped |
 * | plain text | a list of rules | by the rules |
 * | any | none | by the other keys |
 *
 * **Gotchas**
 *
 * An aggregate of the Kinesis Producer Library is no JSON, so a pattern drops it whole. Today AWS documents `data` as
 * the only key; older texts allowed the record's other fields, and so do we. A pattern on a key that no record has
 * would drop everything: AWS takes it, we refuse it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis-filtering.html
 * @since 0.1.0
 */
import * as Result from "effect/Result"

import type * as KinesisClient from "../KinesisClient.ts"
import * as LambdaEvent from "../LambdaEvent.ts"
import * as Matcher from "./filter/Matcher.ts"

/**
 * A pattern: AWS's text, or the object that it stands for.
 *
 * @category models
 * @since 0.1.0
 */
export type Pattern = string | { readonly [key: string]: unknown }

/**
 * Whether a record is sent to the function.
 *
 * @category models
 * @since 0.1.0
 */
export type Filter = (
  record: KinesisClient.Record,
  source: { readonly shardId: string; readonly streamArn: string }
) => boolean

/**
 * How many patterns a mapping takes: 5, and 10 after a request to AWS.
 *
 * @category constants
 * @since 0.1.0
 */
export const largestCount = 10

/**
 * How long the text of a pattern may be.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_Filter.html
 * @category constants
 * @since 0.1.0
 */
export const largestPattern = 4096

/**
 * The filter of several patterns, of which one has to match. Without any every record passes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (patterns: ReadonlyArray<Pattern>): Result.Result<Filter, Matcher.FilterError> =>
  Result.try({
    try: (): Filter => {
      if (patterns.length > largestCount)
        throw Matcher.refuse("", `${patterns.length} filters; AWS takes 5, at most 10`)
      const tests = patterns.map((pattern) => root(read(pattern), ""))
      if (tests.length === 0) return () => true
      return (record, source) => {
        const view = viewOf(record, source)
        return tests.some((test) => test(view))
      }
    },
    catch: (error) =>
      error instanceof Matcher.FilterError ? error : Matcher.refuse("", `can't be read: ${String(error)}`)
  })

type Fields = { readonly [key: string]: unknown }
type Test = (value: unknown) => boolean

const read = (pattern: Pattern): unknown => {
  const text = typeof pattern === "string" ? pattern : JSON.stringify(pattern)
  if (text.length > largestPattern) {
    throw Matcher.refuse("", `${text.length} characters long; AWS takes at most ${largestPattern}`)
  }
  try {
    return JSON.parse(text)
  } catch {
    throw Matcher.refuse("", 'not JSON; write it as {"data":{"field":["value"]}}')
  }
}

/** What patterns are held against: the fields of a record side by side, its data read once and only when asked for. */
const viewOf = (
  record: KinesisClient.Record,
  source: { readonly shardId: string; readonly streamArn: string }
): View => {
  let data: Data | undefined
  let fields: Fields | undefined
  return {
    data: () => (data ??= dataOf(record.data)),
    fields: () => (fields ??= fieldsOf(LambdaEvent.record({ ...source, ...record, data: "" })))
  }
}

interface View {
  readonly data: () => Data
  readonly fields: () => Fields
}

type Data = { readonly _tag: "Json"; readonly value: unknown } | { readonly _tag: "Text"; readonly value: string }

const dataOf = (bytes: Uint8Array): Data => {
  const text = new TextDecoder().decode(bytes)
  if (!/^\s*[[{]/.test(text)) return { _tag: "Text", value: text }
  try {
    return { _tag: "Json", value: JSON.parse(text) }
  } catch {
    return { _tag: "Text", value: text }
  }
}

const fieldsOf = ({ kinesis, ...envelope }: LambdaEvent.LambdaRecord): Fields => ({ ...envelope, ...kinesis })

const rootKeys = new Set([...Object.keys(fieldsOf(LambdaEvent.record({ data: "" }))), "$or"])

const root = (pattern: unknown, path: string): ((view: View) => boolean) => {
  const tests = Object.entries(fieldsIn(pattern, path)).map(([key, value]): ((view: View) => boolean) => {
    const at = path === "" ? key : `${path}.${key}`
    if (!rootKeys.has(key)) throw Matcher.refuse(at, "no record of Kinesis has this key; patterns go on `data`")
    if (key === "$or") return anyOf(alternatives(value, at).map((one, index) => root(one, `${at}[${index}]`)))
    if (key === "data") return onData(value, at)
    const test = compile(value, at)
    return (view) => test(view.fields()[key])
  })
  return (view) => tests.every((test) => test(view))
}

const onData = (value: unknown, path: string): ((view: View) => boolean) => {
  const test = compile(value, path)
  const wanted = Array.isArray(value) ? "Text" : "Json"
  return (view) => view.data()._tag === wanted && test(view.data().value)
}

const compile = (pattern: unknown, path: string): Test => {
  if (!Array.isArray(pattern)) return nested(pattern, path)
  const rule = Matcher.compile(pattern, path)
  return (value) => rule(Matcher.leavesOf(value))
}

const nested = (pattern: unknown, path: string): Test => {
  const tests = Object.entries(fieldsIn(pattern, path)).map(([key, value]): Test => {
    const at = `${path}.${key}`
    if (key === "$or") return anyOf(alternatives(value, at).map((one, index) => nested(one, `${at}[${index}]`)))
    const test = compile(value, at)
    return (fields) => test(fieldOf(fields, key))
  })
  const test: Test = (value) =>
    Array.isArray(value) && value.length > 0 ? value.some((one) => test(one)) : tests.every((one) => one(value))
  return test
}

const fieldsIn = (pattern: unknown, path: string): Fields => {
  if (typeof pattern !== "object" || pattern === null || Array.isArray(pattern)) {
    throw Matcher.refuse(path, 'takes a list of values and rules, such as ["buy"], or an object of such')
  }
  if (Object.keys(pattern).length === 0) throw Matcher.refuse(path, "an empty object matches nothing; name a field")
  return pattern as Fields
}

const alternatives = (value: unknown, path: string): ReadonlyArray<unknown> => {
  if (!Array.isArray(value) || value.length < 2) throw Matcher.refuse(path, "takes a list of at least two patterns")
  return value
}

const anyOf =
  <A>(tests: ReadonlyArray<(value: A) => boolean>) =>
  (value: A): boolean =>
    tests.some((test) => test(value))

const fieldOf = (value: unknown, key: string): unknown =>
  typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Fields)[key] : undefined
