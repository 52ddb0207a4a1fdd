import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"
import { drain, pass } from "./harness.ts"

const buys = [{ data: { type: ["buy"] } }]

describe("filter criteria", () => {
  it("keep records from the function, and count for no batch", async () => {
    const records = ["buy", "sell", "buy", "sell", "buy"].map((type) => JSON.stringify({ type }))
    const options = { filterCriteria: buys, batchSize: 2 }
    const report = await HandlerTest.runPromise(() => null, [...records, "no json"], options)
    assert.deepStrictEqual(
      report.calls.map((call) => call.data.length),
      [2, 1]
    )
    assert.deepStrictEqual([report.stats.settled, report.stats.filtered], [3, 3])
    assert.deepStrictEqual(report.givenUp, [])
  })

  it.effect("move the position past what they drop, though never ahead of what is open", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const stream = kinesis.stream("s")
      const mapping = yield* EventSourceMapping.make({
        stream: "s",
        filterCriteria: buys,
        maximumBatchingWindow: "10 seconds",
        handler: () => null
      }).pipe(Effect.provide(kinesis.layer))
      const position = Effect.map(mapping.positions, (positions) => positions.get("shardId-000000000000"))
      const [dropped] = yield* stream.put({ data: '{"type":"sell"}' })
      yield* drain(mapping)
      assert.strictEqual(yield* position, dropped?.sequenceNumber)
      const [, last] = yield* stream.put({ data: '{"type":"buy"}' }, { data: '{"type":"sell"}' })
      yield* pass(5)
      assert.strictEqual(yield* position, dropped?.sequenceNumber)
      yield* drain(mapping)
      assert.strictEqual(yield* position, last?.sequenceNumber)
    })
  )

  it.effect("that can't be used stop the start, and say where", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(HandlerTest.run(() => null, [], { filterCriteria: [{ data: { type: "buy" } }] }))
      assert.isTrue(error._tag === "EventSourceMappingError" && error.reason === "FilterCriteria")
      assert.include(error.message, "data.type: takes a list")
    })
  )
})
