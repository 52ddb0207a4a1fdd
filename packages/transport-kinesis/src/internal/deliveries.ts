/**
 * Records of a shard as deliveries: one each, and for an aggregate one each of its user records.
 *
 * An aggregate that can't be read is one delivery with a fault, which holds all of its bytes: it is parked or
 * dead-lettered like any other that can't be read.
 */
import type { Delivery } from "@leat/core/Delivery"

import * as Aggregation from "../Aggregation.ts"
import * as HashKey from "../HashKey.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import * as ShardPosition from "../ShardPosition.ts"

/** Which user records of aggregates are delivered. */
export interface Options {
  /** The hash keys of the shard, and what becomes of user records of others. Left out: nobody looks. */
  readonly hashRange?:
    | { readonly policy: Aggregation.HashRangePolicy; readonly range: KinesisClient.HashRange }
    | undefined
  /** How far the shard is done. Of an aggregate that was left half way, the parts that are done are left out. */
  readonly from?: ShardPosition.ShardPosition | undefined
  /** Told of an aggregate with user records of other shards, by either policy. */
  readonly onOutOfRange?: ((found: OutOfRange) => void) | undefined
}

/** User records of an aggregate that belong to other shards than the one it lies in. */
export interface OutOfRange {
  /** Of the aggregate. */
  readonly sequenceNumber: string
  readonly count: number
  /** Whether they were left out. */
  readonly dropped: boolean
}

/** The partition of a shard: streams share the names of their shards, and a worker may read several. */
export const partitionOf = (stream: string, shardId: string): string =>
  stream === "" ? shardId : `${stream}/${shardId}`

/**
 * The deliveries of records of one shard, in order. What is no aggregate costs one look at four bytes.
 *
 * A record whose user records are all left out has none: a page ends with its last record, not with its last delivery.
 */
export const fromRecords = (
  partition: string,
  records: ReadonlyArray<KinesisClient.Record>,
  options: Options = {}
): ReadonlyArray<Delivery> => {
  const deliveries: Array<Delivery> = []
  for (const { arrival, data: bytes, partitionKey, sequenceNumber: position } of records) {
    const outer = { partition, position, partitionKey, attempt: 1, arrival, bytes, fault: undefined }
    if (Aggregation.hasMagic(bytes)) pushParts(deliveries, outer, options)
    else deliveries.push(outer)
  }
  return deliveries
}

const pushParts = (deliveries: Array<Delivery>, outer: Delivery, options: Options): void => {
  const reading = Aggregation.read(outer.bytes)
  if (reading._tag === "Aggregate") pushUserRecords(deliveries, outer, reading, options)
  else deliveries.push(single(outer, reading))
}

const pushUserRecords = (
  deliveries: Array<Delivery>,
  outer: Delivery,
  aggregate: Aggregation.Aggregate,
  options: Options
): void => {
  const isOutside = outsideOf(aggregate, options.hashRange?.range)
  const dropped = options.hashRange?.policy === "kpl-strict"
  let count = 0
  for (let index = firstOf(outer, options.from); index < aggregate.length; index++) {
    const belongs = isOutside?.(index) !== true
    if (!belongs) count += 1
    if (belongs || !dropped) deliveries.push(part(outer, aggregate, index))
  }
  if (count > 0) options.onOutOfRange?.({ sequenceNumber: outer.position, count, dropped })
}

/** The first part that is not done. */
const firstOf = (outer: Delivery, from: ShardPosition.ShardPosition | undefined): number => {
  if (from?._tag !== "After" || from.sequenceNumber !== outer.position) return 0
  return (from.subSequence ?? Infinity) + 1
}

/** What carries no user records is delivered as it came. */
export const single = (outer: Delivery, reading: Exclude<Aggregation.Reading, Aggregation.Aggregate>): Delivery =>
  reading._tag === "Plain"
    ? outer
    : { ...outer, fault: `an aggregate that can't be read: ${reading.message} [${reading.reason}]` }

/** One user record of an aggregate. */
export const part = (outer: Delivery, aggregate: Aggregation.Aggregate, index: number): Delivery => ({
  partition: outer.partition,
  position: ShardPosition.deliveryPosition(outer.position, index),
  partitionKey: aggregate.partitionKey(index),
  attempt: outer.attempt,
  arrival: outer.arrival,
  bytes: aggregate.data(index),
  fault: undefined
})

/** `undefined` where every record belongs: nothing is hashed then. A key is hashed once. */
const outsideOf = (
  aggregate: Aggregation.Aggregate,
  range: KinesisClient.HashRange | undefined
): ((index: number) => boolean) | undefined => {
  if (range === undefined || (range.start <= 0n && range.end >= HashKey.largest)) return undefined
  const byKey = new Map<string, boolean>()
  return (index) => {
    const explicitHashKey = aggregate.explicitHashKey(index)
    if (explicitHashKey !== undefined) return isOutside(HashKey.parse(explicitHashKey), range)
    const partitionKey = aggregate.partitionKey(index)
    const outside = byKey.get(partitionKey) ?? isOutside(HashKey.ofPartitionKey(partitionKey), range)
    byKey.set(partitionKey, outside)
    return outside
  }
}

/** An explicit hash key that is none belongs nowhere, so nobody puts its record again: it stays. */
const isOutside = (key: bigint | undefined, range: KinesisClient.HashRange): boolean =>
  key !== undefined && !HashKey.isWithin(key, range)
