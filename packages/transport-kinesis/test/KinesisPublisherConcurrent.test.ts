import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import * as Envelope from "@leat/core/Envelope"
import type * as Publisher from "@leat/core/Publisher"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

import * as Aggregation from "../src/Aggregation.ts"
import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisPublisher from "../src/KinesisPublisher.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"

type Answers = ReadonlyArray<Exit.Exit<void, Publisher.PublishError>>

const envelope = (key: string, id: string, data: unknown = {}) => Envelope.make({ type: "Asked", key, id, data })

/** A fake, and a publisher to its stream `s`. */
const scene = Effect.fnUntraced(function* (
  options: Omit<KinesisPublisher.Options, "stream"> = {},
  fakeOptions: FakeKinesis.Options = {}
) {
  const fake = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }], ...fakeOptions })
  const publisher = yield* KinesisPublisher.make({ stream: "s", ...options }).pipe(
    Effect.provideService(KinesisClient.KinesisClient, fake.client)
  )
  yield* TestClock.adjust(0)
  return { fake, publisher }
})

const idOf = (data: Uint8Array): string => JSON.parse(Buffer.from(data).toString("utf8")).id

/** Key and id of all that lies in the stream, shard by shard, aggregates taken apart. */
const stored = Effect.fnUntraced(function* (fake: FakeKinesis.FakeKinesis["Service"]) {
  const shards = yield* fake.stream("s").shards
  return shards.flatMap(({ records }) =>
    records.flatMap(({ data, partitionKey }) => {
      const reading = Aggregation.read(data)
      if (reading._tag === "Malformed") return assert.fail(reading.message)
      if (reading._tag === "Plain") return [{ key: partitionKey, id: idOf(data) }]
      return Array.from({ length: reading.length }, (_, index) => {
        assert.strictEqual(reading.partitionKey(index), partitionKey)
        return { key: partitionKey, id: idOf(reading.data(index)) }
      })
    })
  )
})

const requests = (fake: FakeKinesis.FakeKinesis["Service"]) => fake.callsOf("PutRecords").map(({ asked }) => asked)

const reasons = (answers: Answers) =>
  answers.map((answer) =>
    Exit.isSuccess(answer)
      ? "ok"
      : answer.cause.reasons.map((one) => (Cause.isFailReason(one) ? one.error.reason : one._tag)).join()
  )

/** Lets the clock run until all are done. */
const joined = Effect.fnUntraced(function* <A>(fibers: ReadonlyArray<Fiber.Fiber<A>>) {
  for (let turn = 0; turn < 2000 && fibers.some((fiber) => fiber.pollUnsafe() === undefined); turn++) {
    yield* TestClock.adjust(100)
  }
  return yield* Effect.forEach(fibers, Fiber.join)
})

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const callsOf = Arbitrary.array(
  Arbitrary.array(Arbitrary.schema(Schema.Literals(["a", "b", "c", "d"])), { maxLength: 12 }),
  { minLength: 1, maxLength: 6 }
)
const faultsOf = Arbitrary.array(Arbitrary.all([int(0, 6), int(1, 4)]), { maxLength: 12 })

const faultOf = ([kind, luck]: readonly [number, number]): FakeKinesis.Fault => {
  if (kind === 0) return FakeKinesis.lose
  if (kind === 1) return FakeKinesis.fail("Unavailable")
  if (kind === 2) return FakeKinesis.delay(luck * 40)
  const code = kind === 3 ? "InternalFailure" : "ProvisionedThroughputExceededException"
  return FakeKinesis.reject((_, index) => (index + luck) % 3 !== 0, code)
}

describe("concurrent calls of publish", () => {
  for (const aggregation of ["off", "by-partition-key"] as const) {
    it.effect.prop(
      `T61, T62: keep each key in the order of the calls, lose nothing, and repeat only what was lost (aggregation ${aggregation})`,
      [callsOf, faultsOf, int(3, 40)],
      ([calls, faults, envelopes]) =>
        Effect.gen(function* () {
          const { fake, publisher } = yield* scene({
            aggregation,
            attempts: 50,
            maxAggregateBytes: 400,
            concurrency: 3,
            buffer: { envelopes }
          })
          yield* fake.fault({ operation: "PutRecords" }, ...faults.map(faultOf))
          const fibers = yield* Effect.forEach(calls, (keys, call) =>
            Effect.forkChild(publisher.publish(keys.map((key, index) => envelope(key, `${call}-${index}`))))
          )
          const answers = yield* joined(fibers)
          assert.isTrue(answers.flat().every(Exit.isSuccess))
          const published = calls.flatMap((keys, call) => keys.map((key, index) => ({ key, id: `${call}-${index}` })))
          const all = yield* stored(fake)
          for (const key of ["a", "b", "c", "d"]) {
            const firsts = new Set(all.filter((one) => one.key === key).map(({ id }) => id))
            assert.deepStrictEqual(
              [...firsts],
              published.filter((one) => one.key === key).map(({ id }) => id)
            )
          }
          if (!faults.some(([kind]) => kind === 0)) assert.strictEqual(all.length, published.length)
        })
    )
  }

  it.effect("share a request", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene()
      const calls = Array.from({ length: 100 }, (_, call) => publisher.publish([envelope(`k${call}`, `${call}`)]))
      const answers = yield* Effect.all(calls, { concurrency: "unbounded" })
      assert.isTrue(answers.flat().every(Exit.isSuccess))
      assert.isAtMost(fake.callsOf("PutRecords").length, 2)
    })
  )

  it.effect("gather for as long as they may linger, or until a request is full", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ linger: 5 })
      const first = yield* Effect.forkChild(publisher.publish([envelope("a", "1")]))
      yield* TestClock.adjust(3)
      const second = yield* Effect.forkChild(publisher.publish([envelope("b", "2")]))
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(requests(fake), [])
      yield* TestClock.adjust(1)
      assert.deepStrictEqual(requests(fake), [2])
      yield* Effect.forEach([first, second], Fiber.join)
      yield* publisher.publish(Array.from({ length: 500 }, (_, index) => envelope(`k${index}`, `${index}`)))
      assert.deepStrictEqual(requests(fake), [2, 500])
    })
  )

  it.effect("fail each for itself: what is behind one call's failure is that call's own", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene()
      yield* fake.fault(
        { operation: "PutRecords" },
        FakeKinesis.reject((entry) => entry.partitionKey === "a", "KMSDisabledException")
      )
      const [one, other] = yield* Effect.all(
        [
          publisher.publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3")]),
          publisher.publish([envelope("a", "4"), envelope("", "5"), envelope("b", "6")])
        ],
        { concurrency: "unbounded" }
      )
      assert.deepStrictEqual(reasons(one), ["Refused", "Behind", "ok"])
      assert.deepStrictEqual(reasons(other), ["ok", "Refused", "ok"])
    })
  )

  it.effect("hold no more than the buffer takes, and let one in after the other", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ buffer: { envelopes: 10 }, concurrency: 1 })
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.delay(100), FakeKinesis.delay(100))
      const many = (call: number) =>
        publisher.publish(Array.from({ length: 25 }, (_, index) => envelope(`k${index}`, `${call}-${index}`)))
      const fibers = yield* Effect.forEach([0, 1], (call) => Effect.forkChild(many(call)))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(requests(fake), [10])
      const answers = yield* joined(fibers)
      assert.isTrue(answers.flat().every(Exit.isSuccess))
      for (const asked of requests(fake)) assert.isAtMost(Number(asked), 10)
      const firsts = (yield* stored(fake)).filter(({ key }) => key === "k0")
      assert.deepStrictEqual(
        firsts.map(({ id }) => id),
        ["0-0", "1-0"]
      )
    })
  )

  it.effect("T61: one that has no room yet is not overtaken by a later one that would have", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ buffer: { bytes: 1500 } })
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.delay(100))
      const first = publisher.publish([envelope("a", "1"), envelope("a", "2", "x".repeat(1300))])
      const fibers = yield* Effect.forEach([first, publisher.publish([envelope("a", "3")])], (call) =>
        Effect.forkChild(call)
      )
      yield* joined(fibers)
      assert.deepStrictEqual(
        (yield* stored(fake)).map(({ id }) => id),
        ["1", "2", "3"]
      )
    })
  )

  it.effect("an envelope larger than the whole buffer goes alone", () =>
    Effect.gen(function* () {
      const { publisher } = yield* scene({ buffer: { bytes: 300 } })
      const answers = yield* publisher.publish([
        envelope("a", "1"),
        envelope("b", "2", "x".repeat(1000)),
        envelope("c", "3")
      ])
      assert.deepStrictEqual(reasons(answers), ["ok", "ok", "ok"])
    })
  )

  it.effect("have each its own deadline: one that ends takes nothing from the other", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene()
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.delay("5 seconds"))
      const short = yield* Effect.forkChild(
        publisher.publish([envelope("a", "1"), envelope("a", "2")]).pipe(Deadline.within("1 second"))
      )
      const long = yield* Effect.forkChild(publisher.publish([envelope("a", "3"), envelope("b", "4")]))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(reasons(yield* Fiber.join(short)), ["Unavailable", "Behind"])
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(reasons(yield* Fiber.join(long)), ["ok", "ok"])
      // The request of both went on for the other's sake; what had not been sent was not.
      const ids = (yield* stored(fake)).map(({ id }) => id)
      assert.deepStrictEqual(ids.toSorted(), ["1", "3", "4"])
    })
  )

  it.effect("one that is interrupted sends nothing more, and frees its key at once", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene()
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.hang)
      const gone = yield* Effect.forkChild(publisher.publish([envelope("a", "1"), envelope("a", "2")]))
      yield* TestClock.adjust(10)
      yield* Fiber.interrupt(gone)
      assert.deepStrictEqual(reasons(yield* publisher.publish([envelope("a", "3")])), ["ok"])
      assert.deepStrictEqual(
        (yield* stored(fake)).map(({ id }) => id),
        ["3"]
      )
    })
  )

  it.effect("T67: an envelope older than it may be is not tried again, and says what was wrong", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ maxAge: "3 seconds", attempts: 100 })
      yield* fake.fault(
        { operation: "PutRecords" },
        ...Array.from({ length: 100 }, () => FakeKinesis.reject((entry) => entry.partitionKey === "a"))
      )
      const fiber = yield* Effect.forkChild(
        publisher.publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3")])
      )
      const [answers = []] = yield* joined([fiber])
      assert.deepStrictEqual(reasons(answers), ["Throttled", "Behind", "ok"])
      const before = fake.callsOf("PutRecords").length
      assert.isAtLeast(before, 2)
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(fake.callsOf("PutRecords").length, before)
    })
  )

  it.effect("T67: what is in flight when it grows too old still gets its answer", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ maxAge: "1 second" })
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.delay("2 seconds"))
      const fiber = yield* Effect.forkChild(publisher.publish([envelope("a", "1"), envelope("a", "2")]))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(reasons(yield* Fiber.join(fiber)), ["ok", "Unavailable"])
    })
  )

  it.effect("regression: one that is too old does not stand in the way of others while it waits for an answer", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ maxAge: "1 second", buffer: { envelopes: 2 } })
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.hang)
      const old = yield* Effect.forkChild(
        publisher
          .publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3")])
          .pipe(Deadline.within("10 seconds"))
      )
      yield* TestClock.adjust("1 second")
      const other = yield* Effect.forkChild(publisher.publish([envelope("c", "4")]).pipe(Deadline.within("5 seconds")))
      yield* TestClock.adjust(10)
      assert.deepStrictEqual(reasons(other.pollUnsafe() === undefined ? [] : yield* Fiber.join(other)), ["ok"])
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual(reasons(yield* Fiber.join(old)), ["Unavailable", "Unavailable", "Unavailable"])
    })
  )

  it.effect("regression: what a dead client was given is told as failed, each request with its end", () =>
    Effect.gen(function* () {
      const fake = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const events: Array<KinesisPublisher.PublisherEvent.PublisherEvent> = []
      const publisher = yield* KinesisPublisher.make({ stream: "s", onEvent: (event) => void events.push(event) }).pipe(
        Effect.provideService(KinesisClient.KinesisClient, { ...fake.client, putRecords: () => Effect.die("broken") })
      )
      yield* publisher.publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3")])
      const told = events.filter(({ _tag }) => _tag === "Sent" || _tag === "Answered" || _tag === "Failed")
      assert.deepStrictEqual(told, [
        { _tag: "Sent", records: 2, envelopes: 2, bytes: told[0]?._tag === "Sent" ? told[0].bytes : 0, inFlight: 1 },
        { _tag: "Answered", accepted: 0, retried: 0, failed: 2, duration: 0, inFlight: 0 },
        { _tag: "Failed", reason: "Defect", envelopes: 2 },
        { _tag: "Failed", reason: "Behind", envelopes: 1 }
      ])
    })
  )

  it.effect("a client that dies fails what it was given, and not the publisher", () =>
    Effect.gen(function* () {
      const fake = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      let deaths = 1
      const publisher = yield* KinesisPublisher.make({
        stream: "s",
        onEvent: () => {
          throw new Error("an observer that throws")
        }
      }).pipe(
        Effect.provideService(KinesisClient.KinesisClient, {
          ...fake.client,
          putRecords: (...args) => (deaths-- > 0 ? Effect.die("broken") : fake.client.putRecords(...args))
        })
      )
      const answers = yield* publisher.publish([envelope("a", "1"), envelope("a", "2")])
      assert.deepStrictEqual(reasons(answers), ["Die", "Behind"])
      assert.deepStrictEqual(reasons(yield* publisher.publish([envelope("a", "3")])), ["ok"])
    })
  )
})

describe("a publisher whose scope closes", () => {
  const open = (options: Omit<KinesisPublisher.Options, "stream"> = {}) =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      return { scope, ...(yield* scene(options).pipe(Scope.provide(scope))) }
    })

  it.effect("T65: sends first what it has taken in, what still waits for room included", () =>
    Effect.gen(function* () {
      const { fake, publisher, scope } = yield* open({ buffer: { envelopes: 5 } })
      yield* fake.fault({ operation: "PutRecords" }, FakeKinesis.delay(500), FakeKinesis.lose)
      const fiber = yield* Effect.forkChild(
        publisher.publish(Array.from({ length: 20 }, (_, index) => envelope(`k${index % 7}`, `${index}`)))
      )
      yield* TestClock.adjust(10)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      const [answers] = yield* joined([fiber])
      assert.isTrue(answers?.every(Exit.isSuccess))
      yield* Fiber.join(closing)
      assert.deepStrictEqual(reasons(yield* publisher.publish([envelope("a", "1"), envelope("a", "2")])), [
        "Unavailable",
        "Behind"
      ])
    })
  )

  it.effect("T65: fails what is not accepted in time, and does not hang", () =>
    Effect.gen(function* () {
      const { fake, publisher, scope } = yield* open({ shutdownTimeout: "2 seconds", buffer: { envelopes: 2 } })
      yield* fake.fault({ operation: "PutRecords" }, ...Array.from({ length: 9 }, () => FakeKinesis.hang))
      const fiber = yield* Effect.forkChild(
        publisher.publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3"), envelope("c", "4")])
      )
      const queued = yield* Effect.forkChild(publisher.publish([envelope("d", "5")]))
      yield* TestClock.adjust(10)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(reasons(yield* Fiber.join(fiber)), ["Unavailable", "Behind", "Unavailable", "Unavailable"])
      assert.deepStrictEqual(reasons(yield* Fiber.join(queued)), ["Unavailable"])
      yield* Fiber.join(closing)
      const made = fake.callsOf("PutRecords").length
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(fake.callsOf("PutRecords").length, made)
    })
  )

  it.effect("regression: does not wait for word of the stream's record limit either", () =>
    Effect.gen(function* () {
      const { fake, publisher, scope } = yield* open({ shutdownTimeout: "2 seconds" })
      yield* TestClock.adjust("2 minutes")
      yield* fake.fault({ operation: "DescribeStreamSummary" }, FakeKinesis.hang)
      const fiber = yield* Effect.forkChild(publisher.publish([envelope("a", "1", "x".repeat(2_000_000))]))
      yield* TestClock.adjust(10)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* TestClock.adjust("2 seconds")
      assert.isDefined(closing.pollUnsafe())
      assert.deepStrictEqual(reasons(yield* Fiber.join(fiber)), ["Unavailable"])
    })
  )

  it.effect("T65: with nothing on its way closes at once", () =>
    Effect.gen(function* () {
      const { publisher, scope } = yield* open()
      yield* publisher.publish([envelope("a", "1")])
      yield* Scope.close(scope, Exit.void)
    })
  )
})

describe("an aggregating publisher", () => {
  it.effect("T57: sends what waits of a key as one record under that key, one alone as a plain record", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ aggregation: "by-partition-key" })
      const answers = yield* publisher.publish([
        ...Array.from({ length: 50 }, (_, index) => envelope("a", `${index}`)),
        envelope("b", "alone")
      ])
      assert.isTrue(answers.every(Exit.isSuccess))
      assert.deepStrictEqual(requests(fake), [2])
      const all = yield* stored(fake)
      assert.deepStrictEqual(
        all.filter(({ key }) => key === "a").map(({ id }) => id),
        Array.from({ length: 50 }, (_, index) => `${index}`)
      )
      const shards = yield* fake.stream("s").shards
      const alone = shards.flatMap(({ records }) => records).find(({ partitionKey }) => partitionKey === "b")
      assert.isFalse(Aggregation.hasMagic(alone?.data ?? new Uint8Array()))
    })
  )

  it.effect("T57: keeps the explicit hash key, and aggregates only what shares it", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({
        aggregation: "by-partition-key",
        explicitHashKey: ({ data }) => (typeof data === "string" ? data : undefined)
      })
      const top = String(2n ** 128n - 1n)
      yield* publisher.publish([envelope("a", "1", top), envelope("a", "2", top), envelope("a", "3")])
      const shards = yield* fake.stream("s").shards
      const reading = Aggregation.read(shards[1]?.records[0]?.data ?? new Uint8Array())
      assert.strictEqual(reading._tag === "Aggregate" ? reading.explicitHashKey(1) : reading._tag, top)
      assert.strictEqual(idOf(shards[0]?.records[0]?.data ?? new Uint8Array()), "3")
    })
  )

  it.effect("T59: an aggregate is no larger than it may be, and what is larger alone goes alone", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ aggregation: "by-partition-key", maxAggregateBytes: 1000 })
      const answers = yield* publisher.publish([
        ...Array.from({ length: 20 }, (_, index) => envelope("a", `${index}`)),
        envelope("a", "large", "x".repeat(3000)),
        envelope("a", "last")
      ])
      assert.isTrue(answers.every(Exit.isSuccess))
      const records = (yield* fake.stream("s").shards).flatMap((shard) => shard.records)
      assert.isTrue(records.every(({ data }) => data.length + 1 <= 1000 || !Aggregation.hasMagic(data)))
      assert.strictEqual((yield* stored(fake)).length, 22)
    })
  )

  it.effect("T60: a user record's answer is its aggregate's", () =>
    Effect.gen(function* () {
      const { fake, publisher } = yield* scene({ aggregation: "by-partition-key" })
      yield* fake.fault(
        { operation: "PutRecords" },
        FakeKinesis.reject((entry) => entry.partitionKey === "a", "KMSAccessDeniedException")
      )
      const answers = yield* publisher.publish([envelope("a", "1"), envelope("b", "2"), envelope("a", "3")])
      assert.deepStrictEqual(reasons(answers), ["Refused", "ok", "Refused"])
    })
  )
})
