/**
 * The rules of an event pattern for one field: what `["buy", { "prefix": "s" }]` means.
 *
 * @see https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A pattern that AWS would refuse.
 *
 * @category errors
 * @since 0.1.0
 */
export class FilterError extends Schema.TaggedError<FilterError>()("FilterError", {
  /** Where in the pattern, such as `data.order.type`. */
  path: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/**
 * What a field holds at its leaves: nothing when it is absent or an object, several when it is a list.
 *
 * @category models
 * @since 0.1.0
 */
export type Leaves = ReadonlyArray<string | number | boolean | null>

/**
 * Whether a field passes.
 *
 * @category models
 * @since 0.1.0
 */
export type Rule = (leaves: Leaves) => boolean

/**
 * Refuses a pattern.
 *
 * @category constructors
 * @since 0.1.0
 */
export const refuse = (path: string, message: string): FilterError =>
  new FilterError({ path, message: `${path === "" ? "the pattern" : path}: ${message}`, retryable: false })

/**
 * The leaves of a value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const leavesOf = (value: unknown): Leaves => {
  if (Array.isArray(value)) return value.flatMap(leavesOf)
  return isLeaf(value) ? [value] : []
}

/**
 * The rule of a field: one of the list has to hold for one of its leaves. Throws a {@link FilterError}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const compile = (rules: ReadonlyArray<unknown>, path: string): Rule => {
  if (rules.length === 0) throw refuse(path, "an empty list matches nothing; name a value or a rule")
  const compiled = rules.map((rule) => (isLeaf(rule) ? some((leaf) => leaf === rule) : operator(rule, path)))
  return (leaves) => compiled.some((rule) => rule(leaves))
}

const isLeaf = (value: unknown): value is Leaves[number] =>
  value === null || typeof value === "string" || typeof value === "number" || typeof value === "boolean"

const some =
  (test: (leaf: Leaves[number]) => boolean): Rule =>
  (leaves) =>
    leaves.some((leaf) => test(leaf))

const someText = (test: (text: string) => boolean): Rule => some((leaf) => typeof leaf === "string" && test(leaf))

const known = "prefix, suffix, equals-ignore-case, wildcard, anything-but, numeric, exists"

const operator = (rule: unknown, path: string): Rule => {
  const [name, operand] = only(rule, path, "a rule has one operator; several rules stand side by side in the list")
  if (name === "exists") return exists(operand, path)
  if (name === "numeric") return numeric(operand, path)
  if (name === "anything-but") return anythingBut(operand, path)
  return someText(text(name, operand, path))
}

const only = (rule: unknown, path: string, message: string): readonly [name: string, operand: unknown] => {
  const [first, ...others] = Object.entries(rule ?? {})
  if (others.length > 0) throw refuse(path, message)
  return first ?? ["", undefined]
}

const exists = (operand: unknown, path: string): Rule => {
  if (typeof operand !== "boolean") throw refuse(path, '"exists" takes true or false')
  return (leaves) => leaves.length > 0 === operand
}

const text = (name: string, operand: unknown, path: string): ((leaf: string) => boolean) => {
  if ((name === "prefix" || name === "suffix") && isObject(operand)) {
    const folded = fold(
      string(operand["equals-ignore-case"], path, `"${name}" takes text or { "equals-ignore-case": text }`)
    )
    return (leaf) => affix(name, fold(leaf), folded)
  }
  if (name === "prefix" || name === "suffix") {
    const wanted = string(operand, path, `"${name}" takes text`)
    return (leaf) => affix(name, leaf, wanted)
  }
  if (name === "equals-ignore-case") {
    const wanted = fold(string(operand, path, `"${name}" takes text`))
    return (leaf) => fold(leaf) === wanted
  }
  if (name === "wildcard") return wildcard(string(operand, path, `"${name}" takes text`), path)
  throw refuse(path, `no operator ${JSON.stringify(name)}; there are ${known}`)
}

const affix = (name: "prefix" | "suffix", leaf: string, wanted: string): boolean =>
  name === "prefix" ? leaf.startsWith(wanted) : leaf.endsWith(wanted)

const fold = (text: string): string => text.toLowerCase()

const string = (value: unknown, path: string, message: string): string => {
  if (typeof value !== "string") throw refuse(path, message)
  return value
}

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

/** A field that is absent does not pass: there is no value that could differ. */
const anythingBut = (operand: unknown, path: string): Rule => {
  if (isObject(operand)) {
    const [name, wanted] = only(operand, path, '"anything-but" takes one operator')
    const tests = (Array.isArray(wanted) ? wanted : [wanted]).map((one) => text(name, one, path))
    return some((leaf) => !(typeof leaf === "string" && tests.some((test) => test(leaf))))
  }
  const values = new Set<unknown>(Array.isArray(operand) ? operand : [operand])
  const kinds = new Set([...values].map((value) => typeof value))
  if (kinds.size !== 1 || !(kinds.has("string") || kinds.has("number"))) {
    throw refuse(path, '"anything-but" takes text, a number, or a list of either')
  }
  return some((leaf) => !values.has(leaf))
}

const comparisons = new Map<unknown, (leaf: number, bound: number) => boolean>([
  ["=", (leaf, bound) => leaf === bound],
  ["<", (leaf, bound) => leaf < bound],
  ["<=", (leaf, bound) => leaf <= bound],
  [">", (leaf, bound) => leaf > bound],
  [">=", (leaf, bound) => leaf >= bound]
])

const numericForm = '"numeric" takes ["=", n], a bound such as ["<", n], or a range such as [">", n, "<=", m]'

const numeric = (operand: unknown, path: string): Rule => {
  const [first, low, second, high, ...rest] = Array.isArray(operand) ? (operand as ReadonlyArray<unknown>) : []
  const lower = comparisons.get(first)
  const upper = second === undefined ? () => true : comparisons.get(second)
  if (lower === undefined || upper === undefined || typeof low !== "number" || rest.length > 0) {
    throw refuse(path, numericForm)
  }
  if (second === undefined) return some((leaf) => typeof leaf === "number" && lower(leaf, low))
  const isRange = (first === ">" || first === ">=") && (second === "<" || second === "<=")
  if (!isRange || typeof high !== "number" || low >= high) throw refuse(path, numericForm)
  return some((leaf) => typeof leaf === "number" && lower(leaf, low) && upper(leaf, high))
}

/** `*` stands for any text, `\*` for a star, `\\` for a backslash. Without regular expressions: no input is slow. */
const wildcard = (pattern: string, path: string): ((leaf: string) => boolean) => {
  if (/(?<!\\)\*\*/.test(pattern)) throw refuse(path, '"wildcard" takes no two stars in a row')
  const [head = "", ...parts] = literals(pattern)
  const tail = parts.pop()
  if (tail === undefined) return (leaf) => leaf === head
  return (leaf) => {
    if (leaf.length < head.length + tail.length || !leaf.startsWith(head) || !leaf.endsWith(tail)) return false
    let at = head.length
    for (const part of parts) {
      const found = leaf.indexOf(part, at)
      if (found === -1) return false
      at = found + part.length
    }
    return at <= leaf.length - tail.length
  }
}

const literals = (pattern: string): ReadonlyArray<string> => {
  const parts = [""]
  for (const [, escaped, plain] of pattern.matchAll(/\\([\\*])|([^])/g)) {
    if (plain === "*") parts.push("")
    else parts.push((parts.pop() ?? "") + (escaped ?? plain ?? ""))
  }
  return parts
}
