/**
 * What AWS Lambda hands to a function of a Kinesis stream and what it reads back.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
 * @since 0.1.0
 */

/**
 * One record of the event.
 *
 * @category models
 * @since 0.1.0
 */
export interface LambdaRecord {
  readonly eventSource: string
  readonly eventVersion: string
  /** `shardId-000000000006:49590338271490256608559692538361571095921575989136588898` */
  readonly eventID: string
  readonly eventName: string
  readonly invokeIdentityArn: string
  readonly awsRegion: string
  readonly eventSourceARN: string
  readonly kinesis: {
    readonly kinesisSchemaVersion: string
    readonly partitionKey: string
    readonly sequenceNumber: string
    /** Base64. */
    readonly data: string
    /** Epoch seconds with a fraction. */
    readonly approximateArrivalTimestamp: number
  }
}

/**
 * A batch of one shard, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface LambdaEvent {
  readonly Records: ReadonlyArray<LambdaRecord>
}

/**
 * What an event of a mapping with a tumbling window says beside its records.
 *
 * **Gotchas**
 *
 * The final call of a window may carry no records: a schema that asks for one refuses it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-windows.html
 * @category models
 * @since 0.1.0
 */
export interface TimeWindow {
  /** ISO 8601, whole seconds. The start belongs to the window, the end to the next. */
  readonly window: { readonly start: string; readonly end: string }
  /** What the function answered before in this window; `{}` in its first call. */
  readonly state: unknown
  readonly shardId: string
  readonly eventSourceARN: string
  /** The window is over and its state complete. The next call begins another window, with an empty state. */
  readonly isFinalInvokeForWindow: boolean
  /** The state outgrew 1 MB. The next call goes on in the same window, with an empty state. */
  readonly isWindowTerminatedEarly: boolean
}

/**
 * A batch of one shard and one tumbling window.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimeWindowEvent extends LambdaEvent, TimeWindow {}

/**
 * The part of the function's context that we read, and what else a function under a mapping of ours may look up.
 *
 * @category models
 * @since 0.1.0
 */
export interface LambdaContext {
  readonly awsRequestId: string
  readonly functionName: string
  readonly invokedFunctionArn: string
  /** Milliseconds until the function is killed. */
  readonly getRemainingTimeInMillis: () => number
  readonly functionVersion?: string
  readonly memoryLimitInMB?: string
  readonly logGroupName?: string
  readonly logStreamName?: string
  readonly callbackWaitsForEmptyEventLoop?: boolean
}

/**
 * The answer with `ReportBatchItemFailures`: everything from the lowest number on is sent again; `[]` is success.
 *
 * @category models
 * @since 0.1.0
 */
export interface LambdaResponse {
  readonly batchItemFailures: ReadonlyArray<{ readonly itemIdentifier: string }>
}

/**
 * The answer of a function under a tumbling window. An answer without `state` is a failed call.
 *
 * @category models
 * @since 0.1.0
 */
export interface TimeWindowResponse extends Partial<LambdaResponse> {
  readonly state: unknown
}

/**
 * How a function that takes three parameters answers.
 *
 * @category models
 * @since 0.1.0
 */
export type Callback = AnyHandler<unknown>["callback"]

/**
 * A function of a Kinesis stream: ours or anyone's, whatever types of event and context it was written with.
 *
 * @category models
 * @since 0.1.0
 */
export type Handler<Response = unknown> = AnyHandler<Response>["handler"]

/** Written as methods, parameters compare both ways: lists may be mutable, and the context may be of another package. */
interface AnyHandler<Response> {
  callback(error?: unknown, answer?: unknown): void
  handler(event: LambdaEvent, context: LambdaContext, callback?: Callback): Promise<Response> | Response
}

/**
 * What a record of an event is built from.
 *
 * @category models
 * @since 0.1.0
 */
export interface RecordOptions {
  /** Text is written as UTF-8. */
  readonly data: Uint8Array | string
  /** Default `"0"`. */
  readonly partitionKey?: string | undefined
  /** Default: counted up within the event from 1. */
  readonly sequenceNumber?: string | undefined
  /** Arrival in epoch milliseconds. Default 0. */
  readonly arrival?: number | undefined
  /** Default `shardId-000000000000`. */
  readonly shardId?: string | undefined
  readonly streamArn?: string | undefined
}

/**
 * The stream that events are from when nothing else is said.
 *
 * @category constants
 * @since 0.1.0
 */
export const defaultStreamArn = "arn:aws:kinesis:us-east-1:000000000000:stream/movie-rec-requests"

/**
 * Builds an event out of records: for tests, examples and the local event source mapping.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (...records: ReadonlyArray<RecordOptions>): LambdaEvent => ({
  Records: records.map((options, index) =>
    record({ ...options, sequenceNumber: options.sequenceNumber ?? String(index + 1) })
  )
})

/**
 * Builds one record. Left out, the sequence number is `"1"`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const record = (options: RecordOptions): LambdaRecord => {
  const streamArn = options.streamArn ?? defaultStreamArn
  const sequenceNumber = options.sequenceNumber ?? "1"
  return {
    kinesis: {
      kinesisSchemaVersion: "1.0",
      partitionKey: options.partitionKey ?? "0",
      sequenceNumber,
      data: base64(options.data),
      approximateArrivalTimestamp: (options.arrival ?? 0) / 1000
    },
    eventSource: "aws:kinesis",
    eventVersion: "1.0",
    eventID: `${options.shardId ?? "shardId-000000000000"}:${sequenceNumber}`,
    eventName: "aws:kinesis:record",
    invokeIdentityArn: "arn:aws:iam::000000000000:role/lambda",
    awsRegion: streamArn.split(":")[3] ?? "us-east-1",
    eventSourceARN: streamArn
  }
}

const base64 = (data: Uint8Array | string): string =>
  typeof data === "string"
    ? Buffer.from(data, "utf8").toString("base64")
    : Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString("base64")

/**
 * A context for tests: `remaining` milliseconds are left, always. Default 30 000.
 *
 * @category constructors
 * @since 0.1.0
 */
export const context = (
  options: { readonly awsRequestId?: string | undefined; readonly remaining?: number | undefined } = {}
): LambdaContext => ({
  awsRequestId: options.awsRequestId ?? "00000000-0000-4000-8000-000000000000",
  functionName: "test",
  invokedFunctionArn: "arn:aws:lambda:us-east-1:000000000000:function:test",
  getRemainingTimeInMillis: () => options.remaining ?? 30_000
})
