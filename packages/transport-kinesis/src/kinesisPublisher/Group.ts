/**
 * The envelopes that go out as one record: one, or several of one key as an aggregate.
 *
 * @since 0.1.0
 */
import * as Aggregation from "../Aggregation.ts"
import type { Entry } from "../KinesisClient.ts"
import type { Call } from "./Call.ts"
import type { Fault } from "./Verdict.ts"

/**
 * An envelope that was not accepted yet.
 *
 * @category models
 * @since 0.1.0
 */
export interface Waiting extends Entry {
  readonly call: Call
  /** Its place in the call. */
  readonly index: number
  /** Data and partition key in bytes. */
  readonly size: number
  /** Tries so far. */
  readonly tries: number
  /** Epoch milliseconds before which it isn't tried again. */
  readonly notBefore: number
  /** Why the last try failed. */
  readonly fault: Fault | undefined
}

/**
 * What goes out as one record.
 *
 * @category models
 * @since 0.1.0
 */
export interface Group {
  readonly members: ReadonlyArray<Waiting>
  /** Data and partition key of the record in bytes. */
  readonly size: number
  /** Holds the members where they are several. */
  readonly builder: Aggregation.Builder | undefined
}

/**
 * The group at the head of a lane: as many of its first envelopes as share its explicit hash key and fit in
 * `aggregateBytes` with their key; its first alone where nothing is aggregated (`undefined`).
 *
 * @category constructors
 * @since 0.1.0
 */
export const atHead = (
  lane: ReadonlyArray<Waiting>,
  aggregateBytes: number | undefined,
  now: number
): Group | undefined => {
  const first = lane[0]
  const second = lane[1]
  if (first === undefined) return undefined
  if (aggregateBytes === undefined || second === undefined || !together(first, second, now)) return alone(first)
  const limit = aggregateBytes - Buffer.byteLength(first.partitionKey)
  const builder = new Aggregation.Builder()
  let count = 0
  for (const next of lane) {
    if (!together(first, next, now) || !builder.fits(next, limit)) break
    builder.add(next)
    count++
  }
  if (count < 2) return alone(first)
  return { members: lane.slice(0, count), size: builder.size + Buffer.byteLength(first.partitionKey), builder }
}

const alone = (waiting: Waiting): Group => ({ members: [waiting], size: waiting.size, builder: undefined })

const together = (first: Waiting, next: Waiting, now: number): boolean =>
  next.explicitHashKey === first.explicitHashKey && next.notBefore <= now

/**
 * The record of a group. An aggregate has its members' own key, so it lies in their shard, and whoever spreads records by
 * key keeps their order.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toEntry = ({ builder, members: [first] }: Group): Entry => {
  if (first === undefined) throw new RangeError("a group has at least one member")
  const { data, explicitHashKey, partitionKey } = first
  return { data: builder === undefined ? data : builder.build(), partitionKey, explicitHashKey }
}
