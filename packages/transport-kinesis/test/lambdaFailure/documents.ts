export const streamArn = "arn:aws:kinesis:us-east-1:000000000000:stream/s"

/** A document as AWS recorded it: numbers of 56 digits, both contexts, no payload. */
export const recorded = {
  requestContext: {
    requestId: "0a6b9d1e-8c1f-4f6e-9d35-3f2f7a9e1c11",
    functionArn: "arn:aws:lambda:us-east-1:000000000000:function:shop",
    condition: "RetryAttemptsExhausted",
    approximateInvokeCount: 4
  },
  responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
  version: "1.0",
  timestamp: "2026-01-31T10:20:30.456Z",
  KinesisBatchInfo: {
    shardId: "shardId-000000000001",
    startSequenceNumber: "49660000000000000000000000000000000000000000000000000018",
    endSequenceNumber: "49660000000000000000000000000000000000000000000000000210",
    approximateArrivalOfFirstRecord: "2026-01-31T10:20:01.102Z",
    approximateArrivalOfLastRecord: "2026-01-31T10:20:02.318Z",
    batchSize: 3,
    streamArn
  }
}

export interface Range {
  readonly shardId: string
  readonly start: string
  readonly end?: string
  readonly batchSize?: number
  readonly payload?: unknown
}

/** The body of a message about a range. */
export const about = ({ batchSize = 1, end, payload, shardId, start }: Range): string =>
  JSON.stringify({
    ...recorded,
    KinesisBatchInfo: {
      ...recorded.KinesisBatchInfo,
      shardId,
      startSequenceNumber: start,
      endSequenceNumber: end ?? start,
      batchSize
    },
    ...(payload === undefined ? {} : { payload })
  })
