import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import * as ConsumerTelemetry from "../src/ConsumerTelemetry.ts"
import { none } from "../src/kinesisConsumer/ConsumerEvent.ts"
import type { Stats } from "../src/kinesisConsumer/ConsumerEvent.ts"
import { later, noted, recorder, start, until, world } from "./kinesisConsumer/World.ts"

const stats = (partial: Partial<Stats>): Stats => ({ ...none, behind: new Map(), ...partial })

const whose = { stream: "s", application: "a" }

/** What the specification of EMF asks for: each metric that is declared is there, a number or 1 to 100 of them. */
const Emf = Schema.Struct({
  _aws: Schema.Struct({
    Timestamp: Schema.Int,
    CloudWatchMetrics: Schema.Tuple([
      Schema.Struct({
        Namespace: Schema.NonEmptyString,
        Dimensions: Schema.Array(Schema.Array(Schema.String)),
        Metrics: Schema.Array(Schema.Struct({ Name: Schema.String, Unit: Schema.Literals(["Milliseconds", "Count"]) }))
      })
    ])
  })
})

const checked = (document: object) => {
  const [{ Dimensions, Metrics }] = Schema.decodeUnknownSync(Emf)(document)._aws.CloudWatchMetrics
  const members = new Map(Object.entries(document))
  for (const name of Dimensions.flat()) assert.isString(members.get(name))
  for (const { Name } of Metrics) {
    const values = [members.get(Name)].flat()
    assert.isTrue(values.length >= 1 && values.length <= 100 && values.every(Number.isFinite), Name)
  }
  return document
}

describe("ConsumerTelemetry", () => {
  it("a document has what happened since the one before, and the lag of each shard", () => {
    const before = stats({ settled: 10, held: 1, behind: new Map([["left", 9]]) })
    const after = stats({
      settled: 25,
      held: 3,
      fenced: 1,
      behind: new Map([
        ["x", 5],
        ["y", 700]
      ])
    })
    const documents = ConsumerTelemetry.documents(before, after, 1_000, whose)
    assert.lengthOf(documents, 1)
    assert.deepInclude(checked(documents[0] ?? {}), {
      Stream: "s",
      Application: "a",
      MillisBehindLatest: [5, 700],
      RecordsProcessed: 15,
      LanesHeld: 2,
      ShardsFenced: 1,
      FetchFailures: 0,
      CheckpointFailures: 0
    })
  })

  it("more shards than a metric has room for make more documents, which count nothing twice; none make no lag", () => {
    const behind = new Map(Array.from({ length: 250 }, (_, index) => [`shard-${index}`, index]))
    const many = ConsumerTelemetry.documents(stats({}), stats({ settled: 7, behind }), 1_000, whose).map(checked)
    const lags = many.map((document) => ("MillisBehindLatest" in document ? document.MillisBehindLatest : []))
    assert.deepStrictEqual(lags.flat(), [...behind.values()])
    assert.deepStrictEqual(
      many.map((document) => "RecordsProcessed" in document),
      [true, false, false]
    )
    const [idle] = ConsumerTelemetry.documents(stats({}), stats({}), 1_000, whose).map(checked)
    assert.notProperty(idle, "MillisBehindLatest")
  })

  it.effect("reports every minute, and at the end what the hand-over finished", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const gate = Deferred.makeUnsafe<void>()
      const { handled, tries, worker } = recorder((id) => (id === "a2" ? Deferred.await(gate) : Effect.void))
      const lines: Array<string> = []
      const running = yield* start(place, worker, {
        around: ConsumerTelemetry.reporting({ ...whose, write: (line) => void lines.push(line) })
      })
      yield* place.stream.put(noted("a1"))
      yield* until("a1 handled", () => handled.length === 1)
      yield* TestClock.adjust("2 minutes")
      yield* place.stream.put(noted("a2"))
      yield* until("a2 begun", () => tries.includes("a2"))
      const stopped = yield* Effect.forkChild(running.stop)
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(stopped)
      const documents = lines.map((line) => Schema.decodeUnknownSync(Processed)(line))
      assert.deepStrictEqual(
        documents.map(({ RecordsProcessed }) => RecordsProcessed),
        [1, 0, 1]
      )
      assert.isTrue(documents.every(({ MillisBehindLatest: [lag = 0] = [] }) => lag <= 1_000))
    })
  )

  it.effect("T52: a shard falls behind by the clock while nothing of it is read, whatever its last page said", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const gate = Deferred.makeUnsafe<void>()
      const { handled, worker } = recorder((id) => (id === "a1" ? Deferred.await(gate) : later))
      const { consumer } = yield* start(place, worker, { batchTimeout: "1 hour", maxOpenRecords: 1 })
      yield* place.stream.put(noted("a1"))
      yield* TestClock.adjust("10 seconds")
      const [early = 0] = (yield* consumer.stats).behind.values()
      yield* TestClock.adjust("10 minutes")
      const [late = 0] = (yield* consumer.stats).behind.values()
      assert.isAtMost(early, 10_000)
      assert.strictEqual(late - early, 600_000)
      yield* Deferred.succeed(gate, undefined)
      yield* until("a1 handled", () => handled.length === 1)
      yield* TestClock.adjust("5 seconds")
      const [caught = Infinity] = (yield* consumer.stats).behind.values()
      assert.isAtMost(caught, 1_000)
    })
  )
})

const Processed = Schema.fromJsonString(
  Schema.Struct({ RecordsProcessed: Schema.Int, MillisBehindLatest: Schema.optionalKey(Schema.Array(Schema.Number)) })
)
