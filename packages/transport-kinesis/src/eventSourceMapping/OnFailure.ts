/**
 * The document that AWS sends to an on-failure destination: where the records lie, not what they hold.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as Attempt from "./Attempt.ts"

/**
 * The document.
 *
 * **Gotchas**
 *
 * `responseContext` is absent when records were given up for their age, and `functionError` is null when the function
 * answered and named them. The range of numbers includes both ends and may hold records that were done.
 *
 * @category models
 * @since 0.1.0
 */
export interface OnFailure {
  readonly requestContext: {
    readonly requestId: string
    readonly functionArn: string
    readonly condition: "RetryAttemptsExhausted" | "RecordAgeExceeded"
    readonly approximateInvokeCount: number
  }
  readonly responseContext?: {
    readonly statusCode: 200
    readonly executedVersion: string
    readonly functionError: "Unhandled" | null
  }
  readonly version: "1.0"
  /** ISO 8601. */
  readonly timestamp: string
  readonly KinesisBatchInfo: {
    readonly shardId: string
    readonly startSequenceNumber: string
    readonly endSequenceNumber: string
    readonly approximateArrivalOfFirstRecord: string
    readonly approximateArrivalOfLastRecord: string
    readonly batchSize: number
    readonly streamArn: string
  }
}

/**
 * What was given up: the document, and the records that AWS would leave you to fetch.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly document: OnFailure
  readonly records: ReadonlyArray<KinesisClient.Record>
}

/**
 * The document of what was given up.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  discard: Attempt.Discard,
  source: {
    readonly shardId: string
    readonly streamArn: string
    readonly functionArn: string
    readonly requestId: string
    readonly now: number
  }
): OnFailure => {
  const firstRecord = discard.records[0]
  const lastRecord = discard.records.at(-1)
  return {
    requestContext: {
      requestId: source.requestId,
      functionArn: source.functionArn,
      condition: discard.condition,
      approximateInvokeCount: discard.invocations
    },
    ...(discard.condition === "RecordAgeExceeded"
      ? {}
      : { responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: discard.functionError } }),
    version: "1.0",
    timestamp: iso(source.now),
    KinesisBatchInfo: {
      shardId: source.shardId,
      startSequenceNumber: firstRecord?.sequenceNumber ?? "",
      endSequenceNumber: lastRecord?.sequenceNumber ?? "",
      approximateArrivalOfFirstRecord: iso(firstRecord?.arrival ?? 0),
      approximateArrivalOfLastRecord: iso(lastRecord?.arrival ?? 0),
      batchSize: discard.records.length,
      streamArn: source.streamArn
    }
  }
}

const iso = (milliseconds: number): string => DateTime.formatIso(DateTime.makeUnsafe(milliseconds))
