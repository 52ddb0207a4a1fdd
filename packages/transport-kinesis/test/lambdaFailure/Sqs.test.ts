import { ChangeMessageVisibilityCommand, SQSClient } from "@aws-sdk/client-sqs"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"
import * as TestClock from "effect/testing/TestClock"

import { configOf } from "../../src/lambdaFailure/AwsClient.ts"
import { fromThrown } from "../../src/lambdaFailure/FailureDestinationError.ts"
import type * as FailureSource from "../../src/lambdaFailure/FailureSource.ts"
import * as S3 from "../../src/lambdaFailure/S3.ts"
import * as Sqs from "../../src/lambdaFailure/Sqs.ts"
import { about } from "./documents.ts"
import { aws } from "./fauxqs.ts"
import { trickling } from "./trickling.ts"

const starts = (letters: ReadonlyArray<FailureSource.Letter>) =>
  letters.flatMap(({ documents }) =>
    Result.isFailure(documents)
      ? [documents.failure.reason]
      : documents.success.map(({ KinesisBatchInfo }) => KinesisBatchInfo.startSequenceNumber)
  )

const body = (start: string) => about({ shardId: "a", start })

const turn = Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))

describe("a queue of documents", () => {
  it.effect(
    "T74: gives each message once in a reading, more than one call can carry, and deletes what is acknowledged",
    () =>
      Effect.gen(function* () {
        const { endpoint, messages, queueUrl, server } = yield* aws
        for (let start = 1; start <= 23; start++) server.sendMessage("given-up", body(String(start)))
        const source = Sqs.source({ queueUrl, endpoint, wait: 0 })
        yield* Effect.scoped(
          Effect.gen(function* () {
            const next = yield* source.open
            const first = yield* next(12)
            const rest = yield* next(100)
            assert.deepStrictEqual([first.length, rest.length, (yield* next(100)).length], [12, 11, 0])
            assert.strictEqual(new Set(starts([...first, ...rest])).size, 23)
            for (const letter of first) yield* letter.acknowledge
            assert.strictEqual(messages().held.length, 11)
          })
        )
        assert.strictEqual(messages().ready.length, 11)
        assert.strictEqual(messages().held.length, 0)
      })
  )

  it.effect("T74: leaves a message that can't be read, and gives the reason", () =>
    Effect.gen(function* () {
      const { endpoint, messages, queueUrl, server } = yield* aws
      server.sendMessage("given-up", "{nope")
      const letters = yield* Effect.scoped(
        Effect.flatMap(Sqs.source({ queueUrl, endpoint, wait: 0 }).open, (next) => next(10))
      )
      assert.deepStrictEqual(starts(letters), ["NotJson"])
      assert.deepStrictEqual(messages().ready, ["{nope"])
    })
  )

  it.effect("keeps its messages to itself while a reading lasts: a third of the timeout before, it is extended", () =>
    Effect.gen(function* () {
      const { endpoint, queueUrl, server } = yield* aws
      server.sendMessage("given-up", body("1"))
      const deadline = () => server.inspectQueue("given-up")?.messages.inflight[0]?.visibilityDeadline ?? 0
      const next = yield* Sqs.source({ queueUrl, endpoint, wait: 0, visibilityTimeout: "9 minutes" }).open
      yield* next(10)
      const before = deadline()
      yield* TestClock.adjust("179 seconds")
      assert.strictEqual(deadline(), before)
      yield* TestClock.adjust("1 second")
      while (deadline() === before) yield* turn
      assert.isAbove(deadline(), before)
    })
  )

  it.effect("ends where SQS gives only what it holds already, and deletes by the latest receipt", () =>
    Effect.gen(function* () {
      const { endpoint, messages, queueUrl, server } = yield* aws
      const client = new SQSClient(configOf({ endpoint }))
      yield* Effect.addFinalizer(() => Effect.sync(() => client.destroy()))
      server.sendMessage("given-up", body("1"))
      const next = yield* Sqs.source({ queueUrl, endpoint, wait: 0 }).open
      const [letter] = yield* next(10)
      const receipt = server.inspectQueue("given-up")?.messages.inflight[0]?.receiptHandle
      yield* Effect.promise(() =>
        client.send(
          new ChangeMessageVisibilityCommand({ QueueUrl: queueUrl, ReceiptHandle: receipt, VisibilityTimeout: 0 })
        )
      )
      assert.strictEqual(messages().ready.length, 1)
      assert.deepStrictEqual(yield* next(10), [])
      assert.strictEqual(messages().held.length, 1)
      yield* letter?.acknowledge ?? Effect.die("no letter")
      assert.deepStrictEqual(messages(), { ready: [], held: [] })
    })
  )

  it.effect("T74: takes a document out of an SNS notification, wrapped or raw, as a topic sends it", () =>
    Effect.gen(function* () {
      const { endpoint, queueUrl, server } = yield* aws
      server.createTopic("wrapped")
      server.createTopic("raw")
      server.subscribe({ topic: "wrapped", queue: "given-up" })
      server.subscribe({ topic: "raw", queue: "given-up", attributes: { RawMessageDelivery: "true" } })
      server.publish("wrapped", body("1"))
      server.publish("raw", body("2"))
      const next = yield* Sqs.source({ queueUrl, endpoint, wait: 0 }).open
      assert.deepStrictEqual(starts(yield* next(10)).toSorted(), ["1", "2"])
    })
  )

  it.effect("T74: reads the object that a message points at; without a way to, the message says what to do", () =>
    Effect.gen(function* () {
      const { bucket, endpoint, queueUrl, server } = yield* aws
      const word = { source: "aws.s3", detail: { bucket: { name: bucket }, object: { key: "none" } } }
      server.sendMessage("given-up", JSON.stringify(word))
      const read = (options: Partial<Sqs.Options>) =>
        Effect.scoped(
          Effect.flatMap(Sqs.source({ queueUrl, endpoint, wait: 0, ...options }).open, (next) =>
            Effect.map(next(1), ([letter]) =>
              letter !== undefined && Result.isFailure(letter.documents) ? letter.documents.failure : undefined
            )
          )
        )
      const without = yield* read({})
      assert.include(without?.message, "objects: S3.objects()")
      const missing = yield* read({ objects: S3.objects({ endpoint }) })
      assert.strictEqual(missing?.reason, "Unresolved")
      assert.include(missing?.message, "s3://given-up/none")
    })
  )

  it.effect("refuses times that SQS does not know", () =>
    Effect.gen(function* () {
      const refused = (options: Partial<Sqs.Options>) =>
        Effect.map(Effect.flip(Effect.scoped(Sqs.source({ queueUrl: "q", ...options }).open)), ({ message }) => message)
      assert.include(yield* refused({ visibilityTimeout: "13 hours" }), "`visibilityTimeout` is 46800 s")
      assert.include(yield* refused({ visibilityTimeout: 0 }), "`visibilityTimeout` is 0 s")
      assert.include(yield* refused({ wait: "1 minute" }), "`wait` is 60 s")
    })
  )

  it.live("regression: a queue that never comes to the end of its answer is unavailable in the end", () =>
    Effect.gen(function* () {
      const endpoint = yield* trickling
      const options = { endpoint, queueUrl: `${endpoint}/q`, requestTimeout: "50 millis", wait: 0 } as const
      const read = Effect.scoped(Effect.flatMap(Sqs.source(options).open, (next) => next(1)))
      const error = yield* Effect.timeout(Effect.flip(read), "3 seconds")
      assert.deepInclude(error, { reason: "Unavailable", operation: "ReceiveMessage", retryable: true })
    })
  )

  it.live("regression: waits for messages longer than another call may take", () =>
    Effect.gen(function* () {
      const { endpoint, queueUrl } = yield* aws
      const options = { endpoint, queueUrl, requestTimeout: "500 millis", wait: "1 second" } as const
      const letters = yield* Effect.scoped(Effect.flatMap(Sqs.source(options).open, (next) => next(1)))
      assert.deepStrictEqual(letters, [])
    })
  )

  it("regression: an answer that breaks off is none", () => {
    const broken = Object.assign(new SyntaxError("Unexpected end of JSON input"), {
      $metadata: { httpStatusCode: 200 }
    })
    assert.deepInclude(fromThrown("ReceiveMessage", broken), { reason: "Unavailable", retryable: true })
    const refused = Object.assign(new Error("no"), { $metadata: { httpStatusCode: 400 }, $fault: "client" })
    assert.deepInclude(fromThrown("ReceiveMessage", refused), { reason: "Unknown", retryable: false })
  })

  it.effect("fails with the reason where there is no queue, or nobody answers", () =>
    Effect.gen(function* () {
      const { endpoint, queueUrl } = yield* aws
      const open = (options: Sqs.Options) => Effect.scoped(Effect.flatMap(Sqs.source(options).open, (next) => next(1)))
      const missing = yield* Effect.flip(open({ queueUrl: queueUrl.replace("given-up", "other"), endpoint }))
      assert.deepInclude(missing, { reason: "NotFound", operation: "ReceiveMessage", retryable: false })
      const silent = yield* Effect.flip(open({ queueUrl, endpoint: "http://127.0.0.1:9" }))
      assert.deepInclude(silent, { reason: "Unavailable", retryable: true })
    })
  )
})
