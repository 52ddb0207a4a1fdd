/**
 * What one record and one request may hold: pure.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
 * @since 0.1.0
 */
import * as Publisher from "@leat/core/Publisher"

import * as HashKey from "../HashKey.ts"
import type { Entry } from "../KinesisClient.ts"

/**
 * Most records of one `PutRecords`.
 *
 * @category constants
 * @since 0.1.0
 */
export const requestRecords = 500

/**
 * Most bytes of one `PutRecords`, partition keys included: 10 MiB. No record is larger either.
 *
 * @category constants
 * @since 0.1.0
 */
export const requestBytes: number = 10 * 1024 * 1024

/**
 * What every stream takes in one record: 1 MiB. A stream can be raised to 10 MiB.
 *
 * @category constants
 * @since 0.1.0
 */
export const leastRecordBytes: number = 1024 * 1024

/**
 * What AWS counts of an entry: data and partition key in bytes.
 *
 * @category getters
 * @since 0.1.0
 */
export const size = (entry: { readonly data: Uint8Array; readonly partitionKey: string }): number =>
  entry.data.length + Buffer.byteLength(entry.partitionKey)

/**
 * Why no stream, or this one, takes the entry; `undefined` where it does. `largest`: its record limit in bytes.
 *
 * @category predicates
 * @since 0.1.0
 */
export const faultOf = (entry: Entry, largest: number): Publisher.PublishError | undefined => {
  const length = characters(entry.partitionKey)
  if (length < 1 || length > 256) return refused(`the partition key has ${length} characters: 1 to 256 are allowed`)
  const { explicitHashKey } = entry
  if (explicitHashKey !== undefined && HashKey.parse(explicitHashKey) === undefined) {
    return refused(`the explicit hash key "${explicitHashKey}" is no decimal number from 0 to 2¹²⁸ − 1`)
  }
  const bytes = size(entry)
  return bytes <= largest ? undefined : tooLarge(bytes, largest)
}

/** AWS counts characters, not UTF-16 units: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecord.html */
const characters = (text: string): number => {
  // Fewer units than 256 can't be too many characters; the array is only made of long keys.
  return text.length <= 256 ? text.length : Array.from(text).length
}

/**
 * An envelope that no repeat helps.
 *
 * @category constructors
 * @since 0.1.0
 */
export const refused = (message: string, cause?: unknown): Publisher.PublishError =>
  new Publisher.PublishError({
    reason: "Refused",
    message,
    retryable: false,
    ...(cause === undefined ? {} : { cause })
  })

const tooLarge = (bytes: number, largest: number) =>
  new Publisher.PublishError({
    reason: "TooLarge",
    message:
      `a record of ${bytes} bytes with its key: the stream takes ${largest}. ` +
      "Send less in it, or raise the stream's record limit (UpdateMaxRecordSize), at most to 10 MiB",
    retryable: false
  })
