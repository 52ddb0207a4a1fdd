/**
 * Which shard a record belongs to: the MD5 of its partition key, as a 128-bit number, lies in one open shard's range.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html
 * @since 0.1.0
 */
import * as HashKey from "../../HashKey.ts"

/**
 * A shard and the hash keys that it owns, both ends included.
 *
 * @category models
 * @since 0.1.0
 */
export interface HashRange {
  readonly shardId: string
  readonly start: bigint
  readonly end: bigint
  readonly open: boolean
}

/**
 * The hash key of a partition key.
 *
 * @category getters
 * @since 0.1.0
 */
export const hashKey: (partitionKey: string) => bigint = HashKey.ofPartitionKey

/**
 * The open shard that a record goes to; `undefined` when its hash key is no number or no range owns it.
 *
 * @category getters
 * @since 0.1.0
 */
export const shardOf = (
  shards: ReadonlyArray<HashRange>,
  record: { readonly partitionKey: string; readonly explicitHashKey?: string | undefined }
): string | undefined => {
  const hash = HashKey.of(record)
  return hash === undefined ? undefined : shards.find((shard) => shard.open && HashKey.isWithin(hash, shard))?.shardId
}
