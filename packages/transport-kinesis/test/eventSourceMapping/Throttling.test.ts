import { assert, describe, it } from "@effect/vitest"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"

const turnedAway = () => {
  throw new EventSourceMapping.InvokeThrottled({ message: "TooManyRequestsException" })
}

describe("a call that does not reach the function", () => {
  it("is tried again, and uses up no retry", async () => {
    let calls = 0
    const handler = () => {
      calls++
      if (calls <= 5) turnedAway()
      if (calls <= 7) throw new Error("once it is in, it fails")
    }
    const report = await HandlerTest.runPromise(handler, ["1"], { maximumRetryAttempts: 2 })
    assert.deepStrictEqual([report.stats.throttles, report.stats.invocations, report.stats.settled], [5, 3, 1])
    assert.deepStrictEqual(report.givenUp, [])
  })

  it("is tried until the records are too old, and then none of them was invoked for", async () => {
    const report = await HandlerTest.runPromise(turnedAway, ["1", "2"], {
      maximumRetryAttempts: 0,
      maximumRecordAge: "10 minutes"
    })
    assert.deepStrictEqual(report.givenUp, ["1", "2"])
    const { requestContext } = report.failures[0]?.document ?? {}
    assert.deepStrictEqual(
      [requestContext?.condition, requestContext?.approximateInvokeCount],
      ["RecordAgeExceeded", 0]
    )
    assert.strictEqual(report.stats.invocations, 0)
  })

  it("does not bisect", async () => {
    let calls = 0
    const handler = () => (++calls === 1 ? turnedAway() : null)
    const report = await HandlerTest.runPromise(handler, ["1", "2"], { bisectBatchOnFunctionError: true })
    assert.deepStrictEqual(
      report.calls.map((call) => call.data),
      [
        ["1", "2"],
        ["1", "2"]
      ]
    )
  })

  it("is one beyond the reserved concurrency, over all shards", async () => {
    let running = 0
    let most = 0
    const handler = async () => {
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
    }
    const records = Array.from({ length: 8 }, (_, index) => ({ data: String(index), partitionKey: `k${index}` }))
    const report = await HandlerTest.runPromise(handler, records, { shards: 4, reservedConcurrency: 2 })
    assert.strictEqual(most, 2)
    assert.isAbove(report.stats.throttles, 0)
    assert.strictEqual(report.stats.settled, 8)
  })

  it("is every call of a function with a reserved concurrency of 0, as AWS switches one off", async () => {
    const report = await HandlerTest.runPromise(() => assert.fail("called"), ["1"], {
      reservedConcurrency: 0,
      maximumRecordAge: "1 hour"
    })
    assert.deepStrictEqual(report.givenUp, ["1"])
  })
})
