/**
 * Recognises a reader in the void: AWS was seen to give a position whose record has expired an iterator that yields empty
 * pages for a long time, always a whole retention behind. Pure.
 *
 * @see https://github.com/harlow/kinesis-consumer/issues/125
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"

// No stream retains less than 24 hours.
const leastRetention = 24 * 3_600_000

/** What the clocks of AWS's machines may differ by, and what passes between two calls. */
const slack = 60_000

/**
 * Whether a page is empty and as far behind as a stream can be.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isDeep = (page: KinesisClient.Page): boolean =>
  page.records.length === 0 && page.next !== undefined && page.millisBehindLatest >= leastRetention - slack

/**
 * Whether after so many such pages in a row the retention is worth a call. Empty pages behind the tip are common, and
 * `DescribeStreamSummary` answers only 20 calls a second to an account.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isDue = (pages: number): boolean => pages > 0 && pages % 100 === 10

/**
 * Whether nothing that is retained can lie where the page was looked for.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isBeyond = (page: KinesisClient.Page, retention: number): boolean =>
  page.millisBehindLatest >= retention - slack
