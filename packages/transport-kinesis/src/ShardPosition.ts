/**
 * How far a shard was processed: what a checkpoint remembers.
 *
 * A record that carries several (an aggregate) is left half way: the position names the last part that is done, so that a
 * restart repeats none of them and misses none.
 *
 * @since 0.1.0
 */
import * as Order from "effect/Order"

import type * as KinesisClient from "./KinesisClient.ts"
import * as SequenceNumber from "./SequenceNumber.ts"

/**
 * Everything before it is done.
 *
 * **Details**
 *
 * `LATEST` is no position: it says something else each time it is asked. It is resolved once, to `AtTimestamp`.
 *
 * @category models
 * @since 0.1.0
 */
export type ShardPosition =
  | { readonly _tag: "TrimHorizon" }
  | { readonly _tag: "AtTimestamp"; readonly at: number }
  | After
  | { readonly _tag: "End" }

/**
 * All up to this record is done; of an aggregate, up to this part.
 *
 * @category models
 * @since 0.1.0
 */
export interface After {
  readonly _tag: "After"
  readonly sequenceNumber: string
  /** Index of the last part that is done. `undefined`: the whole record. */
  readonly subSequence: number | undefined
}

/**
 * The oldest record that the stream retains.
 *
 * @category constants
 * @since 0.1.0
 */
export const trimHorizon: ShardPosition = { _tag: "TrimHorizon" }

/**
 * Every record of a closed shard is done: its children may be read.
 *
 * @category constants
 * @since 0.1.0
 */
export const end: ShardPosition = { _tag: "End" }

/**
 * The first record that arrived at `at` (epoch milliseconds) or later.
 *
 * @category constructors
 * @since 0.1.0
 */
export const atTimestamp = (at: number): ShardPosition => ({ _tag: "AtTimestamp", at })

/**
 * All up to a record, or up to a part of it, is done.
 *
 * @category constructors
 * @since 0.1.0
 */
export const after = (sequenceNumber: string, subSequence?: number): After => ({
  _tag: "After",
  sequenceNumber,
  subSequence
})

/**
 * Orders positions of one shard. A whole record lies behind all of its parts.
 *
 * @category instances
 * @since 0.1.0
 */
export const order: Order.Order<ShardPosition> = Order.make((left, right) => {
  if (left._tag === "After" && right._tag === "After") {
    const bySequence = SequenceNumber.order(left.sequenceNumber, right.sequenceNumber)
    if (bySequence !== 0) return bySequence
    return Order.Number(left.subSequence ?? Infinity, right.subSequence ?? Infinity)
  }
  if (left._tag === "AtTimestamp" && right._tag === "AtTimestamp") return Order.Number(left.at, right.at)
  return Order.Number(rank[left._tag], rank[right._tag])
})

const rank = { TrimHorizon: 0, AtTimestamp: 1, After: 2, End: 3 } as const

/**
 * Where Kinesis is to be read from. Half-way through an aggregate that record comes again, and the parts that are done
 * are left out by who reads.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toStart = (position: Exclude<ShardPosition, { readonly _tag: "End" }>): KinesisClient.Position => {
  if (position._tag !== "After") return position
  const { sequenceNumber, subSequence } = position
  return { _tag: subSequence === undefined ? "After" : "At", sequenceNumber }
}

/**
 * As text: `TRIM_HORIZON`, `AT_TIMESTAMP/1767225600000`, `4959…`, `4959…/3` or `SHARD_END`.
 *
 * @category encoding
 * @since 0.1.0
 */
export const encode = (position: ShardPosition): string => {
  if (position._tag === "TrimHorizon") return "TRIM_HORIZON"
  if (position._tag === "AtTimestamp") return `AT_TIMESTAMP/${position.at}`
  if (position._tag === "End") return "SHARD_END"
  return deliveryPosition(position.sequenceNumber, position.subSequence)
}

/**
 * The position behind a text; `undefined` when it is none.
 *
 * @category encoding
 * @since 0.1.0
 */
export const decode = (text: string): ShardPosition | undefined => {
  if (text === "TRIM_HORIZON") return trimHorizon
  if (text === "SHARD_END") return end
  const at = /^AT_TIMESTAMP\/(\d{1,15})$/.exec(text)?.[1]
  if (at !== undefined) return atTimestamp(Number(at))
  const [sequenceNumber = "", subSequence, ...rest] = text.split("/")
  if (rest.length > 0 || SequenceNumber.parse(sequenceNumber) === undefined) return undefined
  if (subSequence === undefined) return after(sequenceNumber)
  return /^(0|[1-9]\d{0,8})$/.test(subSequence) ? after(sequenceNumber, Number(subSequence)) : undefined
}

/**
 * The `position` of a delivery: the sequence number of its record, and its index where the record carries several.
 *
 * @category constructors
 * @since 0.1.0
 */
export const deliveryPosition = (sequenceNumber: string, subSequence?: number): string =>
  subSequence === undefined ? sequenceNumber : `${sequenceNumber}/${subSequence}`

/**
 * The sequence number in the `position` of a delivery.
 *
 * @category getters
 * @since 0.1.0
 */
export const sequenceNumberOf = (position: string): string => {
  const slash = position.indexOf("/")
  return slash === -1 ? position : position.slice(0, slash)
}
