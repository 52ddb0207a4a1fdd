/**
 * The records of one shard that wait for the function, in one or several lanes, and what a lane may do now. Pure but for
 * the queue that it keeps.
 *
 * @since 0.1.0
 */
import * as Hash from "effect/Hash"

import type * as KinesisClient from "../KinesisClient.ts"
import * as Batch from "./Batch.ts"
import * as Window from "./Window.ts"

/**
 * A lane: its records are sent in order, one batch at a time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lane {
  readonly buffer: Array<KinesisClient.Record>
  /** A batch of it is being sent. */
  busy: boolean
  /** Until when its next batch waits for more, in epoch milliseconds. */
  deadline: number | undefined
}

/**
 * What a lane may do now.
 *
 * @category models
 * @since 0.1.0
 */
export type Step =
  | { readonly _tag: "Send"; readonly count: number }
  /** The final call of the window. */
  | { readonly _tag: "Close" }
  | { readonly _tag: "Wait"; readonly until: number | undefined }

/**
 * What the next step depends on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Situation {
  readonly now: number
  readonly bounds: Batch.Bounds
  /** Whether more records may come. */
  readonly open: boolean
  /** The window that the records at the front belong to. */
  readonly window: Window.Window | undefined
  /** When the last read began that found nothing left. */
  readonly tipAt: number
}

/**
 * Lanes without records.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (count: number): ReadonlyArray<Lane> =>
  Array.from({ length: count }, () => ({ buffer: [], busy: false, deadline: undefined }))

/**
 * Puts records into the lanes of their partition keys.
 *
 * @category mutations
 * @since 0.1.0
 */
export const offer = (lanes: ReadonlyArray<Lane>, records: ReadonlyArray<KinesisClient.Record>): void => {
  const [only] = lanes
  for (const record of records) {
    const lane = lanes.length === 1 ? only : lanes[indexOf(record.partitionKey, lanes.length)]
    lane?.buffer.push(record)
  }
}

/**
 * The lane of a partition key: that of the record, also when the record is an aggregate of many.
 *
 * @category getters
 * @since 0.1.0
 */
export const indexOf = (partitionKey: string, lanes: number): number => Math.abs(Hash.string(partitionKey)) % lanes

/**
 * What an idle lane may do.
 *
 * @category getters
 * @since 0.1.0
 */
export const next = ({ buffer, deadline }: Lane, situation: Situation): Step => {
  const { now, open, tipAt, window } = situation
  if (buffer.length === 0) {
    const over = window !== undefined && (!open || tipAt >= window.end)
    return over ? { _tag: "Close" } : { _tag: "Wait", until: undefined }
  }
  const own = window === undefined ? buffer.length : Window.prefix(window, buffer)
  if (own === 0) return { _tag: "Close" }
  const { count, full } = Batch.fit(buffer, situation.bounds)
  if (count > own || (own < buffer.length && count === own)) return { _tag: "Send", count: own }
  if (full || !open || now >= (deadline ?? now)) return { _tag: "Send", count }
  return { _tag: "Wait", until: deadline }
}
