import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import * as OnFailureDestination from "../../src/eventSourceMapping/OnFailureDestination.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"
import { drain, texts } from "./harness.ts"

const reportsBad = (event: LambdaEvent.LambdaEvent) => ({
  batchItemFailures: event.Records.filter(({ kinesis }) => atob(kinesis.data) === "bad").map(({ kinesis }) => ({
    itemIdentifier: kinesis.sequenceNumber
  }))
})
const throwsOnBad = (event: LambdaEvent.LambdaEvent) => {
  if (texts(event).includes("bad")) throw new Error("bad")
}
const sent = (report: HandlerTest.Report) => report.calls.map((call) => call.data.join(" "))

describe("what is given up", () => {
  it("T68: the last of three that always fails, with 3 retries: 4 invocations, and it alone", async () => {
    const report = await HandlerTest.runPromise(reportsBad, ["1", "2", "bad"], { maximumRetryAttempts: 3 })
    assert.deepStrictEqual(sent(report), ["1 2 bad", "bad", "bad", "bad"])
    const document = report.failures[0]?.document
    assert.deepStrictEqual(
      [
        document?.requestContext.condition,
        document?.requestContext.approximateInvokeCount,
        document?.responseContext?.functionError,
        document?.KinesisBatchInfo.batchSize
      ],
      ["RetryAttemptsExhausted", 4, null, 1]
    )
    assert.deepStrictEqual(report.givenUp, ["bad"])
  })

  it("takes along what follows it in its batch, where nothing is reported and nothing bisected", async () => {
    const report = await HandlerTest.runPromise(throwsOnBad, ["1", "bad", "2"], { maximumRetryAttempts: 1 })
    assert.deepStrictEqual(sent(report), ["1 bad 2", "1 bad 2"])
    assert.deepStrictEqual(report.givenUp, ["1", "bad", "2"])
  })

  it("a thrown error bisects although failures are reported, at no cost of retries", async () => {
    const report = await HandlerTest.runPromise(throwsOnBad, ["1", "2", "3", "bad"], {
      maximumRetryAttempts: 0,
      bisectBatchOnFunctionError: true,
      reportBatchItemFailures: true
    })
    assert.deepStrictEqual(sent(report), ["1 2 3 bad", "1 2", "3 bad", "3", "bad"])
    assert.deepStrictEqual(report.givenUp, ["bad"])
  })

  it("with both on, a partial answer cuts at its number, and only the rest comes again", async () => {
    const report = await HandlerTest.runPromise(reportsBad, ["1", "2", "bad", "3"], {
      maximumRetryAttempts: 0,
      bisectBatchOnFunctionError: true
    })
    assert.deepStrictEqual(sent(report), ["1 2 bad 3", "bad 3"])
  })

  it("a record whose event outgrows 6 MB can't be invoked for", async () => {
    const large = Buffer.alloc(5 * 1024 * 1024)
    const kinesis = FakeKinesis.makeUnsafe({ streams: [{ name: "s", maxRecordBytes: 10 * 1024 * 1024 }] })
    const failures: Array<EventSourceMapping.Failure> = []
    await Effect.gen(function* () {
      yield* kinesis.stream("s").put({ data: large }, { data: "small" })
      const mapping = yield* EventSourceMapping.make({
        stream: "s",
        handler: (event) => assert.deepStrictEqual(texts(event), ["small"]),
        maximumRetryAttempts: 0,
        maximumBatchingWindow: 0,
        onFailure: (failure) => Effect.sync(() => void failures.push(failure))
      })
      yield* mapping.drained
    }).pipe(Effect.scoped, Effect.provide(kinesis.layer), Effect.runPromise)
    assert.deepStrictEqual(
      failures.map(({ records }) => records.map(({ data }) => data.length)),
      [[large.length]]
    )
  })
})

describe("an on-failure destination", () => {
  it.effect("that is away is asked again, and the shard waits for it", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const queue: Array<string> = []
      const log: Array<string> = []
      let away = 3
      const send = (body: string) =>
        Effect.suspend(() => {
          log.push(away > 0 ? "away" : "sent")
          return away-- > 0 ? Effect.fail("away") : Effect.sync(() => queue.push(body))
        })
      yield* kinesis.stream("s").put({ data: "bad" }, { data: "good" })
      const mapping = yield* EventSourceMapping.make({
        stream: "s",
        batchSize: 1,
        maximumBatchingWindow: 0,
        maximumRetryAttempts: 0,
        backoff: () => 1000,
        onFailure: OnFailureDestination.sqs(send),
        handler: (event) => {
          log.push(...texts(event))
          throwsOnBad(event)
        }
      }).pipe(Effect.provide(kinesis.layer))
      yield* drain(mapping)
      assert.deepStrictEqual(log, ["bad", "away", "away", "away", "sent", "good"])
      assert.strictEqual(JSON.parse(queue[0] ?? "").KinesisBatchInfo.batchSize, 1)
      assert.strictEqual((yield* mapping.stats).givenUp, 1)
    })
  )
})
