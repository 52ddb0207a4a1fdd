/**
 * What the answer to an envelope's record makes of it: pure.
 *
 * @since 0.1.0
 */
import * as Publisher from "@leat/core/Publisher"

import type { Put } from "../KinesisClient.ts"
import * as KinesisError from "../KinesisError.ts"

/**
 * Why a try failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly reason: KinesisError.Reason
  readonly message: string
  readonly cause?: unknown
}

/**
 * The fault of an entry that `PutRecords` rejected.
 *
 * @category constructors
 * @since 0.1.0
 */
export const rejected = (put: Extract<Put, { readonly _tag: "Rejected" }>): Fault => ({
  reason: KinesisError.reasonOf(put.code),
  message: `${put.code}: ${put.message}`
})

/**
 * The fault of every entry of a request that failed as a whole.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failed = (error: KinesisError.KinesisError): Fault => ({
  reason: error.reason,
  message: error.message,
  cause: error
})

/**
 * The fault of an entry whose request was given up before the entry had an answer.
 *
 * @category constants
 * @since 0.1.0
 */
export const stopped: Fault = { reason: "Unavailable", message: "the request was stopped before it was answered" }

/**
 * When and how often an envelope is tried.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** Tries, the first included. */
  readonly attempts: number
  /** The n-th pause is random between 0 and `base` · 2ⁿ, at most `cap`: milliseconds. */
  readonly base: number
  readonly cap: number
}

/**
 * When an envelope is tried again after its `tries`-th try; `undefined` when it isn't: no repeat helps, it had its tries,
 * or its time is over at `until`. `random` lies between 0 and 1.
 *
 * @see https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
 * @category getters
 * @since 0.1.0
 */
export const again = (
  fault: Fault,
  tries: number,
  policy: Policy,
  at: { readonly now: number; readonly until: number; readonly random: number }
): number | undefined => {
  if (!KinesisError.isRetryable(fault.reason) || tries >= policy.attempts) return undefined
  // Whole milliseconds: a clock that stops a hair before it would be asked again and again.
  const notBefore = Math.ceil(at.now + at.random * Math.min(policy.cap, policy.base * 2 ** (tries - 1)))
  return notBefore < at.until ? notBefore : undefined
}

/**
 * The error of an envelope that is given up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const toError = ({ cause, message, reason }: Fault): Publisher.PublishError =>
  new Publisher.PublishError({
    reason: reason === "Throttled" || reason === "Unavailable" ? reason : "Refused",
    message,
    retryable: KinesisError.isRetryable(reason),
    ...(cause === undefined ? {} : { cause })
  })

/**
 * The error of an envelope whose time was over: that of its last try, where there was one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const late = (why: string, last: Fault | undefined): Publisher.PublishError =>
  new Publisher.PublishError({
    reason: last?.reason === "Throttled" ? "Throttled" : "Unavailable",
    message: last === undefined ? why : `${why}; the last try: ${last.message}`,
    retryable: true,
    ...(last?.cause === undefined ? {} : { cause: last.cause })
  })

/**
 * The error of an envelope that was not sent because an earlier one of its key was not accepted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const behind: Publisher.PublishError = new Publisher.PublishError({
  reason: "Behind",
  message: "an earlier envelope of this key was not accepted",
  retryable: true
})
