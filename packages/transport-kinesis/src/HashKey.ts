/**
 * Hash keys: the 128-bit numbers that spread records over the shards of a stream.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 * @since 0.1.0
 */
import { hash } from "node:crypto"

import type { HashRange } from "./KinesisClient.ts"

/**
 * The largest one, 2¹²⁸ − 1.
 *
 * @category constants
 * @since 0.1.0
 */
export const largest: bigint = (1n << 128n) - 1n

/**
 * The hash key of a partition key: the MD5 of its UTF-8, read as a number.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofPartitionKey = (partitionKey: string): bigint => BigInt(`0x${hash("md5", partitionKey)}`)

/**
 * An explicit hash key as a number; `undefined` when it is no decimal number below 2¹²⁸.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (explicitHashKey: string): bigint | undefined => {
  if (!/^(0|[1-9]\d{0,38})$/.test(explicitHashKey)) return undefined
  const key = BigInt(explicitHashKey)
  return key > largest ? undefined : key
}

/**
 * The hash key that Kinesis takes for a record; `undefined` when its explicit one is none.
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (record: {
  readonly partitionKey: string
  readonly explicitHashKey?: string | undefined
}): bigint | undefined =>
  record.explicitHashKey === undefined ? ofPartitionKey(record.partitionKey) : parse(record.explicitHashKey)

/**
 * Whether a shard with this range owns the key.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isWithin = (key: bigint, range: HashRange): boolean => range.start <= key && key <= range.end
