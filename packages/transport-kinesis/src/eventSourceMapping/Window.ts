/**
 * Tumbling windows: which records are gathered into one, and what the function is told of it.
 *
 * **Details**
 *
 * Windows are multiples of their length since the epoch, and a record belongs to the one in which it arrived. Arrival need
 * not grow along a shard: a record that is late for the window before belongs to the one that is open.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"

/**
 * A window that is open.
 *
 * @category models
 * @since 0.1.0
 */
export interface Window {
  /** Epoch milliseconds. */
  readonly start: number
  readonly end: number
  readonly state: unknown
  /** The records that are done or given up in it. */
  readonly range: Range | undefined
}

/**
 * Records that follow each other in a shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Range {
  readonly first: Mark
  readonly last: Mark
  readonly count: number
}

type Mark = Pick<KinesisClient.Record, "sequenceNumber" | "arrival">

/**
 * The largest state in bytes of JSON: 1 MB.
 *
 * @category constants
 * @since 0.1.0
 */
export const largestState = 1024 * 1024

/**
 * The window of a record, with an empty state. `size` in milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = (record: KinesisClient.Record, size: number): Window => {
  const start = Math.floor(record.arrival / size) * size
  return { start, end: start + size, state: {}, range: undefined }
}

/**
 * How many records from the front belong to the window.
 *
 * @category getters
 * @since 0.1.0
 */
export const prefix = (window: Window, records: ReadonlyArray<KinesisClient.Record>): number => {
  const next = records.findIndex((record) => record.arrival >= window.end)
  return next === -1 ? records.length : next
}

/**
 * The same window after records of it are done or given up.
 *
 * @category transitions
 * @since 0.1.0
 */
export const extend = (window: Window, records: ReadonlyArray<KinesisClient.Record>): Window => {
  const more = rangeOf(records)
  if (more === undefined) return window
  const range = window.range === undefined ? more : join(window.range, more)
  return { ...window, range }
}

const join = (left: Range, right: Range): Range => ({
  first: left.first,
  last: right.last,
  count: left.count + right.count
})

/**
 * The same window with what the function answered.
 *
 * @category transitions
 * @since 0.1.0
 */
export const withState = (window: Window, state: unknown): Window => ({ ...window, state })

/**
 * The same window anew, after it was ended early.
 *
 * @category transitions
 * @since 0.1.0
 */
export const again = (window: Window): Window => ({ ...window, state: {}, range: undefined })

/**
 * The range of records; `undefined` of none.
 *
 * @category getters
 * @since 0.1.0
 */
export const rangeOf = (records: ReadonlyArray<KinesisClient.Record>): Range | undefined => {
  const [first] = records
  const last = records.at(-1)
  return first === undefined || last === undefined ? undefined : { first, last, count: records.length }
}

/**
 * The bytes of a state as JSON.
 *
 * @category getters
 * @since 0.1.0
 */
export const bytesOf = (state: unknown): number => Buffer.byteLength(JSON.stringify(state) ?? "")

/**
 * What the function is told.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toEvent = (
  window: Window,
  source: { readonly shardId: string; readonly streamArn: string },
  call: "batch" | "final" | "early"
): LambdaEvent.TimeWindow => ({
  window: { start: iso(window.start), end: iso(window.end) },
  state: window.state,
  shardId: source.shardId,
  eventSourceARN: source.streamArn,
  isFinalInvokeForWindow: call !== "batch",
  isWindowTerminatedEarly: call === "early"
})

/** Windows are whole seconds, and AWS writes them so. */
const iso = (milliseconds: number): string =>
  DateTime.formatIso(DateTime.makeUnsafe(milliseconds)).replace(/\.\d+Z$/, "Z")
