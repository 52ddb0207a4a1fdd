/**
 * What becomes of a batch after an invocation, as a pure state machine: done, sent again, cut, or given up.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"
import type * as Verdict from "./Verdict.ts"

/**
 * Records that are sent together, and how often that was tried.
 *
 * @category models
 * @since 0.1.0
 */
export interface Attempt {
  readonly records: ReadonlyArray<KinesisClient.Record>
  /** Invocations that these records have been part of. */
  readonly invocations: number
  /** Retries used up. Cutting a batch with bisect on uses none. */
  readonly retries: number
}

/**
 * When to give up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Policy {
  /** −1: as often as it takes until the record expires. */
  readonly maximumRetryAttempts: number
  readonly bisect: boolean
}

/**
 * Records given up, and why. The final call of a window has none of its own.
 *
 * @category models
 * @since 0.1.0
 */
export interface Discard {
  readonly records: ReadonlyArray<KinesisClient.Record>
  readonly condition: "RetryAttemptsExhausted" | "RecordAgeExceeded"
  readonly invocations: number
  readonly functionError: "Unhandled" | null
}

/**
 * The next state: how many records at the front are done, what is sent next, in order, and what was given up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Step {
  readonly settled: number
  readonly again: ReadonlyArray<Attempt>
  readonly discard: Discard | undefined
}

/**
 * The first try of a batch.
 *
 * @category constructors
 * @since 0.1.0
 */
export const first = (records: ReadonlyArray<KinesisClient.Record>): Attempt => ({
  records,
  invocations: 0,
  retries: 0
})

/**
 * The step after an invocation.
 *
 * **Details**
 *
 * - `From`: what lies before it is done. With bisect on, a cut that shrank the batch uses up no retry.
 * - Thrown with bisect on: two halves, in order, at no cost; a single record is retried.
 * - An unreadable answer does not bisect: it says nothing about a record.
 * - Throttled: the same again, as if nothing had happened.
 * - Progress does not reset the counter: AWS counted 4 invocations for a batch of 3 with 3 retries whose last failed.
 *
 * @category transitions
 * @since 0.1.0
 */
export const next = (attempt: Attempt, verdict: Verdict.Verdict, policy: Policy): Step => {
  if (verdict._tag === "Throttled") return { settled: 0, again: [attempt], discard: undefined }
  const invocations = attempt.invocations + 1
  if (verdict._tag === "Settled") return { settled: attempt.records.length, again: [], discard: undefined }
  if (verdict._tag === "From") {
    const records = attempt.records.slice(verdict.index)
    const free = policy.bisect && verdict.index > 0
    return { ...retry({ ...attempt, records, invocations }, policy, free, null), settled: verdict.index }
  }
  if (policy.bisect && verdict.functionError !== null && attempt.records.length > 1) {
    return { settled: 0, again: halves({ ...attempt, invocations }), discard: undefined }
  }
  return { ...retry({ ...attempt, invocations }, policy, false, verdict.functionError), settled: 0 }
}

const halves = (attempt: Attempt): ReadonlyArray<Attempt> => {
  const middle = Math.ceil(attempt.records.length / 2)
  return [
    { ...attempt, records: attempt.records.slice(0, middle) },
    { ...attempt, records: attempt.records.slice(middle) }
  ]
}

const retry = (
  attempt: Attempt,
  policy: Policy,
  free: boolean,
  functionError: "Unhandled" | null
): Omit<Step, "settled"> => {
  if (free) return { again: [attempt], discard: undefined }
  const exhausted = policy.maximumRetryAttempts >= 0 && attempt.retries >= policy.maximumRetryAttempts
  if (!exhausted) return { again: [{ ...attempt, retries: attempt.retries + 1 }], discard: undefined }
  return {
    again: [],
    discard: {
      records: attempt.records,
      condition: "RetryAttemptsExhausted",
      invocations: attempt.invocations,
      functionError
    }
  }
}

/**
 * Gives up the records at the front that are older than `maximumAge` milliseconds, before they are sent.
 *
 * @category transitions
 * @since 0.1.0
 */
export const expire = (
  attempt: Attempt,
  now: number,
  maximumAge: number
): { readonly attempt: Attempt | undefined; readonly discard: Discard | undefined } => {
  const young = attempt.records.findIndex((record) => now - record.arrival <= maximumAge)
  if (young === 0) return { attempt, discard: undefined }
  const count = young === -1 ? attempt.records.length : young
  return {
    attempt: young === -1 ? undefined : { ...attempt, records: attempt.records.slice(count) },
    discard: {
      records: attempt.records.slice(0, count),
      condition: "RecordAgeExceeded",
      invocations: attempt.invocations,
      functionError: null
    }
  }
}
