/**
 * What became of a delivery.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"

import type * as Event from "./Event.ts"
import type { JournaledOutcome } from "./Journal.ts"

/**
 * The handler succeeded; what it returned is the outbox.
 *
 * @category models
 * @since 0.1.0
 */
export interface Handled {
  readonly _tag: "Handled"
  readonly emitted: ReadonlyArray<Event.Emitted>
}

/**
 * This id was settled before; the handler did not run again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Duplicate {
  readonly _tag: "Duplicate"
  /** What became of it then; `undefined` for a repetition inside one batch, which shares the outcome of the first. */
  readonly prior: JournaledOutcome | undefined
}

/**
 * The failure was recorded and the lane went on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Skipped {
  readonly _tag: "Skipped"
  readonly reason: string
}

/**
 * The event waits, in the journal or with a dead-letter sink; with a journal all that follow on its key wait behind it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parked {
  readonly _tag: "Parked"
  /** In one line. */
  readonly reason: string
  /** Where it failed: the stack of the error, for a person. */
  readonly trace?: string
  /** Epoch milliseconds before which a redrive should not try. */
  readonly notBefore?: number
}

/**
 * Not settled: the transport delivers it again, or hands it to its own on-failure destination.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failed {
  readonly _tag: "Failed"
  readonly cause: Cause.Cause<unknown>
  readonly retryable: boolean
}

/**
 * Not settled and never begun: an earlier event of its key failed, or the time ran out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Unstarted {
  readonly _tag: "Unstarted"
}

/**
 * What became of a delivery.
 *
 * @category models
 * @since 0.1.0
 */
export type Outcome = Handled | Duplicate | Skipped | Parked | Failed | Unstarted

/**
 * What became of a batch.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchResult {
  /** `outcomes[i]` belongs to the delivery at `i`. */
  readonly outcomes: ReadonlyArray<Outcome>
  /** Length of the longest prefix that is settled: what a transport may acknowledge. */
  readonly settledPrefix: number
}

/**
 * The handler succeeded and returned these events.
 *
 * @category constructors
 * @since 0.1.0
 */
export const handled = (emitted: ReadonlyArray<Event.Emitted>): Handled =>
  emitted.length === 0 ? handledNothing : { _tag: "Handled", emitted }

const handledNothing: Handled = { _tag: "Handled", emitted: [] }

/**
 * The first of two equal ids in a batch is settled, and so is this one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const duplicate: Duplicate = { _tag: "Duplicate", prior: undefined }

/**
 * The journal knows an outcome of this delivery already.
 *
 * @category constructors
 * @since 0.1.0
 */
export const duplicateOf = (prior: JournaledOutcome): Duplicate => ({ _tag: "Duplicate", prior })

/**
 * The delivery was not begun: something before it on its lane is open, or the time was up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unstarted: Unstarted = { _tag: "Unstarted" }

/**
 * The failure is recorded and the lane goes on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const skipped = (reason: string): Skipped => ({ _tag: "Skipped", reason })

/**
 * The event waits for a person, and what follows on its key waits behind it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parked = (reason: string, trace?: string): Parked =>
  trace === undefined ? { _tag: "Parked", reason } : { _tag: "Parked", reason, trace }

/**
 * The delivery is not settled; `retryable` says whether a redelivery may succeed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failed = (cause: Cause.Cause<unknown>, retryable: boolean): Failed => ({
  _tag: "Failed",
  cause,
  retryable
})

/**
 * Whether a delivery may be acknowledged.
 *
 * @category guards
 * @since 0.1.0
 */
export const isSettled = (outcome: Outcome): boolean => outcome._tag !== "Failed" && outcome._tag !== "Unstarted"

/**
 * The result of a batch from its outcomes.
 *
 * ```ts
 * import * as Outcome from "@leat/core/Outcome"
 *
 * Outcome.result([Outcome.duplicate, Outcome.unstarted, Outcome.duplicate]).settledPrefix // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const result = (outcomes: ReadonlyArray<Outcome>): BatchResult => {
  const firstUnsettled = outcomes.findIndex((outcome) => !isSettled(outcome))
  return { outcomes, settledPrefix: firstUnsettled === -1 ? outcomes.length : firstUnsettled }
}

/**
 * Why a delivery was not handled, in one line; `undefined` when it was, or never began.
 *
 * @category getters
 * @since 0.1.0
 */
export const reason = (outcome: Outcome): string | undefined => {
  if (outcome._tag === "Skipped" || outcome._tag === "Parked") return outcome.reason
  return outcome._tag === "Failed" ? messageOf(Cause.squash(outcome.cause)) : undefined
}

/** The message of an error is its author's; its cause may hold an address or a body and stays out. */
const messageOf = (error: unknown): string =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)
