/**
 * Aggregates of the Kinesis Producer Library: many user records in one record of a stream.
 *
 * **Guarantees.** Reading never throws and loses nothing: what carries no valid aggregate is a plain record, and an
 * aggregate whose MD5 is right but whose message is not says what is wrong. What was read are views, not copies. What is
 * written is what the KPL and `aws-kinesis-agg` write of the same records, byte for byte. No code is generated, nothing
 * is looked up in an object: every key is a good key.
 *
 * **Gotchas.** The views hold the whole aggregate in memory as long as one of them lives. An aggregate lies in the shard
 * of its outer partition key; user records of other keys may belong to other shards (see {@link HashRangePolicy}), so
 * aggregate by partition key. A key that is no well-formed Unicode is written as UTF-8 can write it, with U+FFFD. Node
 * in FIPS mode has no MD5: there reading an aggregate throws.
 *
 * @see https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
 * @since 0.1.0
 */
import type { Aggregate } from "./aggregation/Aggregate.ts"
import { Builder } from "./aggregation/Builder.ts"
import * as Frame from "./aggregation/Frame.ts"
import * as Message from "./aggregation/Message.ts"
import * as Reader from "./aggregation/Reader.ts"

export { type Aggregate } from "./aggregation/Aggregate.ts"
export { Builder } from "./aggregation/Builder.ts"

/**
 * One of the records in an aggregate.
 *
 * @category models
 * @since 0.1.0
 */
export interface UserRecord {
  readonly partitionKey: string
  /** A decimal number below 2¹²⁸, where the record was not to go by the MD5 of its partition key. */
  readonly explicitHashKey?: string | undefined
  readonly data: Uint8Array
}

/**
 * A record that is no aggregate: its bytes are its data.
 *
 * @category models
 * @since 0.1.0
 */
export interface Plain {
  readonly _tag: "Plain"
}

/**
 * An aggregate by its MD5 that can't be read: who wrote it is at fault, and all of its bytes are to be kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Malformed {
  readonly _tag: "Malformed"
  readonly reason: MalformedReason
  /** What is wrong, and at which byte of the record. */
  readonly message: string
}

/**
 * `Truncated`: something reaches beyond its end. `Varint`: a number of more than 64 bits. `WireType`: a group, or a field
 * that is written as another type. `Missing`: a record without key index or data, or no record at all. `Index`: a key
 * that no table has. `Text`: a key that is not UTF-8. `TooMany`: more than {@link maxUserRecords}.
 *
 * @category models
 * @since 0.1.0
 */
export type MalformedReason = "Truncated" | "Varint" | "WireType" | "Missing" | "Index" | "Text" | "TooMany"

/**
 * What a record of a stream carries.
 *
 * @category models
 * @since 0.1.0
 */
export type Reading = Plain | Aggregate | Malformed

/**
 * What becomes of user records whose hash key lies outside of the range of the shard that they were read from. `off`: they
 * are delivered. `kpl-strict`: they are left out, each for itself, because the KPL put them again where they belong
 * after a resharding. Both count them.
 *
 * @category models
 * @since 0.1.0
 */
export type HashRangePolicy = "off" | "kpl-strict"

/**
 * Most user records in one aggregate: 65,536. Beyond them an aggregate is malformed, and a builder full.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxUserRecords: number = Message.maxUserRecords

/**
 * Whether bytes begin with the magic number of aggregates: those that don't are plain, at the cost of one look.
 *
 * @category predicates
 * @since 0.1.0
 */
export const hasMagic: (bytes: Uint8Array) => boolean = Frame.hasMagic

/**
 * Reads the data of a record.
 *
 * @category decoding
 * @since 0.1.0
 */
export const read: (bytes: Uint8Array) => Reading = Reader.read

/**
 * The bytes of an aggregate of one or more user records.
 *
 * @category encoding
 * @since 0.1.0
 */
export const make = (records: ReadonlyArray<UserRecord>): Uint8Array => filled(records).build()

/**
 * How many bytes {@link make} gives for these records.
 *
 * @category getters
 * @since 0.1.0
 */
export const size = (records: ReadonlyArray<UserRecord>): number => filled(records).size

const filled = (records: ReadonlyArray<UserRecord>): Builder => {
  const builder = new Builder()
  for (const record of records) builder.add(record)
  return builder
}
