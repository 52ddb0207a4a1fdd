import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import * as Lane from "../../src/eventSourceMapping/Lane.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"
import { pass, texts } from "./harness.ts"

/** One key for each of `lanes` lanes. */
const keys = (lanes: number): ReadonlyArray<string> =>
  Array.from({ length: lanes }, (_, lane) => {
    for (let index = 0; ; index++) if (Lane.indexOf(`key-${index}`, lanes) === lane) return `key-${index}`
  })

const [first = "", second = ""] = keys(2)
const put = (partitionKey: string, ...data: ReadonlyArray<string>) => data.map((one) => ({ partitionKey, data: one }))

describe("a parallelization factor", () => {
  it("invokes for as many batches of a shard at once, each of its own partition keys", async () => {
    let running = 0
    let most = 0
    const handler = async (event: LambdaEvent.LambdaEvent) => {
      assert.strictEqual(new Set(event.Records.map((record) => record.kinesis.partitionKey)).size, 1)
      most = Math.max(most, ++running)
      await new Promise((resolve) => setTimeout(resolve, 5))
      running--
    }
    const records = keys(10).flatMap((key) => put(key, "1", "2", "3"))
    const report = await HandlerTest.runPromise(handler, records, { parallelizationFactor: 10, batchSize: 2 })
    assert.strictEqual(most, 10)
    assert.strictEqual(report.stats.settled, 30)
  })

  it.effect("holds a failing key's lane and no other; the position stays before what failed", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const lain = yield* kinesis
        .stream("s")
        .put(...put(second, "0"), ...put(first, "bad"), ...put(second, "1", "2"), ...put(first, "after"))
      const seen: Array<string> = []
      let broken = true
      const mapping = yield* EventSourceMapping.make({
        stream: "s",
        parallelizationFactor: 2,
        batchSize: 1,
        maximumBatchingWindow: 0,
        backoff: () => "1 second",
        handler: (event) => {
          if (broken && texts(event).includes("bad")) throw new Error("bad")
          seen.push(...texts(event))
        }
      }).pipe(Effect.provide(kinesis.layer))
      yield* pass(5)
      assert.deepStrictEqual(seen, ["0", "1", "2"])
      const [{ shardId, sequenceNumber } = { shardId: "", sequenceNumber: "" }] = lain
      assert.strictEqual((yield* mapping.positions).get(shardId), sequenceNumber)
      broken = false
      yield* pass(2)
      assert.deepStrictEqual(seen.slice(3), ["bad", "after"])
      assert.strictEqual((yield* mapping.positions).get(shardId), lain.at(-1)?.sequenceNumber)
    })
  )

  it.effect("T45: reads only so far ahead of what is held", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const many = Array.from({ length: 25_000 }, () => ({ partitionKey: second, data: "x" }))
      yield* kinesis.stream("s").put(...put(first, "bad"), ...many)
      const mapping = yield* EventSourceMapping.make({
        stream: "s",
        parallelizationFactor: 2,
        batchSize: 10_000,
        maximumBatchingWindow: 0,
        backoff: () => "1 second",
        handler: (event) => {
          if (event.Records[0]?.kinesis.partitionKey === first) throw new Error("bad")
        }
      }).pipe(Effect.provide(kinesis.layer))
      yield* pass(5)
      const { settled } = yield* mapping.stats
      assert.isAtLeast(settled, 9_999)
      assert.isAtMost(settled, 20_000)
    })
  )

  it.effect("waits for a batching window while it may not read", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const many = Array.from({ length: 10_000 }, () => ({ partitionKey: second, data: "x" }))
      yield* kinesis.stream("s").put(...put(first, "bad"), ...many)
      const mapping = yield* EventSourceMapping.make({
        stream: "s",
        parallelizationFactor: 2,
        batchSize: 9_000,
        maximumBatchingWindow: "3 seconds",
        backoff: () => "1 hour",
        handler: (event) => {
          if (event.Records[0]?.kinesis.partitionKey === first) throw new Error("bad")
        }
      }).pipe(Effect.provide(kinesis.layer))
      yield* pass(10)
      assert.isAtLeast((yield* mapping.stats).settled, 9_999)
    })
  )
})

const aggregate = Uint8Array.of(0xf3, 0x89, 0x9a, 0xc2, 1, 2, 3, 4)

describe("T58: an aggregate of the Kinesis Producer Library", () => {
  const records = [{ data: aggregate }, { data: aggregate }]

  it("is told of once a shard under a factor above 1, and under filters", async () => {
    const lanes = await HandlerTest.runPromise(() => null, records, { parallelizationFactor: 2 })
    assert.deepStrictEqual(
      lanes.events.flatMap((event) => (event._tag === "AggregateMet" ? [event.harms] : [])),
      ["ParallelizationFactor"]
    )
    assert.strictEqual(lanes.stats.settled, 2)
    const filters = await HandlerTest.runPromise(() => null, records, { filterCriteria: [{ data: { a: [1] } }] })
    assert.deepStrictEqual(
      filters.events.flatMap((event) => (event._tag === "AggregateMet" ? [event.harms] : [])),
      ["FilterCriteria"]
    )
    assert.deepStrictEqual([filters.stats.settled, filters.stats.filtered], [0, 2])
  })

  it("is nothing to speak of in one lane without filters", async () => {
    const report = await HandlerTest.runPromise(() => null, records)
    assert.isFalse(report.events.some((event) => event._tag === "AggregateMet"))
  })

  it.effect("stops the mapping where it is to be refused, before the function sees it", () =>
    Effect.gen(function* () {
      const options = { parallelizationFactor: 2, aggregates: "refuse" } as const
      const error = yield* Effect.flip(HandlerTest.run(() => assert.fail("called"), records, options))
      assert.isTrue(error._tag === "EventSourceMappingError" && error.reason === "Aggregated")
    })
  )
})
