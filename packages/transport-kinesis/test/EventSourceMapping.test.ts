import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Logger from "effect/Logger"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as EventSourceMapping from "../src/EventSourceMapping.ts"
import type * as OnFailure from "../src/eventSourceMapping/OnFailure.ts"
import type * as LambdaEvent from "../src/LambdaEvent.ts"
import { FakeKinesis } from "./FakeKinesis.ts"

const texts = (event: LambdaEvent.LambdaEvent) =>
  event.Records.map((record) => Buffer.from(record.kinesis.data, "base64").toString("utf8"))

/** A function that writes down what it got and answers what `answer` says. */
const recorder = (answer: (texts: ReadonlyArray<string>, event: LambdaEvent.LambdaEvent) => unknown = () => null) => {
  const batches: Array<ReadonlyArray<string>> = []
  const handler: LambdaEvent.Handler = async (event) => {
    batches.push(texts(event))
    return answer(texts(event), event)
  }
  return { batches, handler, seen: () => batches.flat() }
}

const settings = { stream: "s", maximumBatchingWindow: 0, backoff: () => 100 }
const count = (length: number, from = 0) => Array.from({ length }, (_, index) => String(from + index))

describe("a mapping", () => {
  it.effect("sends what is there in batches of at most 100 and then waits a second between reads", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", count(250), 0)
    const { batches, handler, seen } = recorder()
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler })
      yield* TestClock.adjust("3500 millis")
      assert.deepStrictEqual(
        batches.map((batch) => batch.length),
        [100, 100, 50]
      )
      assert.deepStrictEqual(seen(), count(250))
      assert.deepStrictEqual(
        kinesis.reads.map((read) => read.at),
        [0, 1000, 2000, 3000]
      )
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("waits for more until its window is over, or the batch is full", () => {
    const kinesis = new FakeKinesis("a")
    const { batches, handler } = recorder()
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler, batchSize: 3, maximumBatchingWindow: "5 seconds" })
      kinesis.put("a", ["1"], 0)
      yield* TestClock.adjust("2500 millis")
      kinesis.put("a", ["2"], 2500)
      yield* TestClock.adjust("2400 millis")
      assert.deepStrictEqual(batches, [])
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(batches, [["1", "2"]])
      kinesis.put("a", ["3", "4", "5", "6"], 5000)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(batches, [
        ["1", "2"],
        ["3", "4", "5"]
      ])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T1: sends a batch again that threw, in order, and nothing after it before it is done", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", count(4), 0)
    let left = 2
    const { batches, handler } = recorder(() => {
      if (left-- > 0) throw new Error("later")
      return null
    })
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler, batchSize: 2 })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(batches, [
        ["0", "1"],
        ["0", "1"],
        ["0", "1"],
        ["2", "3"]
      ])
      const stats = yield* mapping.stats
      assert.deepStrictEqual([stats.invocations, stats.failures, stats.settled], [4, 2, 4])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T68: goes on from the lowest number reported, and moves its position there", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", count(5), 0)
    let reported = false
    const { batches, handler } = recorder((_, event) => {
      if (reported) return { batchItemFailures: [] }
      reported = true
      const [, , third, , fifth] = event.Records
      return { batchItemFailures: [fifth, third].map((record) => ({ itemIdentifier: record?.kinesis.sequenceNumber })) }
    })
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler })
      yield* TestClock.adjust("50 millis")
      assert.strictEqual((yield* mapping.positions).get("a"), "2")
      yield* TestClock.adjust("100 millis")
      assert.deepStrictEqual(batches, [count(5), ["2", "3", "4"]])
      assert.strictEqual((yield* mapping.positions).get("a"), "5")
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("without ReportBatchItemFailures reads no answer", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", count(2), 0)
    const { batches, handler } = recorder(() => ({ batchItemFailures: [{ itemIdentifier: "1" }] }))
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler, reportBatchItemFailures: false })
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual(batches.length, 1)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("after the last retry gives the batch to the on-failure destination and goes on", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["bad", "good"], 0)
    const failures: Array<OnFailure.Failure> = []
    const { batches, handler } = recorder((sent) => {
      if (sent.includes("bad")) throw new Error("bad")
      return null
    })
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({
        ...settings,
        handler,
        batchSize: 1,
        maximumRetryAttempts: 3,
        onFailure: (failure) => Effect.sync(() => void failures.push(failure))
      })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(batches, [["bad"], ["bad"], ["bad"], ["bad"], ["good"]])
      assert.strictEqual(failures.length, 1)
      const document = failures[0]?.document
      assert.deepStrictEqual(document?.responseContext, {
        statusCode: 200,
        executedVersion: "$LATEST",
        functionError: "Unhandled"
      })
      assert.deepStrictEqual(
        [document?.requestContext.condition, document?.requestContext.approximateInvokeCount],
        ["RetryAttemptsExhausted", 4]
      )
      assert.deepStrictEqual(document?.KinesisBatchInfo, {
        shardId: "a",
        startSequenceNumber: "1",
        endSequenceNumber: "1",
        approximateArrivalOfFirstRecord: "1970-01-01T00:00:00.000Z",
        approximateArrivalOfLastRecord: "1970-01-01T00:00:00.000Z",
        batchSize: 1,
        streamArn: "arn:aws:kinesis:us-east-1:000000000000:stream/s"
      })
      assert.strictEqual((yield* mapping.stats).givenUp, 1)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("gives up a record that has grown too old, without a response in the document", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["old"], 0)
    const failures: Array<OnFailure.Failure> = []
    const { batches, handler } = recorder(() => {
      throw new Error("always")
    })
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({
        ...settings,
        handler,
        maximumRecordAge: "1 minute",
        backoff: () => "25 seconds",
        onFailure: (failure) => Effect.sync(() => void failures.push(failure))
      })
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual(batches.length, 3)
      assert.strictEqual(failures[0]?.document.requestContext.condition, "RecordAgeExceeded")
      assert.notProperty(failures[0]?.document, "responseContext")
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("counts an invocation that overruns its timeout as thrown, and tells the function how long it has", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["slow"], 0)
    const remaining: Array<number> = []
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({
        ...settings,
        functionTimeout: "3 seconds",
        maximumRetryAttempts: 0,
        handler: (_, context) => {
          remaining.push(context.getRemainingTimeInMillis())
          return remaining.length > 1 ? Promise.resolve(null) : new Promise((resolve) => setTimeout(resolve, 5))
        }
      })
      yield* TestClock.adjust("3100 millis")
      assert.deepStrictEqual(remaining, [3000])
      assert.deepStrictEqual([(yield* mapping.stats).failures, (yield* mapping.stats).givenUp], [1, 1])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T13, T19: reads children from their first record, after the end of their parents", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["1", "2"], 0)
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler, startingPosition: "TRIM_HORIZON" })
      kinesis.add("b", "a")
      kinesis.add("c", "a")
      kinesis.put("b", ["3"], 0)
      kinesis.put("c", ["4"], 0)
      // A function's answer takes a turn of the event loop, which the clock doesn't wait for.
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(seen().slice(0, 2), ["1", "2"])
      assert.deepStrictEqual(seen().slice(2).toSorted(), ["3", "4"])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T13: a child born under LATEST is read from its first record", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["before"], 0)
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      yield* TestClock.adjust(1)
      yield* EventSourceMapping.make({ ...settings, handler, startingPosition: "LATEST" })
      yield* TestClock.adjust("1500 millis")
      kinesis.add("b", "a")
      kinesis.put("b", ["after"], 1500)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(seen(), ["after"])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect(
    "T11: LATEST is the moment at which the mapping was made: what is put before the first read is seen",
    () => {
      const kinesis = new FakeKinesis("a")
      kinesis.put("a", ["before"], 0)
      const { handler, seen } = recorder()
      return Effect.gen(function* () {
        yield* TestClock.adjust(1)
        yield* EventSourceMapping.make({ ...settings, handler, startingPosition: "LATEST" })
        kinesis.put("a", ["after"], 1)
        yield* TestClock.adjust("1 second")
        assert.deepStrictEqual(seen(), ["after"])
      }).pipe(Effect.provide(kinesis.layer))
    }
  )

  it.effect("T11: under LATEST an iterator that expires does not jump over what came meanwhile", () => {
    const kinesis = new FakeKinesis("a")
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler, startingPosition: "LATEST" })
      yield* TestClock.adjust("500 millis")
      kinesis.put("a", ["meanwhile"], 500)
      kinesis.failures.push("ExpiredIterator")
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(kinesis.iterators, [
        { _tag: "AtTimestamp", at: 0 },
        { _tag: "AtTimestamp", at: 0 }
      ])
      assert.deepStrictEqual(seen(), ["meanwhile"])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T15: AT_TIMESTAMP keeps its timestamp when its iterator is renewed", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["before"], 10)
    kinesis.put("a", ["after"], 20)
    kinesis.failures.push("ExpiredIterator")
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler, startingPosition: { atTimestamp: 15 } })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(kinesis.iterators, [
        { _tag: "AtTimestamp", at: 15 },
        { _tag: "AtTimestamp", at: 15 }
      ])
      assert.deepStrictEqual(seen(), ["after"])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T44: after a batch that took longer than an iterator lives, reads on behind the last record", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["1"], 0)
    let left = 1
    const { handler, seen } = recorder(() => {
      if (left-- > 0) throw new Error("later")
      return null
    })
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler, backoff: () => "6 minutes" })
      yield* TestClock.adjust("1 second")
      kinesis.put("a", ["2"], 1000)
      yield* TestClock.adjust("7 minutes")
      assert.deepStrictEqual(seen(), ["1", "1", "2"])
      assert.deepStrictEqual(kinesis.iterators, [{ _tag: "TrimHorizon" }, { _tag: "At", sequenceNumber: "1" }])
      assert.strictEqual((yield* mapping.stats).readFailures, 0)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T42: rests a second after a throttled read, and loses nothing", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["1"], 0)
    kinesis.failures.push("Throttled", "Unavailable")
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler })
      yield* TestClock.adjust("2500 millis")
      const [first = -1, second = -1, third = -1] = kinesis.reads.map((read) => read.at)
      assert.strictEqual(first, 0)
      assert.isTrue(second >= 1000 && second <= 1400)
      assert.isTrue(third > second)
      assert.deepStrictEqual(seen(), ["1"])
      assert.strictEqual((yield* mapping.stats).readFailures, 2)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T43: behind the tip reads on at once, but five times a second at most", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", count(25_000), 0)
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler, batchSize: 10_000 })
      yield* TestClock.adjust("900 millis")
      assert.deepStrictEqual(
        kinesis.reads.map((read) => read.at),
        [0, 200, 400]
      )
      assert.strictEqual(seen().length, 25_000)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T50: fails when it may not read, and so does waiting for it", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.failures.push("AccessDenied")
    const { handler } = recorder()
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler })
      const error = yield* Effect.flip(mapping.join)
      assert.strictEqual(error.reason, "AccessDenied")
      assert.strictEqual((yield* Effect.flip(mapping.drained)).reason, "AccessDenied")
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("is drained when all that was put before is settled, in children too, and not before", () => {
    const kinesis = new FakeKinesis("a", "b")
    kinesis.put("a", ["1", "2"], 0)
    let left = 3
    const { handler, seen } = recorder(() => {
      if (left-- > 0) throw new Error("later")
      return null
    })
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler, backoff: () => "10 seconds" })
      kinesis.add("c", "a")
      kinesis.put("c", ["3"], 0)
      const drained = yield* Effect.forkChild(mapping.drained)
      yield* TestClock.adjust("29 seconds")
      assert.isUndefined(drained.pollUnsafe())
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(drained)
      assert.deepStrictEqual(seen().slice(-3), ["1", "2", "3"])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("regression: is drained of what was put before although more keeps coming", () => {
    const kinesis = new FakeKinesis("a")
    const { handler, seen } = recorder()
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler, maximumBatchingWindow: "1 second" })
      kinesis.put("a", ["before"], 0)
      const drained = yield* Effect.forkChild(mapping.drained)
      for (let tick = 1; tick <= 30 && drained.pollUnsafe() === undefined; tick++) {
        kinesis.put("a", [`after ${tick}`], tick * 500)
        yield* TestClock.adjust("500 millis")
      }
      assert.isDefined(drained.pollUnsafe())
      assert.include(seen(), "before")
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("regression: says that it stopped, also where nobody joins it", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.failures.push("AccessDenied")
    const said: Array<unknown> = []
    return Effect.gen(function* () {
      yield* EventSourceMapping.make({ ...settings, handler: recorder().handler })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(said, ["the mapping of the stream s stopped"])
    }).pipe(
      Effect.provide([
        kinesis.layer,
        Logger.layer([Logger.make(({ message }) => void said.push(Array.isArray(message) ? message[0] : message))])
      ])
    )
  })

  it.live("closes although a function that never answers is past its timeout", () => {
    const kinesis = new FakeKinesis("a")
    const called = Promise.withResolvers<void>()
    const handler: LambdaEvent.Handler = () => {
      called.resolve()
      return new Promise(() => {})
    }
    return Effect.gen(function* () {
      kinesis.put("a", ["1"], yield* Clock.currentTimeMillis)
      const mapping = EventSourceMapping.make({ ...settings, handler, functionTimeout: "100 millis" })
      const closed = yield* Effect.andThen(
        mapping,
        Effect.promise(() => called.promise)
      ).pipe(Effect.scoped, Effect.forkChild)
      yield* Fiber.await(closed).pipe(Effect.timeout("2 seconds"))
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("tells what it did, from the start of a shard to its end, to who listens before it begins", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["1"], 0)
    kinesis.add("b", "a")
    const met: Array<EventSourceMapping.Event> = []
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, handler: recorder().handler })
      yield* mapping.events.pipe(
        Stream.runForEach((event) => Effect.sync(() => met.push(event))),
        Effect.forkScoped({ startImmediately: true })
      )
      yield* TestClock.adjust("1 second")
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        met.map((event) => [event._tag, "shardId" in event ? event.shardId : undefined]),
        [
          ["ShardStarted", "a"],
          ["Invoked", "a"],
          ["ShardStarted", "b"],
          ["ShardEnded", "a"]
        ]
      )
      assert.deepInclude(met[0], { position: { _tag: "TrimHorizon" } })
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("refuses what AWS refuses, and says what it would take", () => {
    const { handler } = recorder()
    const options = [
      { batchSize: 0 },
      { batchSize: 10_001 },
      { maximumBatchingWindow: "301 seconds" },
      { maximumRetryAttempts: -2 },
      { maximumRecordAge: "59 seconds" },
      { maximumRecordAge: "8 days" },
      { parallelizationFactor: 0 },
      { parallelizationFactor: 11 },
      { tumblingWindow: "901 seconds" },
      { tumblingWindow: "1500 millis" },
      { tumblingWindow: "1 minute", parallelizationFactor: 2 },
      { reservedConcurrency: -1 },
      { filterCriteria: ["{nope"] },
      { functionTimeout: 0 },
      { functionTimeout: "16 minutes" },
      { pollInterval: 0 }
    ] as const
    return Effect.gen(function* () {
      for (const option of options) {
        const error = yield* Effect.flip(EventSourceMapping.run({ ...settings, ...option, handler }))
        assert.strictEqual(error._tag, "EventSourceMappingError")
      }
    }).pipe(Effect.provide(new FakeKinesis("a").layer))
  })
})
