/**
 * The message of an aggregate:
 *
 * ```proto
 * message AggregatedRecord {
 *   repeated string partition_key_table = 1;
 *   repeated string explicit_hash_key_table = 2;
 *   repeated Record records = 3;
 * }
 * message Record {
 *   required uint64 partition_key_index = 1;
 *   optional uint64 explicit_hash_key_index = 2;
 *   required bytes data = 3;
 *   repeated Tag tags = 4;
 * }
 * ```
 *
 * @see https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md
 * @since 0.1.0
 */

/**
 * The byte in front of a field: its number and how it is written.
 *
 * @category constants
 * @since 0.1.0
 */
export const tags = {
  partitionKey: 0x0a,
  explicitHashKey: 0x12,
  record: 0x1a,
  partitionKeyIndex: 0x08,
  explicitHashKeyIndex: 0x10,
  data: 0x1a
} as const

/**
 * Most user records, and most keys, of one aggregate: 1 MiB holds as many of ten bytes. A record of 1 MiB could carry
 * 170,000 empty ones, and a Lambda's batch four times as many: no memory is planned for that.
 *
 * @category constants
 * @since 0.1.0
 */
export const maxUserRecords = 65_536
