/**
 * What a fake Kinesis holds: streams, their shards and records, and the sequence numbers that order them.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../../KinesisClient.ts"
import * as SequenceNumber from "../../SequenceNumber.ts"

/**
 * A record and its place, the latter as a number so that it is parsed once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stored {
  readonly order: bigint
  readonly record: KinesisClient.Record
}

/**
 * A shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shard {
  readonly shardId: string
  readonly index: number
  readonly parents: ReadonlyArray<string>
  readonly children: Array<string>
  readonly hashRange: KinesisClient.HashRange
  readonly records: Array<Stored>
  closedAt: number | undefined
  /** The last record that is no longer retained; -1 when none was lost yet. */
  trimmed: bigint
}

/**
 * A stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stream {
  readonly name: string
  readonly arn: string
  /** Tells the sequence numbers of a stream from those of one that had its name before. */
  readonly generation: number
  readonly createdAt: number
  readonly activeAt: number
  readonly shards: Array<Shard>
  readonly consumers: Map<string, Consumer>
  readonly waiting: Set<() => void>
  settings: Settings
  /** Of the last record. */
  counter: bigint
  nextShard: number
}

/**
 * What can be changed about a stream while it runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  /** Milliseconds. */
  readonly retention: number
  readonly maxRecordBytes: number
  readonly ignoresPartitionKeys: boolean
  readonly mode: "PROVISIONED" | "ON_DEMAND"
  /** `undefined`: CREATING at first, then ACTIVE. */
  readonly status: string | undefined
  /** Whether the end of a shard names its children. AWS's emulators and its own older answers leave them out. */
  readonly namesChildren: boolean
}

/**
 * An enhanced fan-out consumer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Consumer {
  readonly arn: string
  readonly name: string
  readonly activeAt: number
}

/**
 * One more than the largest hash key.
 *
 * @category constants
 * @since 0.1.0
 */
export const hashKeys = 1n << 128n

// 56 digits as AWS's are, far above 2⁶⁴: `4959`, 12 of the generation, 28 of the counter, 12 of the shard.
const base = 4959n * 10n ** 52n
const perGeneration = 10n ** 40n
const perRecord = 10n ** 12n

/**
 * The place that a record gets with a counter.
 *
 * @category getters
 * @since 0.1.0
 */
export const orderOf = (stream: Stream, shard: Shard, counter: bigint): bigint =>
  base + BigInt(stream.generation) * perGeneration + counter * perRecord + BigInt(shard.index)

/**
 * The place that a sequence number of this shard names; `undefined` when it is none or comes from elsewhere.
 *
 * @category getters
 * @since 0.1.0
 */
export const placeOf = (stream: Stream, shard: Shard, sequenceNumber: string): bigint | undefined => {
  const order = SequenceNumber.parse(sequenceNumber)
  if (order === undefined || order < base) return undefined
  const counter = ((order - base) % perGeneration) / perRecord
  return counter <= stream.counter && order === orderOf(stream, shard, counter) ? order : undefined
}

/**
 * Opens a shard over a range.
 *
 * @category transitions
 * @since 0.1.0
 */
export const open = (stream: Stream, hashRange: KinesisClient.HashRange, ...parents: ReadonlyArray<Shard>): Shard => {
  const index = stream.nextShard++
  const shard: Shard = {
    shardId: `shardId-${String(index).padStart(12, "0")}`,
    index,
    parents: parents.map(({ shardId }) => shardId),
    children: [],
    hashRange,
    records: [],
    closedAt: undefined,
    trimmed: -1n
  }
  for (const parent of parents) parent.children.push(shard.shardId)
  stream.shards.push(shard)
  return shard
}

/**
 * Opens shards that divide all hash keys evenly.
 *
 * @category transitions
 * @since 0.1.0
 */
export const openEvenly = (stream: Stream, count: number): void => {
  for (let index = 0; index < count; index++) {
    open(stream, { start: boundary(index, count), end: boundary(index + 1, count) - 1n })
  }
}

/**
 * Where the `index`-th of `count` even ranges begins.
 *
 * @category getters
 * @since 0.1.0
 */
export const boundary = (index: number, count: number): bigint => (hashKeys * BigInt(index)) / BigInt(count)

/**
 * Appends a record to a shard.
 *
 * @category transitions
 * @since 0.1.0
 */
export const append = (
  stream: Stream,
  shard: Shard,
  record: Omit<KinesisClient.Record, "sequenceNumber">
): KinesisClient.Record => {
  stream.counter += 1n
  const order = orderOf(stream, shard, stream.counter)
  const stored = { ...record, sequenceNumber: order.toString() }
  shard.records.push({ order, record: stored })
  return stored
}

/**
 * Drops the records before a place.
 *
 * @category transitions
 * @since 0.1.0
 */
export const trim = (shard: Shard, before: bigint): void => {
  const gone = shard.records.splice(0, firstFrom(shard, before))
  shard.trimmed = gone.at(-1)?.order ?? shard.trimmed
}

/**
 * Lets go of what is older than the retention: records, and closed shards that can hold none any more.
 *
 * @category transitions
 * @since 0.1.0
 */
export const expire = (stream: Stream, now: number): void => {
  const horizon = now - stream.settings.retention
  for (const shard of stream.shards) {
    const kept = shard.records.findIndex(({ record }) => record.arrival > horizon)
    const first = shard.records[kept === -1 ? shard.records.length - 1 : kept]
    if (first !== undefined) trim(shard, kept === -1 ? first.order + 1n : first.order)
  }
  const listed = stream.shards.filter(({ closedAt }) => closedAt === undefined || closedAt > horizon)
  stream.shards.splice(0, stream.shards.length, ...listed)
}

/**
 * The index of the first record at a place or after it.
 *
 * @category getters
 * @since 0.1.0
 */
export const firstFrom = (shard: Shard, place: bigint): number => {
  let low = 0
  let high = shard.records.length
  while (low < high) {
    const middle = (low + high) >>> 1
    const stored = shard.records[middle]
    if (stored !== undefined && stored.order < place) low = middle + 1
    else high = middle
  }
  return low
}

/**
 * Wakes who waits for a change of the stream.
 *
 * @category transitions
 * @since 0.1.0
 */
export const changed = (stream: Stream): void => {
  const waiting = [...stream.waiting]
  stream.waiting.clear()
  for (const wake of waiting) wake()
}
