import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"
import { pass, texts } from "./harness.ts"

const now = 1_764_000_000_000
const minute = 60_000
const at = (data: string, arrival: number) => ({ data, arrival: now + arrival })

/** Gathers the texts of a window; what a final call got is what the window came to. */
const gatherer = (
  answer: (state: ReadonlyArray<string>, event: LambdaEvent.TimeWindowEvent) => unknown = (state) => ({ state })
) => {
  const windows: Array<{ readonly window: string; readonly state: unknown; readonly early: boolean }> = []
  const handler = async (event: LambdaEvent.TimeWindowEvent) => {
    const before = Array.isArray(event.state) ? (event.state as ReadonlyArray<string>) : []
    const response = answer([...before, ...texts(event)], event)
    if (event.isFinalInvokeForWindow) {
      windows.push({
        window: event.window.start.slice(11, 19),
        state: event.state,
        early: event.isWindowTerminatedEarly
      })
    }
    return response
  }
  return { handler, windows, states: () => windows.map((one) => one.state) }
}

describe("T73: a tumbling window", () => {
  it("hands the state from call to call, by arrival, and ends with a call without records", async () => {
    const { handler, windows } = gatherer()
    const records = [at("1", -150_000), at("2", -140_000), at("3", -130_000), at("4", -60_000), at("5", -1)]
    const options = { tumblingWindow: "1 minute", batchSize: 2, now } as const
    const report = await HandlerTest.runPromise(handler, records, options)
    assert.deepStrictEqual(
      report.calls.map(({ data, event }) => [data, event.state, event.isFinalInvokeForWindow]),
      [
        [["1", "2"], {}, false],
        [["3"], ["1", "2"], false],
        [[], ["1", "2", "3"], true],
        [["4", "5"], {}, false],
        [[], ["4", "5"], true]
      ]
    )
    assert.deepStrictEqual(
      windows.map((one) => one.window),
      ["15:57:00", "15:59:00"]
    )
    assert.strictEqual(report.calls[0]?.event.shardId, "shardId-000000000000")
    assert.strictEqual(report.calls[0]?.event.eventSourceARN, "arn:aws:kinesis:us-east-1:000000000000:stream/test")
  })

  it("an answer without a state is a failure, of the final call too", async () => {
    let calls = 0
    const { handler, states } = gatherer((state) => {
      calls++
      return calls === 1 ? { batchItemFailures: [] } : calls === 3 ? null : { state }
    })
    const report = await HandlerTest.runPromise(handler, ["1"], { tumblingWindow: "1 minute", now })
    assert.deepStrictEqual([report.stats.invocations, report.stats.failures, report.stats.settled], [4, 2, 1])
    assert.deepStrictEqual(states(), [["1"], ["1"]])
  })

  it("keeps the state of what succeeded when the rest of a batch fails", async () => {
    let failed = false
    const { handler, states } = gatherer((state, event) => {
      const [, second] = event.Records
      if (failed || second === undefined) return { state }
      failed = true
      return { state: ["1"], batchItemFailures: [{ itemIdentifier: second.kinesis.sequenceNumber }] }
    })
    await HandlerTest.runPromise(handler, ["1", "2", "3"], { tumblingWindow: "1 minute", now })
    assert.deepStrictEqual(states(), [["1", "2", "3"]])
  })

  it("keeps the state of before when a call fails, and bisects", async () => {
    const { handler, states } = gatherer((state, event) => {
      if (texts(event).includes("bad")) throw new Error("bad")
      return { state }
    })
    const report = await HandlerTest.runPromise(handler, ["1", "2", "bad", "3"], {
      tumblingWindow: "1 minute",
      maximumRetryAttempts: 1,
      bisectBatchOnFunctionError: true,
      now
    })
    assert.deepStrictEqual(states(), [["1", "2", "3"]])
    assert.deepStrictEqual(report.givenUp, ["bad"])
  })

  it("ends early when its state outgrows 1 MB, and goes on with an empty one", async () => {
    const { handler, windows } = gatherer((state, event) =>
      texts(event).includes("big") ? { state: "x".repeat(1024 * 1024) } : { state }
    )
    const records = ["1", "big", "2"]
    const report = await HandlerTest.runPromise(handler, records, { tumblingWindow: "1 minute", batchSize: 1, now })
    assert.deepStrictEqual(
      windows.map(({ early, state }) => [early, typeof state === "string" ? "big" : state]),
      [
        [true, "big"],
        [false, ["2"]]
      ]
    )
    assert.strictEqual(new Set(windows.map((one) => one.window)).size, 1)
    assert.deepStrictEqual(
      report.events.flatMap((event) => (event._tag === "WindowClosed" ? [event.early] : [])),
      [true, false]
    )
  })

  it("whose final call is given up leaves a document over all of its records", async () => {
    const { handler } = gatherer((state, event) => {
      if (event.isFinalInvokeForWindow) throw new Error("no")
      return { state }
    })
    const options = { tumblingWindow: "1 minute", maximumRetryAttempts: 2, batchSize: 1, now } as const
    const report = await HandlerTest.runPromise(handler, ["1", "2", "3"], options)
    const document = report.failures[0]?.document
    assert.strictEqual(document?.requestContext.approximateInvokeCount, 3)
    assert.strictEqual(document?.KinesisBatchInfo.batchSize, 3)
    const { endSequenceNumber = "", startSequenceNumber = "" } = document?.KinesisBatchInfo ?? {}
    assert.isTrue(startSequenceNumber < endSequenceNumber)
    assert.deepStrictEqual(report.failures[0]?.records, [])
  })

  it.effect("ends with its shard, and the children begin with none", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const stream = kinesis.stream("s")
      const { handler, states } = gatherer()
      yield* EventSourceMapping.make({
        stream: "s",
        tumblingWindow: "1 minute",
        maximumBatchingWindow: 0,
        handler
      }).pipe(Effect.provide(kinesis.layer))
      yield* stream.put({ data: "parent" })
      yield* pass(2)
      assert.deepStrictEqual(states(), [])
      const [left, right] = yield* stream.split("shardId-000000000000")
      yield* stream.put({ data: "left", shardId: left }, { data: "right", shardId: right })
      yield* pass(5)
      assert.deepStrictEqual(states(), [["parent"]])
      yield* pass(60)
      assert.deepStrictEqual([...states()].slice(1).toSorted(), [["left"], ["right"]])
    })
  )

  it("takes a record that is late into the window that is open", async () => {
    const { handler, states } = gatherer()
    const records = [at("1", -minute), at("late", -2 * minute), at("2", -minute + 1)]
    await HandlerTest.runPromise(handler, records, { tumblingWindow: "1 minute", now })
    assert.deepStrictEqual(states(), [["1", "late", "2"]])
  })
})
