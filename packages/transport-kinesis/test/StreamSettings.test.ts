import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as TestClock from "effect/testing/TestClock"

import type * as KinesisClient from "../src/KinesisClient.ts"
import type * as KinesisError from "../src/KinesisError.ts"
import * as StreamSettings from "../src/StreamSettings.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"

const hour = 3_600_000

const sound: KinesisClient.Summary = {
  streamArn: "arn:aws:kinesis:us-east-1:000000000000:stream/s",
  status: "ACTIVE",
  retention: 24 * hour,
  openShards: 1,
  maxRecordBytes: 1024 * 1024,
  ignoresPartitionKeys: false,
  createdAt: 0,
  mode: "PROVISIONED"
}

const found = (summary: Partial<KinesisClient.Summary>, needs?: StreamSettings.Needs, before?: KinesisClient.Summary) =>
  StreamSettings.check({ ...sound, ...summary }, needs, before).map(({ _tag, severity }) => [_tag, severity])

describe("the settings of a stream", () => {
  it("say nothing when they are as they have to be, also while it is resharded", () => {
    assert.deepStrictEqual(found({}, { lag: "23 hours", recordBytes: 1024 * 1024 }, sound), [])
    assert.deepStrictEqual(found({ status: "UPDATING" }), [])
  })

  it("T78: that ignore partition keys are an error that says what is lost and what mends it", () => {
    const [finding] = StreamSettings.check({ ...sound, ignoresPartitionKeys: true })
    assert.deepStrictEqual([finding?._tag, finding?.severity], ["Unordered", "error"])
    assert.match(finding?.message ?? "", /order is gone.*USER_PARTITION_KEY/)
  })

  it("T79: that retain for no longer than the lag that is noticed are a warning", () => {
    assert.deepStrictEqual(found({}, { lag: "24 hours" }), [["ShortRetention", "warning"]])
    assert.deepStrictEqual(found({ retention: 12 * hour }), [["ShortRetention", "warning"]])
    const [finding] = StreamSettings.check(sound, { lag: "2 days" })
    assert.match(finding?.message ?? "", /24 hours.*48 hours/)
  })

  it("T80: that were switched between provisioned and on-demand since the last look are told", () => {
    assert.deepStrictEqual(found({ mode: "ON_DEMAND" }, {}, sound), [["ModeChanged", "info"]])
  })

  it("T17: of a stream that was made anew under its name are an error", () => {
    assert.deepStrictEqual(found({ createdAt: 1 }, {}, sound), [["Recreated", "error"]])
  })

  it("that take no records, or too small ones, are an error", () => {
    assert.deepStrictEqual(found({ status: "DELETING" }), [["NotActive", "error"]])
    assert.deepStrictEqual(found({}, { recordBytes: 2 * 1024 * 1024 }), [["SmallRecords", "error"]])
  })
})

const silent = Effect.provide(Logger.layer([]))

describe("a watch over a stream", () => {
  const watched = Effect.fnUntraced(function* (options: Partial<StreamSettings.Options> = {}) {
    const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
    const findings: Array<string> = []
    const failures: Array<KinesisError.Reason> = []
    const fiber = yield* StreamSettings.watch({
      stream: "s",
      onFinding: ({ _tag }) => void findings.push(_tag),
      onFailure: ({ reason }) => void failures.push(reason),
      ...options
    }).pipe(Effect.provide(kinesis.layer), Effect.forkChild)
    yield* TestClock.adjust("1 minute")
    return { kinesis, stream: kinesis.stream("s"), findings, failures, fiber }
  })

  it.effect("T78: fails when the stream loses its order while it is read", () =>
    Effect.gen(function* () {
      const { fiber, findings, stream } = yield* watched()
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      yield* stream.configure({ ignoresPartitionKeys: true })
      yield* TestClock.adjust("5 minutes")
      const error = yield* Effect.flip(Fiber.join(fiber))
      assert.deepStrictEqual([error._tag, error.reason, error.stream], ["StreamSettingsError", "Unordered", "s"])
      assert.deepStrictEqual(findings, ["Unordered"])
    }).pipe(silent)
  )

  it.effect("T78: goes on without order where that is allowed, and tells it once until it passes", () =>
    Effect.gen(function* () {
      const { fiber, findings, stream } = yield* watched({ onUnordered: "report", interval: "1 minute" })
      yield* stream.configure({ ignoresPartitionKeys: true })
      yield* TestClock.adjust("10 minutes")
      yield* stream.configure({ ignoresPartitionKeys: false })
      yield* TestClock.adjust("1 minute")
      yield* stream.configure({ ignoresPartitionKeys: true })
      yield* TestClock.adjust("1 minute")
      assert.isUndefined(fiber.pollUnsafe())
      assert.deepStrictEqual(findings, ["Unordered", "Unordered"])
    }).pipe(silent)
  )

  it.effect("T79, T80: tells a retention that was cut and a mode that was switched, each time it is", () =>
    Effect.gen(function* () {
      const { findings, stream } = yield* watched({ lag: "23 hours" })
      yield* stream.configure({ mode: "ON_DEMAND" })
      yield* TestClock.adjust("10 minutes")
      yield* stream.configure({ mode: "PROVISIONED", retention: "1 hour" })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(findings, ["ModeChanged", "ShortRetention", "ModeChanged"])
    }).pipe(silent)
  )

  it.effect("T17: fails when the stream was made anew", () =>
    Effect.gen(function* () {
      const { fiber, stream } = yield* watched()
      yield* stream.recreate()
      yield* TestClock.adjust("5 minutes")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).reason, "Recreated")
    }).pipe(silent)
  )

  it.effect("outlives a call that fails, aloud, and remembers what it knew", () =>
    Effect.gen(function* () {
      const { failures, fiber, findings, kinesis, stream } = yield* watched()
      yield* kinesis.fault({ operation: "DescribeStreamSummary" }, FakeKinesis.fail("Unavailable"))
      yield* stream.configure({ mode: "ON_DEMAND" })
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual([failures, findings], [["Unavailable"], ["ModeChanged"]])
      assert.isUndefined(fiber.pollUnsafe())
    }).pipe(silent)
  )
})

describe("a look at the start", () => {
  it.effect("answers with the stream, or refuses one without order", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const verify = (onUnordered?: "report" | "refuse") =>
        Effect.provide(StreamSettings.verify({ stream: "s", onUnordered }), kinesis.layer)
      assert.strictEqual((yield* verify()).openShards, 1)
      yield* kinesis.stream("s").configure({ ignoresPartitionKeys: true })
      assert.strictEqual((yield* Effect.flip(verify())).reason, "Unordered")
      assert.isTrue((yield* verify("report")).ignoresPartitionKeys)
    }).pipe(silent)
  )
})
