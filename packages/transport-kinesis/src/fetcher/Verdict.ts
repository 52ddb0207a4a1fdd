/**
 * What a failed call means for the reading of a shard: pure.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"
import * as KinesisError from "../KinesisError.ts"

/**
 * `Retry` the same after a while, `Renew` the iterator, go on at the `Oldest` record, or `Fail`.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = "Retry" | "Renew" | "Oldest" | "Fail"

/**
 * Judges a failure.
 *
 * **Details**
 *
 * AWS refuses a time in its future, and this machine's clock may be ahead of AWS's: then a moment that has just been is
 * asked for again until AWS gets there. A position that comes from another shard or from a stream that was deleted fails
 * for good; one whose record is merely no longer retained goes on at the oldest.
 *
 * @category getters
 * @since 0.1.0
 */
export const judge = (error: KinesisError.KinesisError, position: KinesisClient.Position, now: number): Verdict => {
  if (error.retryable) return "Retry"
  if (error.reason === "ExpiredIterator") return "Renew"
  if (error.reason !== "Invalid") return "Fail"
  if (position._tag === "AtTimestamp") return position.at > now - clockSkew && position.at <= now ? "Retry" : "Fail"
  return "sequenceNumber" in position && isTrimmed(error.message) ? "Oldest" : "Fail"
}

// AWS refuses requests that are signed with a clock that is further off.
const clockSkew = 5 * 60_000

const isTrimmed = (message: string): boolean =>
  /starting ?sequence ?number/i.test(message) && !/did not come from this stream|validation error/i.test(message)

/**
 * What is said where records expired before they were read.
 *
 * @category constructors
 * @since 0.1.0
 */
export const trimmed = (operation: string, position: string, resumed: string): KinesisError.KinesisError =>
  new KinesisError.KinesisError({
    reason: "Invalid",
    operation,
    message: `the record ${position} is no longer retained: reading goes on at ${resumed}, and what lay between may be lost. A longer retention of the stream, or a faster consumer, mends it for the next time`,
    retryable: false
  })
