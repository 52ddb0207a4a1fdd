import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import type * as Attempt from "../../src/eventSourceMapping/Attempt.ts"
import * as OnFailure from "../../src/eventSourceMapping/OnFailure.ts"
import * as OnFailureDestination from "../../src/eventSourceMapping/OnFailureDestination.ts"

const streamArn = "arn:aws:kinesis:us-east-1:000000000000:stream/orders"
const functionArn = "arn:aws:lambda:us-east-1:000000000000:function:fn"
const record = (sequenceNumber: string, data: string) => ({
  sequenceNumber,
  partitionKey: "k",
  data: Buffer.from(data),
  arrival: Date.UTC(2025, 10, 24, 10, 0, Number(sequenceNumber))
})
const failure = (
  change: Partial<Attempt.Discard> = {},
  range?: Parameters<typeof OnFailure.make>[1]["range"]
): OnFailure.Failure => {
  const discard: Attempt.Discard = {
    records: [record("7", "a"), record("9", "b")],
    condition: "RetryAttemptsExhausted",
    invocations: 4,
    functionError: "Unhandled",
    ...change
  }
  const now = Date.UTC(2025, 10, 24, 10, 5, 6, 789)
  const source = { shardId: "shardId-000000000002", streamArn, functionArn, requestId: "req-1", now, range }
  return { document: OnFailure.make(discard, source), records: discard.records, mappingId: "esm-1" }
}

const document = {
  requestContext: {
    requestId: "req-1",
    functionArn,
    condition: "RetryAttemptsExhausted",
    approximateInvokeCount: 4
  },
  responseContext: { statusCode: 200, executedVersion: "$LATEST", functionError: "Unhandled" },
  version: "1.0",
  timestamp: "2025-11-24T10:05:06.789Z",
  KinesisBatchInfo: {
    shardId: "shardId-000000000002",
    startSequenceNumber: "7",
    endSequenceNumber: "9",
    approximateArrivalOfFirstRecord: "2025-11-24T10:00:07.000Z",
    approximateArrivalOfLastRecord: "2025-11-24T10:00:09.000Z",
    batchSize: 2,
    streamArn
  }
}

describe("T74: what an on-failure destination gets", () => {
  it("says where the records lie, both ends included", () => {
    assert.deepStrictEqual(JSON.parse(OnFailure.toMessage(failure())), document)
  })

  it("has a null functionError when the function answered and named them", () => {
    const { responseContext } = failure({ functionError: null }).document
    assert.deepStrictEqual(responseContext, { statusCode: 200, executedVersion: "$LATEST", functionError: null })
  })

  it("has no responseContext when they grew too old", () => {
    const message = OnFailure.toMessage(failure({ condition: "RecordAgeExceeded" }))
    assert.notProperty(JSON.parse(message), "responseContext")
  })

  it("spans the window where the final call of one was given up", () => {
    const range = { first: record("3", ""), last: record("8", ""), count: 4 }
    const { KinesisBatchInfo } = failure({ records: [] }, range).document
    assert.deepStrictEqual(
      [KinesisBatchInfo.startSequenceNumber, KinesisBatchInfo.endSequenceNumber, KinesisBatchInfo.batchSize],
      ["3", "8", 4]
    )
  })

  it("holds the event too, on S3, under a key of mapping, shard and day", () => {
    const { payload, ...rest } = OnFailure.toS3(failure())
    assert.deepStrictEqual(JSON.parse(JSON.stringify(rest)), document)
    assert.deepStrictEqual(
      payload.Records.map((one) => [one.eventID, atob(one.kinesis.data), one.eventSourceARN]),
      [
        ["shardId-000000000002:7", "a", streamArn],
        ["shardId-000000000002:9", "b", streamArn]
      ]
    )
    assert.strictEqual(
      OnFailure.s3Key(failure()),
      "aws/lambda/esm-1/shardId-000000000002/2025/11/24/2025-11-24T10.05.06-req-1"
    )
  })
})

describe("a destination", () => {
  it.effect("sends to SQS and SNS the document, to S3 an object", () =>
    Effect.gen(function* () {
      const sent: Array<unknown> = []
      const note = (what: unknown) => Effect.sync(() => sent.push(what))
      yield* OnFailureDestination.sqs(note)(failure())
      yield* OnFailureDestination.sns(note)(failure())
      yield* OnFailureDestination.s3(note)(failure())
      const message = OnFailure.toMessage(failure())
      const object = { key: OnFailure.s3Key(failure()), body: JSON.stringify(OnFailure.toS3(failure())) }
      assert.deepStrictEqual(sent, [message, message, object])
    })
  )

  it.effect("that refuses says which it is, and why", () =>
    Effect.gen(function* () {
      const refused = OnFailureDestination.s3(() => Effect.fail("no such bucket"))
      const error = yield* Effect.flip(refused(failure()))
      assert.deepStrictEqual([error.destination, error.retryable], ["S3", true])
      assert.include(error.message, "no such bucket")
    })
  )
})
