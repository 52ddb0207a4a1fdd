/**
 * Kinesis sequence numbers: decimal strings of up to 128 bits and more that order the records of one shard.
 *
 * Text does not order them (`"9"` is after `"10"`), and a JavaScript number loses their last digits.
 *
 * @since 0.1.0
 */
import * as Order from "effect/Order"

/**
 * The number behind a decimal string, or `undefined` when it is none: empty, signed, blank, hexadecimal.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (text: string): bigint | undefined =>
  /^(0|[1-9]\d{0,128})$/.test(text) ? BigInt(text) : undefined

/**
 * Orders well-formed sequence numbers of one shard. What is malformed comes first, so that it is never skipped over.
 *
 * @category instances
 * @since 0.1.0
 */
export const order: Order.Order<string> = Order.make((left, right) => {
  if (left === right) return 0
  const a = parse(left) ?? -1n
  const b = parse(right) ?? -1n
  return a < b ? -1 : a > b ? 1 : 0
})

/**
 * Whether `left` lies before `right`.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isBefore: (left: string, right: string) => boolean = Order.isLessThan(order)

/**
 * The first of several in the shard's order; `undefined` of none.
 *
 * @category getters
 * @since 0.1.0
 */
export const lowest = (numbers: Iterable<string>): string | undefined => {
  let first: string | undefined
  for (const number of numbers) if (first === undefined || isBefore(number, first)) first = number
  return first
}
