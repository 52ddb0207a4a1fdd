import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as Fetcher from "../../src/Fetcher.ts"
import * as EnhancedFanOut from "../../src/fetcher/EnhancedFanOut.ts"
import type * as KinesisClient from "../../src/KinesisClient.ts"
import type * as KinesisError from "../../src/KinesisError.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"

const first = "shardId-000000000000"
const second = "shardId-000000000001"
const oldest: KinesisClient.Position = { _tag: "TrimHorizon" }
const mebibyte = 1024 * 1024

const text = ({ data }: KinesisClient.Record) => new TextDecoder().decode(data)
const numbers = (length: number, from = 0) => Array.from({ length }, (_, index) => ({ data: String(from + index) }))

type Fake = FakeKinesis.FakeKinesis["Service"]

const fetcherOf = (kinesis: Fake, options: Partial<EnhancedFanOut.Options> = {}) =>
  Effect.map(
    Layer.build(Layer.provide(EnhancedFanOut.layer({ consumerName: "app", ...options }), kinesis.layer)),
    (context) => Context.get(context, Fetcher.Fetcher)
  )

/** A fake, and a reading of one of its shards by a consumer that takes what comes. */
const reading = Effect.fnUntraced(function* (given: {
  readonly fake?: FakeKinesis.Options
  readonly options?: Partial<EnhancedFanOut.Options>
  readonly from?: KinesisClient.Position
  readonly before?: (kinesis: Fake) => Effect.Effect<unknown, KinesisError.KinesisError>
}) {
  const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }], ...given.fake })
  yield* Effect.orDie(given.before?.(kinesis) ?? Effect.void)
  const fetcher = yield* fetcherOf(kinesis, given.options)
  const events: Array<Fetcher.FetcherEvent> = []
  const pages: Array<Fetcher.Page> = []
  const read = fetcher.read({
    stream: "s",
    shardId: first,
    from: given.from ?? oldest,
    onEvent: (event) => void events.push(event)
  })
  const fiber = yield* Effect.forkChild(Stream.runForEach(read, (page) => Effect.sync(() => void pages.push(page))))
  return {
    kinesis,
    stream: kinesis.stream("s"),
    events,
    fiber,
    tags: () => events.map(({ _tag }) => _tag),
    texts: () => pages.flatMap(({ records }) => records.map(text)),
    subscribed: () => kinesis.callsOf("SubscribeToShard", first)
  }
})

describe("the consumer of enhanced fan-out", () => {
  it.effect("T49: is registered once for all shards and processes of an application, and stays", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }] })
      yield* kinesis.stream("s").put({ data: "a", shardId: first }, { data: "b", shardId: second })
      const scope = yield* Scope.make()
      const fetchers = yield* Scope.provide(Effect.all([fetcherOf(kinesis), fetcherOf(kinesis)]), scope)
      const taken = yield* Effect.forkChild(
        Effect.forEach(
          [first, second],
          (shardId, index) =>
            (fetchers[index] ?? fetchers[0])
              .read({ stream: "s", shardId, from: oldest, onEvent: () => {} })
              .pipe(Stream.take(1), Stream.runCollect),
          { concurrency: 2 }
        )
      )
      yield* TestClock.adjust("10 seconds")
      const pages = (yield* Fiber.join(taken)).flat()
      assert.deepStrictEqual(
        pages.flatMap(({ records }) => records.map(text)),
        ["a", "b"]
      )
      yield* Scope.close(scope, Exit.void)
      const { streamArn } = yield* kinesis.client.describeStreamSummary("s")
      assert.strictEqual((yield* kinesis.client.describeConsumer(streamArn, "app")).status, "ACTIVE")
      const registered = kinesis.callsOf("RegisterStreamConsumer").filter(({ outcome }) => outcome === "Done")
      assert.strictEqual(registered.length, 1)
    })
  )

  it.effect("T49: is described, not registered, when it is there", () =>
    Effect.gen(function* () {
      const { kinesis, texts } = yield* reading({
        before: (fake) =>
          Effect.gen(function* () {
            yield* fake.stream("s").put(...numbers(1))
            yield* fake.client.registerConsumer((yield* fake.client.describeStreamSummary("s")).streamArn, "app")
          })
      })
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(texts(), ["0"])
      assert.strictEqual(kinesis.callsOf("RegisterStreamConsumer").length, 1)
    })
  )

  it.effect("is deregistered with the layer when that is asked for", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const scope = yield* Scope.make()
      const fetcher = yield* Scope.provide(fetcherOf(kinesis, { deregister: true }), scope)
      const fiber = yield* fetcher
        .read({ stream: "s", shardId: first, from: oldest, onEvent: () => {} })
        .pipe(Stream.runDrain, Effect.forkChild)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      yield* Scope.close(scope, Exit.void)
      const { streamArn } = yield* kinesis.client.describeStreamSummary("s")
      assert.strictEqual((yield* Effect.flip(kinesis.client.describeConsumer(streamArn, "app"))).reason, "NotFound")
    })
  )

  it.effect("is registered anew when somebody deregistered it, and the shard goes on without a gap", () =>
    Effect.gen(function* () {
      const { kinesis, stream, tags, texts } = yield* reading({ before: (fake) => fake.stream("s").put(...numbers(1)) })
      yield* TestClock.adjust("10 seconds")
      yield* kinesis.client.deregisterConsumer((yield* kinesis.client.describeStreamSummary("s")).streamArn, "app")
      yield* stream.put({ data: "1" })
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(texts(), ["0", "1"])
      assert.deepStrictEqual(tags(), ["FetchFailed"])
    })
  )
})

describe("subscriptions", () => {
  it.effect("T46: follow each other after five minutes where the last push said, with no repeat and no gap", () =>
    Effect.gen(function* () {
      const { events, stream, subscribed, texts } = yield* reading({
        before: (fake) => fake.stream("s").put(...numbers(3))
      })
      for (let minute = 0; minute < 12; minute++) {
        yield* TestClock.adjust("1 minute")
        yield* stream.put({ data: String(3 + minute) })
      }
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        texts(),
        numbers(15).map(({ data }) => data)
      )
      assert.strictEqual(subscribed().length, 3)
      assert.deepStrictEqual(
        subscribed().map(({ asked }) => (asked as KinesisClient.Position)._tag),
        ["TrimHorizon", "After", "After"]
      )
      assert.deepStrictEqual(events, [])
    })
  )

  it.effect("T46: of a quiet shard go on where the last push said, not where the first began", () =>
    Effect.gen(function* () {
      const { stream, subscribed, texts } = yield* reading({ fake: { streams: [{ name: "s", shards: 2 }] } })
      yield* TestClock.adjust("4 minutes")
      yield* stream.put({ data: "elsewhere", shardId: second })
      yield* TestClock.adjust("2 minutes")
      yield* stream.put({ data: "0", shardId: first })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        subscribed().map(({ asked }) => (asked as KinesisClient.Position)._tag),
        ["TrimHorizon", "After"]
      )
      assert.deepStrictEqual(texts(), ["0"])
    })
  )

  it.effect("T46: that break go on after what was delivered", () =>
    Effect.gen(function* () {
      const { stream, tags, texts } = yield* reading({
        before: (fake) => fake.fault({ operation: "SubscribeToShard" }, FakeKinesis.breakAfter(2, "Unavailable"))
      })
      yield* TestClock.adjust("4 seconds")
      for (let index = 0; index < 4; index++) {
        yield* stream.put({ data: String(index) })
        yield* TestClock.adjust("1 second")
      }
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(texts(), ["0", "1", "2", "3"])
      assert.deepStrictEqual(tags(), ["Resubscribed"])
    })
  )

  it.effect("T11: from LATEST that are silent from the start jump over nothing", () =>
    Effect.gen(function* () {
      const { stream, subscribed, texts } = yield* reading({
        from: { _tag: "Latest" },
        before: (fake) => fake.fault({ operation: "SubscribeToShard" }, FakeKinesis.silence())
      })
      yield* TestClock.adjust("10 seconds")
      yield* stream.put({ data: "0" })
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(texts(), ["0"])
      assert.deepStrictEqual(
        subscribed().map(({ asked }) => asked),
        [{ _tag: "Latest" }, { _tag: "AtTimestamp", at: subscribed()[0]?.at }]
      )
    })
  )

  it.effect("T47: that are half open are made anew after the idle timeout, and a quiet shard is not one", () =>
    Effect.gen(function* () {
      const { events, stream, subscribed, texts } = yield* reading({
        before: (fake) => fake.fault({ operation: "SubscribeToShard" }, FakeKinesis.silence(1), FakeKinesis.pass)
      })
      yield* TestClock.adjust("10 seconds")
      yield* stream.put({ data: "0" })
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual([subscribed().length, events], [1, []])
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(texts(), ["0"])
      assert.deepStrictEqual(events, [{ _tag: "Resubscribed", shardId: first, reason: "no push for 30000 ms" }])
      yield* TestClock.adjust("4 minutes")
      assert.strictEqual(subscribed().length, 2)
    })
  )

  it.effect("T47: that are never answered are asked for again", () =>
    Effect.gen(function* () {
      const { tags, texts } = yield* reading({
        before: (fake) =>
          Effect.andThen(
            fake.stream("s").put(...numbers(1)),
            fake.fault({ operation: "SubscribeToShard" }, FakeKinesis.hang)
          )
      })
      yield* TestClock.adjust("40 seconds")
      assert.deepStrictEqual(texts(), ["0"])
      assert.deepStrictEqual(tags(), ["Resubscribed"])
    })
  )

  it.effect("T48: are never sooner than five seconds after the last", () =>
    Effect.gen(function* () {
      const { events, subscribed } = yield* reading({
        before: (fake) => fake.fault({ operation: "SubscribeToShard" }, ...Array(5).fill(FakeKinesis.endAfter(0)))
      })
      yield* TestClock.adjust("1 minute")
      const times = subscribed().map(({ at }) => at)
      assert.strictEqual(times.length, 6)
      times.slice(1).forEach((at, index) => assert.isAtLeast(at - (times[index] ?? 0), 5000))
      assert.deepStrictEqual(events, [])
    })
  )

  it.effect("T48: wait until another process's subscription may be taken over", () =>
    Effect.gen(function* () {
      const { kinesis, events, texts } = yield* reading({ before: (fake) => fake.stream("s").put(...numbers(1)) })
      yield* TestClock.adjust("4 seconds")
      assert.deepStrictEqual(texts(), ["0"])
      const heir = yield* fetcherOf(kinesis)
      const seen: Array<Fetcher.FetcherEvent> = []
      const fiber = yield* heir
        .read({ stream: "s", shardId: first, from: oldest, onEvent: (event) => void seen.push(event) })
        .pipe(Stream.take(1), Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).flatMap(({ records }) => records.map(text)),
        ["0"]
      )
      assert.deepStrictEqual(
        seen.map((event) => (event._tag === "FetchFailed" ? event.error.reason : event._tag)),
        ["InUse"]
      )
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["Resubscribed"]
      )
    })
  )

  it.effect("T25: complete at a push without a continuation", () =>
    Effect.gen(function* () {
      const { fiber, stream, texts } = yield* reading({ before: (fake) => fake.stream("s").put(...numbers(2)) })
      yield* TestClock.adjust("10 seconds")
      yield* stream.split(first)
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(texts(), ["0", "1"])
    })
  )

  it.effect("T25: complete on a shard that is closed and was read to its end before", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const [placed] = yield* kinesis.stream("s").put({ data: "0" })
      yield* kinesis.stream("s").split(first)
      const fetcher = yield* fetcherOf(kinesis)
      const from = { _tag: "After", sequenceNumber: placed?.sequenceNumber ?? "" } as const
      const fiber = yield* fetcher
        .read({ stream: "s", shardId: first, from, onEvent: () => {} })
        .pipe(Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).flatMap(({ records }) => records),
        []
      )
    })
  )

  it.effect("T45: are not drained faster than a slow consumer takes", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", maxRecordBytes: 10 * mebibyte }] })
      const big = { data: new Uint8Array(5 * mebibyte) }
      yield* kinesis.stream("s").put(...Array.from({ length: 10 }, () => big))
      const fetcher = yield* fetcherOf(kinesis)
      const pull = yield* Stream.toPull(fetcher.read({ stream: "s", shardId: first, from: oldest, onEvent: () => {} }))
      const waiting = yield* Effect.forkChild(pull)
      yield* TestClock.adjust("5 seconds")
      const [page] = yield* Fiber.join(waiting)
      assert.strictEqual(page.records.length, 1)
      // Held back beyond the life of the subscription, the next one goes on where this one stopped.
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(kinesis.callsOf("SubscribeToShard").length, 1)
      let records = 1
      while (records < 10) {
        const next = yield* Effect.forkChild(pull)
        yield* TestClock.adjust("10 seconds")
        records += (yield* Fiber.join(next))[0].records.length
      }
      assert.strictEqual(records, 10)
    }).pipe(Effect.scoped)
  )

  it.effect("end when nobody reads any more", () =>
    Effect.gen(function* () {
      const { fiber, subscribed } = yield* reading({})
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.interrupt(fiber)
      yield* TestClock.adjust("20 minutes")
      assert.strictEqual(subscribed().length, 1)
    })
  )
})

describe("a subscription that can't go on", () => {
  it.effect("T50: fails with an encryption key that is out of use, after what was pushed", () =>
    Effect.gen(function* () {
      const { fiber, texts } = yield* reading({
        before: (fake) =>
          Effect.andThen(
            fake.stream("s").put(...numbers(1)),
            fake.fault({ operation: "SubscribeToShard" }, FakeKinesis.breakAfter(1, "Encryption"))
          )
      })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).reason, "Encryption")
      assert.deepStrictEqual(texts(), ["0"])
    })
  )

  it.effect("T18: fails with a position of another shard", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }] })
      const [placed] = yield* kinesis.stream("s").put({ data: "1", shardId: second })
      const fetcher = yield* fetcherOf(kinesis)
      const from = { _tag: "At", sequenceNumber: placed?.sequenceNumber ?? "" } as const
      const fiber = yield* fetcher
        .read({ stream: "s", shardId: first, from, onEvent: () => {} })
        .pipe(Stream.runDrain, Effect.forkChild)
      yield* TestClock.adjust("5 seconds")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).reason, "Invalid")
    })
  )

  it.effect("T28: fails when the stream has forgotten the shard", () =>
    Effect.gen(function* () {
      const { fiber } = yield* reading({
        fake: { streams: [{ name: "s", shards: 2 }] },
        before: (fake) => Effect.andThen(fake.stream("s").split(first), fake.stream("s").forget(first))
      })
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).reason, "NotFound")
    })
  )

  it.effect("T16: goes on at the oldest record when AWS refuses its position as too old, and says so", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }], trimmedPositions: "refused" })
      const placed = yield* kinesis.stream("s").put(...numbers(3))
      yield* kinesis.stream("s").trim(first, placed[2]?.sequenceNumber)
      const fetcher = yield* fetcherOf(kinesis)
      const events: Array<Fetcher.FetcherEvent> = []
      const from = { _tag: "At", sequenceNumber: placed[0]?.sequenceNumber ?? "" } as const
      const fiber = yield* fetcher
        .read({ stream: "s", shardId: first, from, onEvent: (event) => void events.push(event) })
        .pipe(Stream.take(1), Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust("15 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).flatMap(({ records }) => records.map(text)),
        ["2"]
      )
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["RecordsTrimmed"]
      )
    })
  )
})

describe("falling back to polling", () => {
  it.effect("happens without the permission to register, once for each shard and aloud", () =>
    Effect.gen(function* () {
      const { kinesis, events, stream, texts } = yield* reading({
        before: (fake) =>
          Effect.andThen(
            fake.stream("s").put(...numbers(1)),
            fake.fault({ operation: "DescribeStreamConsumer" }, FakeKinesis.fail("AccessDenied"))
          )
      })
      yield* TestClock.adjust("1 second")
      yield* stream.put({ data: "1" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(texts(), ["0", "1"])
      assert.deepStrictEqual(
        events.map((event) => [event._tag, event._tag === "FellBack" ? event.error.reason : ""]),
        [["FellBack", "AccessDenied"]]
      )
      assert.strictEqual(kinesis.callsOf("SubscribeToShard").length, 0)
    })
  )

  it.effect("happens when twenty consumers are registered already, and no other shard waits for that again", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }], consumersPerStream: 0 })
      yield* kinesis.stream("s").put({ data: "a", shardId: first }, { data: "b", shardId: second })
      const fetcher = yield* fetcherOf(kinesis)
      const fiber = yield* Effect.forkChild(
        Effect.forEach([first, second], (shardId) =>
          fetcher
            .read({ stream: "s", shardId, from: oldest, onEvent: () => {} })
            .pipe(Stream.take(1), Stream.runCollect)
        )
      )
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        (yield* Fiber.join(fiber)).flat().flatMap(({ records }) => records.map(text)),
        ["a", "b"]
      )
      assert.strictEqual(kinesis.callsOf("RegisterStreamConsumer").length, 5)
    })
  )

  it.effect("goes on after what a subscription had delivered", () =>
    Effect.gen(function* () {
      const { stream, tags, texts } = yield* reading({
        before: (fake) => fake.fault({ operation: "SubscribeToShard" }, FakeKinesis.breakAfter(1, "AccessDenied"))
      })
      yield* TestClock.adjust("4 seconds")
      yield* stream.put({ data: "0" })
      yield* TestClock.adjust("1 second")
      yield* stream.put({ data: "1" })
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(texts(), ["0", "1"])
      assert.deepStrictEqual(tags(), ["FellBack"])
    })
  )

  it.effect("fails instead when there is to be no fallback", () =>
    Effect.gen(function* () {
      const { fiber } = yield* reading({
        options: { fallback: false },
        before: (fake) => fake.fault({ operation: "RegisterStreamConsumer" }, FakeKinesis.fail("Unknown"))
      })
      yield* TestClock.adjust("1 second")
      assert.strictEqual((yield* Effect.flip(Fiber.join(fiber))).reason, "Unknown")
    })
  )

  it.effect("does not happen while AWS is out of reach: that passes", () =>
    Effect.gen(function* () {
      const { events, texts } = yield* reading({
        before: (fake) =>
          Effect.andThen(
            fake.stream("s").put(...numbers(1)),
            fake.fault({ operation: "DescribeStreamConsumer" }, ...Array(20).fill(FakeKinesis.fail("Unavailable")))
          )
      })
      yield* TestClock.adjust("15 minutes")
      assert.deepStrictEqual(texts(), ["0"])
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        Array(20).fill("FetchFailed")
      )
    })
  )
})
