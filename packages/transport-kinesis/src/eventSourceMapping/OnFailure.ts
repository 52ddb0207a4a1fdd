/**
 * The document that AWS sends to an on-failure destination: where the records lie, not what they hold. S3 gets the records
 * too. Pure; `OnFailureDestination.ts` sends.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"

import type * as KinesisClient from "../KinesisClient.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"
import type * as Attempt from "./Attempt.ts"
import * as Batch from "./Batch.ts"
import * as Window from "./Window.ts"

/**
 * The document, as SQS and SNS (and Kafka) get it.
 *
 * **Gotchas**
 *
 * `responseContext` is absent when records were given up for their age, and `functionError` is null when the function
 * answered and named them. The range of numbers includes both ends and may hold records that were done or filtered out.
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
 * The document as S3 gets it: with the event.
 *
 * @category models
 * @since 0.1.0
 */
export interface S3OnFailure extends OnFailure {
  readonly payload: LambdaEvent.LambdaEvent
}

/**
 * What was given up: the document, and the records that AWS would leave you to fetch.
 *
 * **Details**
 *
 * Where the final call of a tumbling window is given up there are no records: the document spans those of the window.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly document: OnFailure
  readonly records: ReadonlyArray<KinesisClient.Record>
  /** UUID of the event source mapping; a part of the key on S3. */
  readonly mappingId: string
}

/**
 * A destination did not take what was given up.
 *
 * @category errors
 * @since 0.1.0
 */
export class DestinationError extends Schema.TaggedError<DestinationError>()("DestinationError", {
  destination: Schema.Literals(["SQS", "SNS", "S3", "Custom"]),
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * The document of what was given up. `range` says where its records lie, where it has none of its own.
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
    readonly range?: Window.Range | undefined
  }
): OnFailure => {
  const range = Window.rangeOf(discard.records) ?? source.range
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
      startSequenceNumber: range?.first.sequenceNumber ?? "",
      endSequenceNumber: range?.last.sequenceNumber ?? "",
      approximateArrivalOfFirstRecord: iso(range?.first.arrival ?? 0),
      approximateArrivalOfLastRecord: iso(range?.last.arrival ?? 0),
      batchSize: range?.count ?? 0,
      streamArn: source.streamArn
    }
  }
}

/**
 * What SQS, SNS and Kafka get, as text.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toMessage = ({ document }: Failure): string => JSON.stringify(document)

/**
 * What S3 gets.
 *
 * @category conversions
 * @since 0.1.0
 */
export const toS3 = ({ document, records }: Failure): S3OnFailure => ({
  ...document,
  payload: Batch.event(records, document.KinesisBatchInfo)
})

/**
 * The key of the object on S3: `aws/lambda/<mapping>/<shard>/YYYY/MM/DD/YYYY-MM-DDTHH.MM.SS-<uuid>`, in UTC.
 *
 * **Details**
 *
 * The last part is the id of the request, so that sending the same again writes the same object.
 *
 * @category conversions
 * @since 0.1.0
 */
export const s3Key = ({ document, mappingId }: Failure): string => {
  const { requestContext, timestamp, KinesisBatchInfo } = document
  const day = timestamp.slice(0, 10)
  const time = timestamp.slice(11, 19).replaceAll(":", ".")
  const folder = `aws/lambda/${mappingId}/${KinesisBatchInfo.shardId}/${day.replaceAll("-", "/")}`
  return `${folder}/${day}T${time}-${requestContext.requestId}`
}

const iso = (milliseconds: number): string => DateTime.formatIso(DateTime.makeUnsafe(milliseconds))
