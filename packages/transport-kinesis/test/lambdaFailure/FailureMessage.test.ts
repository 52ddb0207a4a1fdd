import { assert, describe, it } from "@effect/vitest"
import * as Result from "effect/Result"

import * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as FailureMessage from "../../src/lambdaFailure/FailureMessage.ts"
import { recorded } from "./documents.ts"

const read = (body: unknown) => FailureMessage.parse(typeof body === "string" ? body : JSON.stringify(body))

const documentOf = (body: unknown) => {
  const message = Result.getOrThrow(read(body))
  if (message._tag !== "Document") throw new Error("points at objects")
  return message.document
}

const objectsOf = (body: unknown) => {
  const message = Result.getOrThrow(read(body))
  return message._tag === "Objects" ? message.objects : []
}

const faultOf = (body: unknown) => {
  const message = read(body)
  return Result.isFailure(message) ? message.failure : assert.fail("was read")
}

const batchOf = (changed: object) => ({ ...recorded, KinesisBatchInfo: { ...recorded.KinesisBatchInfo, ...changed } })

const notification = (message: unknown) => ({
  Type: "Notification",
  MessageId: "6f1c2b7e-0000-4000-8000-000000000000",
  TopicArn: "arn:aws:sns:us-east-1:000000000000:given-up",
  Message: typeof message === "string" ? message : JSON.stringify(message),
  Timestamp: "2026-01-31T10:20:31.000Z"
})

const created = (key: string, bucket = "given-up") => ({
  eventVersion: "2.1",
  eventSource: "aws:s3",
  eventName: "ObjectCreated:Put",
  s3: { s3SchemaVersion: "1.0", bucket: { name: bucket }, object: { key, size: 900 } }
})

describe("the message of an on-failure destination", () => {
  it("T74: is the document itself from SQS, and from SNS with raw delivery", () => {
    const document = documentOf(recorded)
    assert.strictEqual(document.KinesisBatchInfo.startSequenceNumber, recorded.KinesisBatchInfo.startSequenceNumber)
    assert.strictEqual(document.responseContext?.functionError, "Unhandled")
    assert.isUndefined(document.payload)
  })

  it("T74: has a null functionError where the function answered and named what failed", () => {
    const { responseContext } = documentOf({
      ...recorded,
      responseContext: { ...recorded.responseContext, functionError: null }
    })
    assert.isNull(responseContext?.functionError)
  })

  it("T74: has no responseContext where records were given up for their age", () => {
    const { responseContext: _, ...rest } = recorded
    const document = documentOf({ ...rest, requestContext: { ...rest.requestContext, condition: "RecordAgeExceeded" } })
    assert.strictEqual(document.requestContext.condition, "RecordAgeExceeded")
    assert.isUndefined(document.responseContext)
  })

  it("T74: covers several records where Lambda merged what failed", () => {
    assert.strictEqual(documentOf(batchOf({ batchSize: 500 })).KinesisBatchInfo.batchSize, 500)
  })

  it("T74: is wrapped by SNS without raw delivery", () => {
    assert.strictEqual(documentOf(notification(recorded)).KinesisBatchInfo.shardId, "shardId-000000000001")
  })

  it("T74: carries the event from S3, as an object or as text", () => {
    const payload = LambdaEvent.make({ data: "one", sequenceNumber: "18", arrival: 1_500 })
    for (const carried of [payload, JSON.stringify(payload)]) {
      const [record] = documentOf({ ...recorded, payload: carried }).payload?.Records ?? []
      assert.strictEqual(record?.kinesis.sequenceNumber, "18")
      assert.strictEqual(record?.kinesis.approximateArrivalTimestamp, 1.5)
    }
  })

  it("T74: may have members that we don't know", () => {
    const document = documentOf({ ...batchOf({ consumer: "efo" }), later: { a: 1 } })
    assert.strictEqual(document.KinesisBatchInfo.batchSize, 3)
  })

  it("T74: points at an object through the notification of a bucket, whose keys are URL-encoded", () => {
    const key = "aws/lambda/m/shardId-000000000001/2026/01/31/a%3Ab+c%2B"
    assert.deepStrictEqual(objectsOf({ Records: [created(key), created("b", "other")] }), [
      { bucket: "given-up", key: "aws/lambda/m/shardId-000000000001/2026/01/31/a:b c+" },
      { bucket: "other", key: "b" }
    ])
    assert.deepStrictEqual(objectsOf(notification({ Records: [created("b")] })), [{ bucket: "given-up", key: "b" }])
  })

  it("T74: points at an object through EventBridge, whose keys are as they are", () => {
    const event = {
      version: "0",
      source: "aws.s3",
      "detail-type": "Object Created",
      detail: { bucket: { name: "given-up" }, object: { key: "a+b%20c" } }
    }
    assert.deepStrictEqual(objectsOf(event), [{ bucket: "given-up", key: "a+b%20c" }])
  })
})

describe("a message that is none", () => {
  const { KinesisBatchInfo: batch, ...withoutBatch } = recorded
  const { streamArn: _, ...withoutStream } = batch
  const record = LambdaEvent.record({ data: "one", sequenceNumber: "18" })

  it.each([
    ["no JSON", "{nope", "NotJson", ""],
    ["no object", "[]", "Malformed", ""],
    ["null", "null", "Malformed", ""],
    ["an SNS message that is no JSON", notification("hello"), "NotJson", "Message"],
    ["an SNS message without text", { Type: "Notification" }, "Malformed", "Message"],
    ["SNS in SNS in SNS", notification(notification(notification(recorded))), "Malformed", "Message"],
    ["no batch", withoutBatch, "Malformed", "KinesisBatchInfo"],
    ["a batch that is none", { ...recorded, KinesisBatchInfo: 7 }, "Malformed", "KinesisBatchInfo"],
    ["no stream", { ...recorded, KinesisBatchInfo: withoutStream }, "Malformed", "KinesisBatchInfo.streamArn"],
    ["another stream", batchOf({ streamArn: "arn:aws:sqs:::x" }), "Malformed", "KinesisBatchInfo.streamArn"],
    ["an empty shard", batchOf({ shardId: "" }), "Malformed", "KinesisBatchInfo.shardId"],
    [
      "a number for a number in text",
      batchOf({ startSequenceNumber: 18 }),
      "Malformed",
      "KinesisBatchInfo.startSequenceNumber"
    ],
    ["a hexadecimal number", batchOf({ endSequenceNumber: "0x10" }), "Malformed", "KinesisBatchInfo.endSequenceNumber"],
    [
      "an end before the start",
      batchOf({ startSequenceNumber: "10", endSequenceNumber: "9" }),
      "Malformed",
      "KinesisBatchInfo.endSequenceNumber"
    ],
    ["half a record", batchOf({ batchSize: 0.5 }), "Malformed", "KinesisBatchInfo.batchSize"],
    ["a version to come", { ...recorded, version: "2.0" }, "Malformed", "version"],
    ["no condition", { ...recorded, requestContext: {} }, "Malformed", "requestContext.requestId"],
    ["a payload that is no JSON", { ...recorded, payload: "<whole event>" }, "NotJson", "payload"],
    [
      "a payload of another source",
      { ...recorded, payload: { Records: [{ body: "x" }] } },
      "Malformed",
      "payload.Records.0.kinesis"
    ],
    [
      "a payload whose data is no base64",
      { ...recorded, payload: { Records: [record, { kinesis: { ...record.kinesis, data: "{a}!" } }] } },
      "Malformed",
      "payload.Records.1.kinesis.data"
    ],
    [
      "a payload whose data is cut off",
      { ...recorded, payload: { Records: [{ kinesis: { ...record.kinesis, data: "abc" } }] } },
      "Malformed",
      "payload.Records.0.kinesis.data"
    ],
    ["a DynamoDB stream's", { ...withoutBatch, DDBStreamBatchInfo: batch }, "NotKinesis", ""],
    ["an asynchronous invocation's", { ...withoutBatch, requestPayload: {} }, "NotKinesis", ""],
    ["the test of a bucket", { Service: "Amazon S3", Event: "s3:TestEvent", Bucket: "b" }, "NotKinesis", ""],
    ["an empty notification", { Records: [] }, "NotKinesis", ""],
    ["an event of Kinesis", { Records: [record] }, "NotKinesis", ""],
    [
      "an object without a key",
      { Records: [{ s3: { bucket: { name: "b" }, object: {} } }] },
      "Malformed",
      "Records.0.s3.object.key"
    ],
    ["a key that is not URL-encoded", { Records: [created("%zz")] }, "Malformed", "Records.0.s3.object.key"],
    ["EventBridge without a bucket", { source: "aws.s3", detail: {} }, "Malformed", "detail.bucket.name"]
  ] as const)("T74: names the member at fault: %s", (_name, body, reason, member) => {
    const error = faultOf(body)
    assert.deepStrictEqual([error.reason, error.member], [reason, member])
    assert.include(error.message, member)
    assert.isFalse(error.retryable)
  })
})
