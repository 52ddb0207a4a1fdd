import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@leat/core/Codec"
import * as Deadline from "@leat/core/Deadline"
import * as Envelope from "@leat/core/Envelope"
import * as Publisher from "@leat/core/Publisher"
import * as Arbitrary from "effect/Arbitrary"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisError from "../src/KinesisError.ts"
import * as KinesisPublisher from "../src/KinesisPublisher.ts"
import * as RecordLimits from "../src/kinesisPublisher/RecordLimits.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"

const envelope = (key: string | undefined, id: string, data: unknown = {}) =>
  Envelope.make({ type: "Asked", key, id, data })

const failure = (reason: KinesisError.Reason, operation: string) =>
  new KinesisError.KinesisError({ reason, operation, message: reason, retryable: KinesisError.isRetryable(reason) })

const accepted: KinesisClient.Put = { _tag: "Accepted", shardId: "shardId-000000000000", sequenceNumber: "1" }
const rejected = (code: string): KinesisClient.Put => ({ _tag: "Rejected", code, message: "no" })
const throttled = rejected("ProvisionedThroughputExceededException")

interface Request {
  readonly at: number
  readonly entries: ReadonlyArray<KinesisClient.Entry>
}

/** A stream that answers each entry as it is told, and writes down what it was sent and what it took. */
const stream = (
  answer: (entry: KinesisClient.Entry, id: string) => KinesisClient.Put | KinesisError.KinesisError,
  delay: Effect.Effect<void> = Effect.void
) => {
  const requests: Array<Request> = []
  const taken: Array<{ readonly key: string; readonly id: string }> = []
  const putRecords = (_: string, entries: ReadonlyArray<KinesisClient.Entry>) =>
    Effect.flatMap(Effect.andThen(delay, Clock.currentTimeMillis), (at) => {
      requests.push({ at, entries })
      const puts: Array<KinesisClient.Put> = []
      for (const entry of entries) {
        const { id } = JSON.parse(Buffer.from(entry?.data ?? []).toString("utf8"))
        const put = answer(entry, id)
        if (put._tag === "KinesisError") return Effect.fail(put)
        if (put._tag === "Accepted") taken.push({ key: entry.partitionKey, id })
        puts.push(put)
      }
      return Effect.succeed(puts)
    })
  const fake = FakeKinesis.makeUnsafe({ streams: [{ name: "s", shards: 1 }] })
  const layer = Layer.succeed(KinesisClient.KinesisClient, { ...fake.client, putRecords })
  return { layer, requests, taken }
}

const unlimited = { recordsPerSecond: Infinity, bytesPerSecond: Infinity }

/** Whoever has something to do now has done it: the clock must not run ahead of them. */
const settled = Effect.repeat(Effect.yieldNow, { times: 20 })

/** Publishes while the clock runs as far as it has to. */
const publish = Effect.fnUntraced(function* (
  envelopes: ReadonlyArray<Envelope.Envelope>,
  options: Omit<KinesisPublisher.Options, "stream"> = {}
) {
  const publisher = yield* KinesisPublisher.make({ stream: "s", shardLimits: unlimited, ...options })
  const fiber = yield* Effect.forkChild(publisher.publish(envelopes))
  for (let turn = 0; turn < 200 && fiber.pollUnsafe() === undefined; turn++) {
    yield* settled
    yield* TestClock.adjust("1 second")
  }
  return yield* Fiber.join(fiber)
})

const reason = (exit: Exit.Exit<void, Publisher.PublishError> | undefined) =>
  exit === undefined
    ? "no answer"
    : Exit.match(exit, {
        onSuccess: () => "ok",
        onFailure: (cause) => cause.reasons.map((one) => (one._tag === "Fail" ? one.error.reason : one._tag)).join()
      })

const scene = Arbitrary.array(
  Arbitrary.all([
    Arbitrary.schema(Schema.Literals(["a", "b", "c"])),
    // How often it fails before it is taken; 9 is for ever.
    Arbitrary.schema(Schema.Literals([0, 0, 0, 1, 2, 9])),
    Arbitrary.schema(
      Schema.Literals(["ProvisionedThroughputExceededException", "InternalFailure", "InvalidArgumentException"])
    )
  ]),
  { maxLength: 20 }
)

describe("a publisher", () => {
  it.effect.prop(
    "T60, T61: answers each envelope in its place and keeps each key in order, whatever fails",
    [scene],
    ([plan]) => {
      const left = new Map<string, number>(plan.map(([, failures], index) => [String(index), failures]))
      const { layer, taken } = stream((_, id) => {
        const failures = left.get(id) ?? 0
        if (failures === 0) return accepted
        if (failures < 9) left.set(id, failures - 1)
        return rejected(plan[Number(id)]?.[2] ?? "")
      })
      return Effect.gen(function* () {
        const answers = yield* publish(
          plan.map(([key], index) => envelope(key, String(index))),
          { attempts: 4 }
        )
        assert.strictEqual(answers.length, plan.length)
        const ok = new Set(taken.map((one) => one.id))
        for (const [index, answer] of answers.entries())
          assert.strictEqual(Exit.isSuccess(answer), ok.has(String(index)))
        for (const key of ["a", "b", "c"]) {
          const sent = taken.filter((one) => one.key === key).map((one) => Number(one.id))
          assert.deepStrictEqual(
            sent,
            plan.flatMap(([own], index) => (own === key && ok.has(String(index)) ? [index] : []))
          )
          const outcomes = plan.flatMap(([own], index) => (own === key ? [reason(answers[index])] : []))
          const broken = outcomes.findIndex((outcome) => outcome !== "ok")
          if (broken !== -1) assert.isTrue(outcomes.slice(broken + 1).every((outcome) => outcome === "Behind"))
        }
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("T61: sends no two envelopes of a key in one request", () => {
    const { layer, requests } = stream(() => accepted)
    return Effect.gen(function* () {
      yield* publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3")])
      assert.deepStrictEqual(
        requests.map((request) => request.entries.map((entry) => entry.partitionKey)),
        [["a", "b"], ["a"]]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("T59: sends at most 500 records and 10 MiB a request", () => {
    const { layer, requests } = stream(() => accepted)
    const large = "x".repeat(1_000_000)
    return Effect.gen(function* () {
      yield* publish(Array.from({ length: 1200 }, (_, index) => envelope(undefined, String(index))))
      assert.deepStrictEqual(
        requests.splice(0).map((request) => request.entries.length),
        [500, 500, 200]
      )
      yield* publish(Array.from({ length: 25 }, (_, index) => envelope(undefined, String(index), large)))
      for (const { entries } of requests)
        assert.isAtMost(
          entries.reduce((sum, entry) => sum + RecordLimits.size(entry), 0),
          10 * 1024 * 1024
        )
      assert.deepStrictEqual(
        requests.map((request) => request.entries.length),
        [10, 10, 5]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("T59: refuses what no stream takes at once, and holds back what follows on its key", () => {
    const { layer, taken } = stream(() => accepted)
    return Effect.gen(function* () {
      const answers = yield* publish([
        envelope("a", "1", "x".repeat(1024 * 1024)),
        envelope("a", "2"),
        envelope("", "3"),
        envelope("k".repeat(257), "4"),
        envelope("n", "5", { big: 1n }),
        envelope("b", "6")
      ])
      assert.deepStrictEqual(answers.map(reason), ["TooLarge", "Behind", "Refused", "Refused", "Refused", "ok"])
      assert.deepStrictEqual(
        taken.map((one) => one.id),
        ["6"]
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("regression: a record that no request holds is refused, whatever the stream is said to take", () => {
    const { layer, requests } = stream(() => accepted)
    return Effect.gen(function* () {
      const answers = yield* publish([envelope("a", "1", "x".repeat(10 * 1024 * 1024)), envelope("b", "2")], {
        maxRecordBytes: Infinity
      }).pipe(Effect.timeout("1 minute"))
      assert.deepStrictEqual(answers.map(reason), ["TooLarge", "ok"])
      assert.strictEqual(requests.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("counts a partition key in characters, as AWS does, not in halves of surrogate pairs", () => {
    const { layer } = stream(() => accepted)
    return Effect.gen(function* () {
      const answers = yield* publish([envelope("😀".repeat(256), "1"), envelope("😀".repeat(257), "2")])
      assert.deepStrictEqual(answers.map(reason), ["ok", "Refused"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("T63: an entry with a code that no repeat cures fails alone and at once", () => {
    const { layer, requests } = stream((_, id) => (id === "1" ? rejected("KMSAccessDeniedException") : accepted))
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* publish([envelope("a", "1"), envelope("b", "2")])).map(reason), ["Refused", "ok"])
      assert.strictEqual(requests.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("T64: a key that is throttled does not hold up the others", () => {
    const { layer, requests } = stream((entry) => (entry.partitionKey === "hot" ? throttled : accepted))
    return Effect.gen(function* () {
      const answers = yield* publish([envelope("hot", "1"), envelope("a", "2"), envelope("a", "3")], { attempts: 3 })
      assert.deepStrictEqual(answers.map(reason), ["Throttled", "ok", "ok"])
      assert.strictEqual(
        requests.findLast((request) => request.entries.some((entry) => entry.partitionKey === "a"))?.at,
        0
      )
    }).pipe(Effect.provide(layer))
  })

  it.effect("T66: pauses a random time up to a doubling bound, and gives up after its attempts", () => {
    const { layer, requests } = stream(() => throttled)
    return Effect.gen(function* () {
      const publisher = yield* KinesisPublisher.make({ stream: "s", attempts: 5, backoff: { base: 100, cap: 300 } })
      const fiber = yield* Effect.forkChild(publisher.publish([envelope("a", "1")]))
      for (let turn = 0; turn < 1500; turn++) yield* TestClock.adjust(1)
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(reason), ["Throttled"])
      const pauses = requests.slice(1).map((request, index) => request.at - (requests[index]?.at ?? 0))
      assert.strictEqual(pauses.length, 4)
      for (const [index, bound] of [100, 200, 300, 300].entries()) assert.isAtMost(pauses[index] ?? 0, bound + 2)
    }).pipe(Effect.provide(layer))
  })

  it.effect("regression: tries nothing again that the deadline would overtake, and says so of each", () => {
    const { layer, requests } = stream(() => throttled)
    return Effect.gen(function* () {
      const answers = yield* publish([envelope("a", "1"), envelope("a", "2"), envelope("b", "3")], {
        backoff: { base: "1 hour", cap: "1 hour" }
      }).pipe(Deadline.within("1 second"))
      assert.deepStrictEqual(answers.map(reason), ["Throttled", "Behind", "Throttled"])
      assert.strictEqual(requests.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("regression: answers at the deadline where the stream does not", () => {
    const { layer } = stream(() => accepted, Effect.never)
    return Effect.gen(function* () {
      const publisher = yield* KinesisPublisher.make({ stream: "s" })
      const fiber = yield* Effect.forkChild(
        publisher.publish([envelope("a", "1"), envelope("a", "2")]).pipe(Deadline.within("3 seconds"))
      )
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual((yield* Fiber.join(fiber)).map(reason), ["Unavailable", "Behind"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("T62: after an answer that was lost sends the same bytes again, with the same id", () => {
    let lost = 1
    const { layer, requests } = stream(() => (lost-- > 0 ? failure("Unavailable", "PutRecords") : accepted))
    return Effect.gen(function* () {
      const answers = yield* publish([Envelope.make({ type: "Asked", data: 1 })])
      assert.deepStrictEqual(answers.map(reason), ["ok"])
      assert.strictEqual(requests.length, 2)
      assert.deepStrictEqual(requests[0]?.entries[0]?.data, requests[1]?.entries[0]?.data)
    }).pipe(Effect.provide(layer))
  })

  it.effect("a stream that is not there refuses every envelope, once", () => {
    const { layer, requests } = stream(() => failure("NotFound", "PutRecords"))
    return Effect.gen(function* () {
      assert.deepStrictEqual((yield* publish([envelope("a", "1"), envelope("a", "2")])).map(reason), [
        "Refused",
        "Behind"
      ])
      assert.strictEqual(requests.length, 1)
    }).pipe(Effect.provide(layer))
  })

  it.effect("writes plain JSON when told so, under a partition key of the caller's", () => {
    const { layer, requests } = stream(() => accepted)
    return Effect.gen(function* () {
      yield* publish([envelope("123", "1", { id: "plain", user_id: 123 })], {
        codec: Codec.json({ tag: "Asked", version: 1 }),
        partitionKey: (one) => `user-${one.key ?? ""}`
      })
      const entry = requests[0]?.entries[0]
      assert.strictEqual(entry?.partitionKey, "user-123")
      assert.strictEqual(Buffer.from(entry?.data ?? []).toString("utf8"), '{"id":"plain","user_id":123}')
    }).pipe(Effect.provide(layer))
  })

  it.effect("is where a worker's emitted events go, as a layer", () => {
    const { layer, taken } = stream(() => accepted)
    return Effect.gen(function* () {
      const publisher = yield* Publisher.Publisher
      assert.deepStrictEqual((yield* publisher?.publish([envelope("a", "1")]) ?? Effect.succeed([])).map(reason), [
        "ok"
      ])
      assert.deepStrictEqual(taken, [{ key: "a", id: "1" }])
    }).pipe(Effect.provide(KinesisPublisher.layer({ stream: "s" }).pipe(Layer.provide(layer))))
  })
})
