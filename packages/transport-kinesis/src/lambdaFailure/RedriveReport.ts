/**
 * What a redrive did, as values that add up.
 *
 * @since 0.1.0
 */
import * as Outcome from "@leat/core/Outcome"

import type { LambdaFailureError } from "./LambdaFailureError.ts"
import type { Gone } from "./StreamRange.ts"

/**
 * How many deliveries came to which outcome. A record that carries several (an aggregate) is as many deliveries.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outcomes {
  readonly handled: number
  /** Settled before, by the function or an earlier redrive: the journal knew them. */
  readonly duplicate: number
  readonly parked: number
  readonly skipped: number
  readonly failed: number
  /** Not begun: an earlier one of the key failed, or the time was up. */
  readonly unstarted: number
}

/**
 * Where a redrive stopped before the end of a document.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stopped {
  /** Position of the first delivery that is not settled, or the sequence number from which nothing could be read. */
  readonly position: string
  readonly reason: string
  readonly retryable: boolean
}

/**
 * What became of one document.
 *
 * @category models
 * @since 0.1.0
 */
export interface DocumentReport {
  readonly streamArn: string
  readonly shardId: string
  readonly startSequenceNumber: string
  readonly endSequenceNumber: string
  /** Records that were run: also those of the range that were done, or that a filter had kept from the function. */
  readonly records: number
  readonly outcomes: Outcomes
  /** What expired before the redrive: these records are lost to it. */
  readonly gone: ReadonlyArray<Gone>
  /** `undefined`: all that was there is settled. */
  readonly stopped: Stopped | undefined
}

/**
 * What became of a letter.
 *
 * **Details**
 *
 * `Acknowledged` ones are gone from the source; all others stay. `Unreadable` names no records. `Failed` has records that
 * are not settled. `Expired` has records that the stream no longer holds; the rest of them is settled. `Behind` waits for
 * an earlier letter of its shard, or of the shard that it came from. `Unacknowledged` is done, and comes again.
 *
 * @category models
 * @since 0.1.0
 */
export type LetterReport = { readonly id: string; readonly documents: ReadonlyArray<DocumentReport> } & (
  | { readonly _tag: "Acknowledged" | "Failed" | "Expired" | "Behind" }
  | { readonly _tag: "Unreadable"; readonly error: LambdaFailureError }
  | { readonly _tag: "Unacknowledged"; readonly reason: string }
)

/**
 * What became of a source.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** Without a journal, `false`: then what had been done ran again. */
  readonly journaled: boolean
  readonly letters: number
  readonly acknowledged: number
  readonly records: number
  readonly outcomes: Outcomes
  readonly gone: ReadonlyArray<Gone>
  /** What stays in the source, and why. */
  readonly kept: ReadonlyArray<LetterReport>
}

/**
 * Nothing happened.
 *
 * @category constants
 * @since 0.1.0
 */
export const none: Outcomes = { handled: 0, duplicate: 0, parked: 0, skipped: 0, failed: 0, unstarted: 0 }

const member = {
  Handled: "handled",
  Duplicate: "duplicate",
  Parked: "parked",
  Skipped: "skipped",
  Failed: "failed",
  Unstarted: "unstarted"
} as const satisfies { readonly [Tag in Outcome.Outcome["_tag"]]: keyof Outcomes }

/**
 * Counts the outcomes of a batch.
 *
 * @category combinators
 * @since 0.1.0
 */
export const count = (outcomes: ReadonlyArray<Outcome.Outcome>): Outcomes => {
  const counts = { ...none }
  for (const outcome of outcomes) counts[member[outcome._tag]]++
  return counts
}

/**
 * The sum of two counts.
 *
 * @category combinators
 * @since 0.1.0
 */
export const sum = (left: Outcomes, right: Outcomes): Outcomes => ({
  handled: left.handled + right.handled,
  duplicate: left.duplicate + right.duplicate,
  parked: left.parked + right.parked,
  skipped: left.skipped + right.skipped,
  failed: left.failed + right.failed,
  unstarted: left.unstarted + right.unstarted
})

/**
 * Why a batch stopped; `undefined` when all of it is settled.
 *
 * @category getters
 * @since 0.1.0
 */
export const stoppedBy = (
  positions: ReadonlyArray<string>,
  { outcomes, settledPrefix }: Outcome.BatchResult
): Stopped | undefined => {
  const outcome = outcomes[settledPrefix]
  if (outcome === undefined) return undefined
  return {
    position: positions[settledPrefix] ?? "",
    reason: Outcome.reason(outcome) ?? "the time was up",
    retryable: outcome._tag !== "Failed" || outcome.retryable
  }
}

/**
 * A report with one more letter.
 *
 * @category combinators
 * @since 0.1.0
 */
export const add = (report: Report, letter: LetterReport): Report => ({
  journaled: report.journaled,
  letters: report.letters + 1,
  acknowledged: report.acknowledged + (letter._tag === "Acknowledged" ? 1 : 0),
  records: letter.documents.reduce((records, document) => records + document.records, report.records),
  outcomes: letter.documents.reduce((outcomes, document) => sum(outcomes, document.outcomes), report.outcomes),
  gone: [...report.gone, ...letter.documents.flatMap((document) => document.gone)],
  kept: letter._tag === "Acknowledged" ? report.kept : [...report.kept, letter]
})

/**
 * The report of a source before its first letter.
 *
 * @category constructors
 * @since 0.1.0
 */
export const empty = (journaled: boolean): Report => ({
  journaled,
  letters: 0,
  acknowledged: 0,
  records: 0,
  outcomes: none,
  gone: [],
  kept: []
})
