import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import * as Envelope from "@leat/core/Envelope"
import type * as Publisher from "@leat/core/Publisher"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisPublisher from "../src/KinesisPublisher.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"

type Event = KinesisPublisher.PublisherEvent.PublisherEvent

const envelope = (key: string, index: number, data: unknown = index) =>
  Envelope.make({ type: "Asked", key, id: `${key}-${index}`, data })
const envelopes = (key: string, count: number) => Array.from({ length: count }, (_, index) => envelope(key, index))

/** By their MD5: the first and the second of two shards. */
const [first, second] = ["shardId-000000000000", "shardId-000000000001"]
const lowKeys = ["a", "c", "h", "j"]
const highKey = "b"

/** A fake, a publisher to its stream `s`, and what the publisher told. */
const scene = Effect.fnUntraced(function* (
  fakeOptions: FakeKinesis.Options,
  options: Omit<KinesisPublisher.Options, "stream"> = {}
) {
  const fake = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }], ...fakeOptions })
  const events: Array<Event> = []
  const publisher = yield* KinesisPublisher.make({
    stream: "s",
    onEvent: (event) => void events.push(event),
    ...options
  }).pipe(Effect.provideService(KinesisClient.KinesisClient, fake.client))
  yield* TestClock.adjust(0)
  const stats = () => events.reduce(KinesisPublisher.PublisherEvent.count, KinesisPublisher.PublisherEvent.none)
  return { fake, publisher, events, stats }
})

/** Publishes while the clock runs as far as it has to; gives the answers and the milliseconds. */
const timed = Effect.fnUntraced(function* (publisher: Publisher.Publisher, of: ReadonlyArray<Envelope.Envelope>) {
  const from = yield* Clock.currentTimeMillis
  const fiber = yield* Effect.forkChild(Effect.zip(publisher.publish(of), Clock.currentTimeMillis))
  for (let turn = 0; turn < 2000 && fiber.pollUnsafe() === undefined; turn++) yield* TestClock.adjust(50)
  const [answers, at] = yield* Fiber.join(fiber)
  return { answers, took: at - from }
})

const reasons = (answers: ReadonlyArray<Exit.Exit<void, Publisher.PublishError>>) =>
  answers.map((answer) => (Exit.isSuccess(answer) ? "ok" : errorOf(answer).reason))

const errorOf = (answer: Exit.Exit<void, Publisher.PublishError> | undefined): Publisher.PublishError =>
  answer !== undefined && Exit.isFailure(answer)
    ? (answer.cause.reasons.find(Cause.isFailReason)?.error ?? assert.fail("no typed error"))
    : assert.fail("it was accepted")

const tagged = <Tag extends Event["_tag"]>(events: ReadonlyArray<Event>, tag: Tag) =>
  events.filter((event): event is Extract<Event, { readonly _tag: Tag }> => event._tag === tag)

describe("a publisher and its shards", () => {
  it.effect("T64: keeps each shard to what it takes a second, so that nothing is refused", () =>
    Effect.gen(function* () {
      const { fake, publisher, stats } = yield* scene(
        { limits: {} },
        { mode: "unordered", buffer: { envelopes: 20_000 } }
      )
      const { answers, took } = yield* timed(publisher, [
        ...lowKeys.flatMap((key) => envelopes(key, 750)),
        ...envelopes(highKey, 500)
      ])
      assert.isTrue(answers.every(Exit.isSuccess))
      assert.isAtLeast(took, 1900)
      assert.isAtMost(took, 2300)
      assert.deepInclude(stats(), { accepted: 3500, retried: 0, throttled: 0, failed: 0, inFlight: 0 })
      assert.strictEqual((yield* fake.stream("s").records(first)).length, 3000)
    })
  )

  it.effect("T64: a hot shard does not hold up another", () =>
    Effect.gen(function* () {
      const { publisher } = yield* scene({ limits: {} }, { mode: "unordered" })
      const hot = yield* Effect.forkChild(publisher.publish(lowKeys.flatMap((key) => envelopes(key, 1000))))
      yield* TestClock.adjust(10)
      assert.isTrue((yield* publisher.publish(envelopes(highKey, 300))).every(Exit.isSuccess))
      assert.isUndefined(hot.pollUnsafe())
      yield* Fiber.interrupt(hot)
    })
  )

  it.effect("T64, T66: where others write to the shard too it goes down to what is left, and loses nothing", () =>
    Effect.gen(function* () {
      const { events, publisher, stats } = yield* scene(
        { limits: { recordsPerSecond: 200 } },
        { mode: "unordered", attempts: 30 }
      )
      const { answers, took } = yield* timed(
        publisher,
        lowKeys.flatMap((key) => envelopes(key, 400))
      )
      assert.isTrue(answers.every(Exit.isSuccess))
      assert.isAtLeast(took, 7000)
      assert.isAtMost(took, 30_000)
      assert.isTrue(tagged(events, "Throttled").every(({ shardId }) => shardId === first))
      // Without slowing down, the thousand that go first and each repeat of them would be refused time and again.
      assert.isAtMost(stats().retried, 4 * 1600)
    })
  )

  it.effect("T60, T61: lists the shards anew when a record goes elsewhere than foreseen", () =>
    Effect.gen(function* () {
      const { events, fake, publisher } = yield* scene({})
      yield* publisher.publish([envelope("a", 0)])
      yield* fake.stream("s").split(first)
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(reasons(yield* publisher.publish([envelope("a", 1), envelope(highKey, 2)])), ["ok", "ok"])
      yield* TestClock.adjust(10)
      const [misrouted] = tagged(events, "Misrouted")
      assert.strictEqual(misrouted?.expected, first)
      assert.deepStrictEqual(
        tagged(events, "ShardsListed").map(({ open }) => open),
        [2, 3]
      )
      yield* TestClock.adjust("59 seconds")
      yield* publisher.publish([envelope("a", 3)])
      assert.strictEqual(tagged(events, "Misrouted").length, 1)
      yield* TestClock.adjust("1 minute")
      yield* publisher.publish([envelope("a", 4)])
      yield* TestClock.adjust(10)
      assert.strictEqual(fake.callsOf("ListShards").length, 3)
    })
  )

  it.effect("publishes without pace where it may not list the shards, and says so", () =>
    Effect.gen(function* () {
      const fake = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      yield* fake.fault({ operation: "ListShards" }, FakeKinesis.fail("AccessDenied"))
      const events: Array<Event> = []
      const publisher = yield* KinesisPublisher.make({
        stream: "s",
        mode: "unordered",
        onEvent: (event) => void events.push(event)
      }).pipe(Effect.provideService(KinesisClient.KinesisClient, fake.client))
      yield* TestClock.adjust(0)
      assert.isTrue((yield* publisher.publish(envelopes("a", 3000))).every(Exit.isSuccess))
      assert.strictEqual(tagged(events, "ShardsUnknown")[0]?.error.reason, "AccessDenied")
    })
  )

  it.effect("puts an envelope where its explicit hash key says", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene(
        {},
        { explicitHashKey: ({ data }) => (typeof data === "string" ? data : undefined) }
      )
      const answers = yield* publisher.publish([
        envelope("a", 0, String(2n ** 128n - 1n)),
        envelope(highKey, 1, "0"),
        envelope("c", 2, String(2n ** 128n))
      ])
      assert.deepStrictEqual(reasons(answers), ["ok", "ok", "Refused"])
      assert.strictEqual((yield* fake.stream("s").records(first))[0]?.partitionKey, highKey)
      assert.strictEqual((yield* fake.stream("s").records(second))[0]?.partitionKey, "a")
    })
  )
})

describe("a publisher and the settings of its stream", () => {
  it.effect("T59: learns the stream's record limit, and that it was raised since", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ streams: [{ name: "s", maxRecordBytes: 2 * 1024 * 1024 }] })
      const large = (megabytes: number) => [envelope("a", 0, "x".repeat(megabytes * 1_000_000))]
      assert.deepStrictEqual(reasons(yield* publisher.publish(large(1.9))), ["ok"])
      assert.deepStrictEqual(reasons(yield* publisher.publish(large(2.2))), ["TooLarge"])
      yield* fake.stream("s").configure({ maxRecordBytes: 4 * 1024 * 1024 })
      assert.deepStrictEqual(reasons(yield* publisher.publish(large(2.2))), ["TooLarge"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(reasons(yield* publisher.publish(large(2.2))), ["ok"])
      assert.strictEqual(fake.callsOf("DescribeStreamSummary").length, 2)
    })
  )

  it.effect("T63: a request that AWS refuses for one of its records fails that record alone", () =>
    Effect.gen(function* () {
      // The publisher is told more than the stream takes.
      const { fake, publisher, stats } = yield* scene(
        {},
        { maxRecordBytes: 2 * 1024 * 1024, shardLimits: { bytesPerSecond: Infinity } }
      )
      const all = Array.from({ length: 200 }, (_, index) => envelope(`k${index}`, index))
      const answers = yield* publisher.publish([...all, envelope("bad", 0, "x".repeat(1_100_000))])
      assert.isTrue(answers.slice(0, 200).every(Exit.isSuccess))
      assert.strictEqual(errorOf(answers[200]).reason, "Refused")
      assert.match(errorOf(answers[200]).message, /bytes/)
      assert.deepInclude(stats(), { accepted: 200, failed: 1 })
      assert.isAtMost(fake.callsOf("PutRecords").length, 18)
    })
  )

  it.effect("regression: the search for an invalid record sends none whose call was answered meanwhile", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene(
        {},
        { maxRecordBytes: 2 * 1024 * 1024, shardLimits: { bytesPerSecond: Infinity } }
      )
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.delay("1 second"))
      const short = yield* Effect.forkChild(
        publisher.publish([envelope("a", 0), envelope(highKey, 1)]).pipe(Deadline.within("500 millis"))
      )
      const long = yield* Effect.forkChild(
        publisher.publish([envelope("bad", 0, "x".repeat(1_100_000)), envelope("c", 2)])
      )
      yield* TestClock.adjust("500 millis")
      assert.deepStrictEqual(
        fake.callsOf("PutRecords").map(({ asked }) => asked),
        [4]
      )
      assert.deepStrictEqual(reasons(yield* Fiber.join(short)), ["Unavailable", "Unavailable"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(reasons(yield* Fiber.join(long)), ["Refused", "ok"])
      const keys = (yield* fake.stream("s").shards).flatMap(({ records }) => records.map((one) => one.partitionKey))
      assert.deepStrictEqual(keys, ["c"])
    })
  )

  for (const reason of ["Encryption", "AccessDenied", "NotFound"] as const) {
    it.effect(`T63: a request that fails as a whole (${reason}) fails its records at once, and is not searched`, () =>
      Effect.gen(function* () {
        const { fake, publisher } = yield* scene({})
        yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.fail(reason))
        const answers = yield* publisher.publish([envelope("a", 0), envelope(highKey, 1)])
        assert.deepStrictEqual(reasons(answers), ["Refused", "Refused"])
        assert.isFalse(errorOf(answers[0]).retryable)
        assert.strictEqual(fake.callsOf("PutRecords").length, 1)
      })
    )
  }

  it.effect("T78: warns of a stream that ignores keys, and sends nothing to it when told to refuse", () =>
    Effect.gen(function* () {
      const streams = [{ name: "s", ignoresPartitionKeys: true }]
      const { events, publisher } = yield* scene({ streams })
      assert.deepStrictEqual(reasons(yield* publisher.publish([envelope("a", 0)])), ["ok"])
      assert.isTrue(tagged(events, "StreamDescribed")[0]?.ignoresPartitionKeys)

      const strict = yield* scene({ streams }, { onUnordered: "refuse" })
      const [answer] = yield* strict.publisher.publish([envelope("a", 0)])
      assert.strictEqual(errorOf(answer).reason, "Refused")
      assert.match(errorOf(answer).message, /AUTO.*USER_PARTITION_KEY/)
      assert.strictEqual(strict.fake.callsOf("PutRecords").length, 0)

      const unordered = yield* scene({ streams }, { onUnordered: "refuse", mode: "unordered" })
      assert.deepStrictEqual(reasons(yield* unordered.publisher.publish([envelope("a", 0)])), ["ok"])
    })
  )

  it.effect("regression: told to refuse it answers before the deadline, also where the stream does not", () =>
    Effect.gen(function* () {
      const fake = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      yield* fake.fault({ operation: "DescribeStreamSummary" }, FakeKinesis.hang)
      const publisher = yield* KinesisPublisher.make({ stream: "s", onUnordered: "refuse" }).pipe(
        Effect.provideService(KinesisClient.KinesisClient, fake.client)
      )
      const fiber = yield* Effect.forkChild(publisher.publish([envelope("a", 0)]).pipe(Deadline.within("2 seconds")))
      yield* TestClock.adjust("2 seconds")
      const [answer] = fiber.pollUnsafe() === undefined ? [] : yield* Fiber.join(fiber)
      assert.strictEqual(errorOf(answer).reason, "Unavailable")
      assert.match(errorOf(answer).message, /it gave no answer/)
      assert.strictEqual(fake.callsOf("PutRecords").length, 0)
    })
  )

  it.effect("T78: told to refuse it sends nothing either where the settings can't be read, until they can", () =>
    Effect.gen(function* () {
      const fake = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      yield* fake.fault({ operation: "DescribeStreamSummary" }, FakeKinesis.fail("AccessDenied"))
      const publisher = yield* KinesisPublisher.make({ stream: "s", onUnordered: "refuse" }).pipe(
        Effect.provideService(KinesisClient.KinesisClient, fake.client)
      )
      const [answer] = yield* publisher.publish([envelope("a", 0)]).pipe(Deadline.within("1 second"))
      assert.strictEqual(errorOf(answer).reason, "Unavailable")
      assert.match(errorOf(answer).message, /kinesis:DescribeStreamSummary/)
      yield* TestClock.adjust("61 seconds")
      assert.deepStrictEqual(reasons(yield* publisher.publish([envelope("a", 1)])), ["ok"])
    })
  )
})
