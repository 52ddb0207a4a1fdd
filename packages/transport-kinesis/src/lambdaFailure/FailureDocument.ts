/**
 * The document that Lambda sends to an on-failure destination of a Kinesis event source mapping, as AWS writes it.
 *
 * **Details**
 *
 * Strict about what a redrive rests on (shard, range, stream) and about the types of the rest. `functionError` is null
 * when the function answered and named what failed; `responseContext` is absent when it was given up for its age
 * (`RecordAgeExceeded`); `batchSize` is above 1 where Lambda merged failures; only S3 carries a `payload`, the event
 * itself as JSON or as JSON in text. Members that we don't know are ignored.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @since 0.1.0
 */
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"
import * as SchemaIssue from "effect/SchemaIssue"

import * as SequenceNumber from "../SequenceNumber.ts"
import { LambdaFailureError, malformed, notKinesis } from "./LambdaFailureError.ts"

const Decimal = Schema.String.check(
  Schema.makeFilter((text) => SequenceNumber.parse(text) !== undefined || "Expected a decimal sequence number")
)

const Count = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))

/** `Buffer` skips what is not base64, so a record with a typo would be handled as another one. */
const Base64 = Schema.String.check(
  Schema.makeFilter((text) => isBase64(text) || "Expected base64", { identifier: "Base64" })
)

const isBase64 = (text: string): boolean => text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text)

const FailedRecord = Schema.Struct({
  kinesis: Schema.Struct({
    partitionKey: Schema.String,
    sequenceNumber: Decimal,
    data: Base64,
    /** Epoch seconds with a fraction. */
    approximateArrivalTimestamp: Schema.Number
  })
})

const Document = Schema.Struct({
  requestContext: Schema.Struct({
    requestId: Schema.String,
    functionArn: Schema.String,
    /** `RetryAttemptsExhausted` or `RecordAgeExceeded`; a condition that AWS adds is no fault of the document's. */
    condition: Schema.NonEmptyString,
    approximateInvokeCount: Count
  }),
  responseContext: Schema.optional(
    Schema.NullOr(
      Schema.Struct({
        statusCode: Schema.optional(Schema.NullOr(Schema.Int)),
        executedVersion: Schema.optional(Schema.NullOr(Schema.String)),
        functionError: Schema.optional(Schema.NullOr(Schema.String))
      })
    )
  ),
  version: Schema.String.check(
    Schema.makeFilter((text) => /^1\.\d+$/.test(text) || "Expected 1.x, the version that this program reads")
  ),
  /** ISO 8601. */
  timestamp: Schema.NonEmptyString,
  KinesisBatchInfo: Schema.Struct({
    shardId: Schema.NonEmptyString,
    startSequenceNumber: Decimal,
    endSequenceNumber: Decimal,
    approximateArrivalOfFirstRecord: Schema.optional(Schema.NullOr(Schema.String)),
    approximateArrivalOfLastRecord: Schema.optional(Schema.NullOr(Schema.String)),
    batchSize: Count,
    streamArn: Schema.String.check(
      Schema.makeFilter(
        (arn) => /^arn:[\w-]+:kinesis:.*:stream\/.+/.test(arn) || "Expected the ARN of a Kinesis stream"
      )
    )
  }),
  payload: Schema.optional(Schema.NullOr(Schema.Struct({ Records: Schema.Array(FailedRecord) })))
})

/**
 * The document. What the local event source mapping gives to `onFailure` is one as well.
 *
 * @category models
 * @since 0.1.0
 */
export type FailureDocument = typeof Document.Type

/**
 * A record as the payload of a document carries it.
 *
 * @category models
 * @since 0.1.0
 */
export type FailedRecord = typeof FailedRecord.Type

const decode = Schema.decodeUnknownResult(Document)

const issuesOf = SchemaIssue.makeFormatterStandardSchemaV1()

/**
 * Reads a document out of JSON that was parsed.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromJson = (json: unknown): Result.Result<FailureDocument, LambdaFailureError> => {
  if (!isObject(json)) return Result.fail(malformed("", "Expected an object: an on-failure document of Lambda"))
  if (!("KinesisBatchInfo" in json)) return Result.fail(other(json))
  const unwrapped = withPayload(json)
  if (Result.isFailure(unwrapped)) return Result.fail(unwrapped.failure)
  const decoded = decode(unwrapped.success)
  return Result.isFailure(decoded) ? Result.fail(faultOf(decoded.failure.issue)) : ordered(decoded.success)
}

/**
 * Parses text as JSON.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parseJson = (text: string, member = ""): Result.Result<unknown, LambdaFailureError> =>
  Result.try({
    try: (): unknown => JSON.parse(text),
    catch: (cause) => {
      const where = member === "" ? "the message" : `\`${member}\``
      return new LambdaFailureError({
        reason: "NotJson",
        member,
        message: `${where} is no JSON: an on-failure document of Lambda was expected`,
        retryable: false,
        cause
      })
    }
  })

/**
 * Whether a value has members.
 *
 * @category guards
 * @since 0.1.0
 */
export const isObject = (value: unknown): value is { readonly [member: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)

type Members = { readonly [member: string]: unknown }

const withPayload = (json: Members): Result.Result<Members, LambdaFailureError> => {
  const { payload } = json
  return typeof payload === "string"
    ? Result.map(parseJson(payload, "payload"), (parsed) => ({ ...json, payload: parsed }))
    : Result.succeed(json)
}

const other = (json: Members): LambdaFailureError => {
  if ("DDBStreamBatchInfo" in json) return notKinesis("a document of a DynamoDB stream: its records are not on Kinesis")
  if ("requestPayload" in json) return notKinesis("a document of an asynchronous invocation: it has no shard")
  return malformed("KinesisBatchInfo", "Missing key; is this an on-failure document of a Kinesis event source mapping?")
}

const faultOf = (issue: SchemaIssue.Issue): LambdaFailureError => {
  const [first] = issuesOf(issue).issues
  const path = (first?.path ?? []).map((part) => (typeof part === "object" ? part.key : part))
  return malformed(path.map(String).join("."), first?.message ?? "is not as Lambda writes it")
}

const ordered = (document: FailureDocument): Result.Result<FailureDocument, LambdaFailureError> => {
  const { endSequenceNumber, startSequenceNumber } = document.KinesisBatchInfo
  return SequenceNumber.isBefore(endSequenceNumber, startSequenceNumber)
    ? Result.fail(malformed("KinesisBatchInfo.endSequenceNumber", "Expected no number before startSequenceNumber"))
    : Result.succeed(document)
}
