/**
 * When a shard may be asked next: pure.
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"

/**
 * How fast a shard is read, in milliseconds and bytes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rates {
  /** Between reads behind the tip. */
  readonly readInterval: number
  /** Between reads at the tip. */
  readonly idleInterval: number
  /** Default 2 MiB, as AWS. */
  readonly bytesPerSecond?: number | undefined
}

// A shard gives 2 MiB a second; a page of 10 MiB makes AWS refuse reads for the 5 seconds that it was worth.
const bytesPerSecond = 2 * 1024 * 1024

/**
 * The earliest time of the read after a page.
 *
 * @category getters
 * @since 0.1.0
 */
export const afterPage = (
  rates: Rates,
  page: { readonly askedAt: number; readonly bytes: number; readonly millisBehindLatest: number }
): number => {
  const payback = Math.ceil((page.bytes * 1000) / (rates.bytesPerSecond ?? bytesPerSecond))
  const interval = page.millisBehindLatest > 0 ? rates.readInterval : rates.idleInterval
  return page.askedAt + Math.max(interval, payback)
}

/**
 * How long to rest after so many failures in a row, in milliseconds: a second at least after a throttled call, as AWS
 * asks for, at most half a minute. `jitter` is between 0 and 1 and makes it up to 40 % longer, so that those who were
 * throttled together don't come back together.
 *
 * @category getters
 * @since 0.1.0
 */
export const rest = (reason: KinesisError.Reason, failures: number, jitter: number): number => {
  const base = reason === "Throttled" ? 1000 : 200
  return Math.round(Math.min(longest, base * 2 ** (failures - 1)) * (1 + 0.4 * jitter))
}

const longest = 30_000

/**
 * The bytes that records count for.
 *
 * @category getters
 * @since 0.1.0
 */
export const sizeOf = (records: ReadonlyArray<KinesisClient.Record>): number => {
  let bytes = 0
  for (const { data, partitionKey } of records) bytes += data.byteLength + Buffer.byteLength(partitionKey)
  return bytes
}
