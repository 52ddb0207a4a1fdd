import { fileURLToPath } from "node:url"

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"
import * as LambdaRuntime from "../../src/testing/LambdaRuntime.ts"

const texts = (event: LambdaEvent.LambdaEvent) => event.Records.map(({ kinesis }) => atob(kinesis.data))

describe("a test of somebody else's handler", () => {
  it("is five lines", async () => {
    const handler = async (event: LambdaEvent.LambdaEvent) => {
      if (texts(event).includes("poison")) throw new Error("poison")
    }
    const options = { bisectBatchOnFunctionError: true, maximumRetryAttempts: 2 }
    const report = await HandlerTest.runPromise(handler, ["1", "2", "poison", "4"], options)
    assert.deepStrictEqual(report.givenUp, ["poison"])
    assert.strictEqual(report.stats.settled, 3)
    assert.deepStrictEqual(
      report.calls.map((call) => call.data),
      [["1", "2", "poison", "4"], ["1", "2"], ["poison", "4"], ["poison"], ["poison"], ["poison"], ["4"]]
    )
  })

  it("passes an hour of retries in no time, and says how long it would have been", async () => {
    const handler = () => Promise.reject(new Error("always"))
    const report = await HandlerTest.runPromise(handler, ["1"], { maximumRecordAge: "1 hour" })
    assert.strictEqual(report.failures[0]?.document.requestContext.condition, "RecordAgeExceeded")
    assert.isAbove(report.elapsed, 3_600_000)
    assert.isBelow(report.elapsed, 3_700_000)
  })

  it("closes its windows, and keeps to the moment that it is given", async () => {
    const handler = async (event: LambdaEvent.TimeWindowEvent) => ({
      state: { count: (event.state as { count?: number }).count ?? 0 + event.Records.length }
    })
    const report = await HandlerTest.runPromise(handler, ["1", "2"], {
      tumblingWindow: "5 minutes",
      now: 1_764_000_030_000
    })
    assert.deepStrictEqual(
      report.calls.map(({ event }) => [event.Records.length, event.isFinalInvokeForWindow, event.window?.end]),
      [
        [2, false, "2025-11-24T16:05:00Z"],
        [0, true, "2025-11-24T16:05:00Z"]
      ]
    )
  })

  it("waits for a handler that takes its time, and gives up one that never answers", async () => {
    const slow = await HandlerTest.runPromise(() => new Promise((resolve) => setTimeout(resolve, 30, null)), ["1"])
    assert.deepStrictEqual([slow.stats.invocations, slow.stats.settled], [1, 1])
    const hung = await HandlerTest.runPromise(() => new Promise(() => {}), ["1"], {
      functionTimeout: 20,
      maximumRetryAttempts: 0
    })
    assert.deepStrictEqual(hung.givenUp, ["1"])
    assert.strictEqual(hung.calls[0]?.outcome._tag, "Pending")
  })

  it("takes records with keys and shards, bytes too", async () => {
    const records = [
      { data: "a", partitionKey: "1" },
      { data: Buffer.from("b"), partitionKey: "2" },
      Buffer.from("c"),
      { data: "d", partitionKey: "3" }
    ]
    const report = await HandlerTest.runPromise(() => null, records, { shards: 4, parallelizationFactor: 2 })
    assert.deepStrictEqual(report.calls.flatMap((call) => call.data).toSorted(), ["a", "b", "c", "d"])
  })

  it.effect("runs a function under AWS's own runtime client", () =>
    Effect.gen(function* () {
      const taskRoot = fileURLToPath(new URL("../fixtures/function", import.meta.url))
      const runtime = yield* LambdaRuntime.start({ taskRoot, handler: "index.handler" })
      const report = yield* HandlerTest.run(runtime.handler, ["1", "2"])
      assert.strictEqual(report.stats.settled, 2)
      const outcome = report.calls[0]?.outcome
      const answer = outcome?._tag === "Answered" ? outcome.answer : undefined
      assert.deepInclude(answer, { records: 2, batchItemFailures: [] })
    })
  )

  it.effect("fails with the option that AWS would refuse", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(HandlerTest.run(() => null, [], { batchSize: 0 }))
      assert.isTrue(error instanceof EventSourceMapping.EventSourceMappingError && error.reason === "BatchSize")
    })
  )
})

/** The types of `@types/aws-lambda`, shortened. */
interface KinesisStreamEvent {
  Records: Array<{
    awsRegion: string
    eventID: string
    eventName: string
    eventSource: string
    eventSourceARN: string
    eventVersion: string
    invokeIdentityArn: string
    kinesis: {
      approximateArrivalTimestamp: number
      data: string
      kinesisSchemaVersion: string
      partitionKey: string
      sequenceNumber: string
    }
  }>
}
interface Context {
  callbackWaitsForEmptyEventLoop: boolean
  functionName: string
  functionVersion: string
  invokedFunctionArn: string
  memoryLimitInMB: string
  awsRequestId: string
  logGroupName: string
  logStreamName: string
  getRemainingTimeInMillis(): number
}
type Handler<TEvent, TResult> = (
  event: TEvent,
  context: Context,
  callback: (error?: Error | string | null, result?: TResult) => void
) => void | Promise<TResult>

describe("a handler of any make", () => {
  it("is typed by @types/aws-lambda and answers by a promise, by its callback or at once", async () => {
    const seen: Array<string> = []
    const promise: Handler<KinesisStreamEvent, void> = async (event, context) => {
      seen.push(
        `${event.Records.length} ${context.functionVersion} ${context.memoryLimitInMB} ${context.logStreamName}`
      )
    }
    const callback: Handler<KinesisStreamEvent, unknown> = (event, _, done) => {
      seen.push(event.Records[0]?.kinesis.partitionKey ?? "")
      setTimeout(done, 1, null, { batchItemFailures: [] })
    }
    const failing: Handler<KinesisStreamEvent, unknown> = (_event, _context, done) => done(new Error("no"))
    const sync = (event: KinesisStreamEvent) => void seen.push(event.Records[0]?.eventName ?? "")
    for (const handler of [promise, callback, sync] as ReadonlyArray<LambdaEvent.Handler>) {
      const report = await HandlerTest.runPromise(handler, ["1"])
      assert.strictEqual(report.stats.settled, 1)
    }
    assert.deepStrictEqual(seen, ["1 $LATEST 128 local", "k", "aws:kinesis:record"])
    const report = await HandlerTest.runPromise(failing, ["1"], { maximumRetryAttempts: 0 })
    assert.deepStrictEqual(report.givenUp, ["1"])
  })
})
