/**
 * What one shard of a provisioned stream takes and gives a second.
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
 * @since 0.1.0
 */
import * as TokenBucket from "../../TokenBucket.ts"

/**
 * Limits of the embedded stream. `Infinity` turns one off.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Records a shard accepts a second. Default 1000. */
  readonly recordsPerSecond?: number | undefined
  /** Bytes (data and partition key) a shard accepts a second. Default 1 MiB. */
  readonly bytesPerSecond?: number | undefined
  /** `GetRecords` calls a shard answers a second, all readers together. Default 5. */
  readonly readsPerSecond?: number | undefined
  /** Bytes a shard gives a second; a larger page is given and then paid back. Default 2 MiB. */
  readonly readBytesPerSecond?: number | undefined
  /** Largest page of `GetRecords` in bytes. Default 10 MiB. */
  readonly pageBytes?: number | undefined
  /** Largest `PutRecords` request in bytes, keys included. Default 10 MiB. */
  readonly requestBytes?: number | undefined
}

const mebibyte = 1024 * 1024

/**
 * The limits of AWS where nothing else is said.
 *
 * @category constructors
 * @since 0.1.0
 */
export const withDefaults = (limits: Limits = {}): { readonly [K in keyof Limits]-?: number } => ({
  recordsPerSecond: limits.recordsPerSecond ?? 1000,
  bytesPerSecond: limits.bytesPerSecond ?? mebibyte,
  readsPerSecond: limits.readsPerSecond ?? 5,
  readBytesPerSecond: limits.readBytesPerSecond ?? 2 * mebibyte,
  pageBytes: limits.pageBytes ?? 10 * mebibyte,
  requestBytes: limits.requestBytes ?? 10 * mebibyte
})

interface ShardBuckets {
  readonly records: TokenBucket.TokenBucket
  readonly bytes: TokenBucket.TokenBucket
  readonly reads: TokenBucket.TokenBucket
  readonly readBytes: TokenBucket.TokenBucket
}

/**
 * Keeps the buckets of every shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Throttle {
  /** Whether the shard takes one more record of so many bytes now; a refused record costs nothing. */
  readonly write: (shard: string, bytes: number) => boolean
  /** Whether the shard answers one more read now. */
  readonly read: (shard: string) => boolean
  /** Charges a page that was given. */
  readonly gave: (shard: string, bytes: number) => void
}

/**
 * A throttle on a clock of milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Limits | undefined, now: () => number): Throttle => {
  const limits = withDefaults(options)
  const shards = new Map<string, ShardBuckets>()
  const full = (at: number): ShardBuckets => ({
    records: TokenBucket.make(limits.recordsPerSecond, at),
    bytes: TokenBucket.make(limits.bytesPerSecond, at),
    reads: TokenBucket.make(limits.readsPerSecond, at),
    readBytes: TokenBucket.make(limits.readBytesPerSecond, at)
  })
  const current = (shard: string): ShardBuckets => {
    const at = now()
    const found = shards.get(shard) ?? full(at)
    return {
      records: TokenBucket.refill(found.records, at),
      bytes: TokenBucket.refill(found.bytes, at),
      reads: TokenBucket.refill(found.reads, at),
      readBytes: TokenBucket.refill(found.readBytes, at)
    }
  }
  return {
    write: (shard, size) => {
      const buckets = current(shard)
      const records = TokenBucket.take(buckets.records, 1)
      const bytes = TokenBucket.take(buckets.bytes, size)
      if (records === undefined || bytes === undefined) return false
      shards.set(shard, { ...buckets, records, bytes })
      return true
    },
    read: (shard) => {
      const buckets = current(shard)
      const reads = TokenBucket.take(buckets.reads, 1)
      if (reads === undefined || buckets.readBytes.tokens <= 0) return false
      shards.set(shard, { ...buckets, reads })
      return true
    },
    gave: (shard, size) => {
      const buckets = current(shard)
      shards.set(shard, { ...buckets, readBytes: TokenBucket.charge(buckets.readBytes, size) })
    }
  }
}
