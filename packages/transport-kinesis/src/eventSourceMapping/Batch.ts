/**
 * How much of what was read goes into one invocation.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"
import * as LambdaEvent from "../LambdaEvent.ts"

/**
 * The largest payload of an invocation in bytes: 6 MB, base64 and envelope included.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
 * @category constants
 * @since 0.1.0
 */
export const largestPayload = 6 * 1024 * 1024

/**
 * Bounds of a batch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  readonly batchSize: number
  readonly payloadBytes: number
}

/**
 * How many records from the front fit; `full` when waiting for more would add none. A record that fits nowhere is a
 * batch of its own, so that it can fail.
 *
 * @category getters
 * @since 0.1.0
 */
export const fit = (
  records: ReadonlyArray<KinesisClient.Record>,
  bounds: Bounds
): { readonly count: number; readonly full: boolean } => {
  let bytes = envelope
  let count = 0
  for (const record of records) {
    if (count === bounds.batchSize) break
    bytes += payload(record)
    if (bytes > bounds.payloadBytes) return { count: Math.max(1, count), full: true }
    count++
  }
  return { count, full: count === bounds.batchSize }
}

/**
 * The bytes that a record takes in the event, rounded up by a few.
 *
 * @category getters
 * @since 0.1.0
 */
export const payload = (record: KinesisClient.Record): number =>
  template +
  4 * Math.ceil(record.data.length / 3) +
  Buffer.byteLength(JSON.stringify(record.partitionKey)) +
  2 * record.sequenceNumber.length

const envelope = Buffer.byteLength(JSON.stringify(LambdaEvent.make()))

// An ARN with the longest stream name (128) and a timestamp of milliseconds: exact enough, and never too small.
const template = Buffer.byteLength(JSON.stringify(LambdaEvent.record({ data: "", arrival: 1_700_000_000_123 }))) + 128

/**
 * The event of a batch.
 *
 * @category constructors
 * @since 0.1.0
 */
export const event = (
  records: ReadonlyArray<KinesisClient.Record>,
  source: { readonly shardId: string; readonly streamArn: string }
): LambdaEvent.LambdaEvent => ({ Records: records.map((record) => LambdaEvent.record({ ...source, ...record })) })
