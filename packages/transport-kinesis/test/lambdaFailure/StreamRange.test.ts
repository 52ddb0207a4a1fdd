import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as KinesisClient from "../../src/KinesisClient.ts"
import * as StreamRange from "../../src/lambdaFailure/StreamRange.ts"
import * as FakeStreams from "../../src/testing/FakeKinesis.ts"
import { failure, FakeKinesis } from "../FakeKinesis.ts"
import { streamArn } from "./documents.ts"

const count = (length: number) => Array.from({ length }, (_, index) => String(index + 1))

const streamOf = (length: number) => {
  const kinesis = new FakeKinesis("a")
  kinesis.put("a", count(length), 0)
  return kinesis
}

const pieces = Effect.fnUntraced(function* (start: string, end: string, shardId = "a", batchSize = 1) {
  const client = yield* KinesisClient.KinesisClient
  const range = { streamArn, shardId, startSequenceNumber: start, endSequenceNumber: end, batchSize }
  return yield* Stream.runCollect(StreamRange.read(client, range))
})

/** A range of numbers, or those that are gone in brackets. */
const shown = (found: ReadonlyArray<StreamRange.Piece>) =>
  found.map((piece) => {
    if (piece._tag === "Gone") return `[${piece.gone.startSequenceNumber}–${piece.gone.endSequenceNumber}]`
    return piece.records.map((record) => record.sequenceNumber).join(" ")
  })

describe("a range of a shard", () => {
  it.effect("T74: has both of its ends, and one record where they are one", () => {
    const kinesis = streamOf(12)
    return Effect.gen(function* () {
      assert.deepStrictEqual(shown(yield* pieces("9", "11")), ["9 10 11"])
      assert.deepStrictEqual(shown(yield* pieces("10", "10")), ["10"])
      assert.deepStrictEqual(kinesis.iterators, [
        { _tag: "At", sequenceNumber: "9" },
        { _tag: "At", sequenceNumber: "10" }
      ])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T74: is read page by page, once a second, through throttles and an iterator that expires", () => {
    const kinesis = streamOf(250)
    kinesis.failures.push("Throttled", "Unavailable")
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(pieces("1", "240"))
      yield* TestClock.adjust("800 millis")
      kinesis.failures.push("ExpiredIterator")
      yield* TestClock.adjust("10 seconds")
      const found = yield* Fiber.join(fiber)
      assert.deepStrictEqual(shown(found).join(" "), count(240).join(" "))
      assert.deepStrictEqual(kinesis.iterators.at(-1), { _tag: "At", sequenceNumber: "100" })
      const at = kinesis.reads.map((read) => read.at)
      assert.deepStrictEqual(at.slice(0, 3), [0, 250, 750])
      assert.isTrue(at.slice(3).every((time, index) => time - (at[index + 2] ?? 0) >= 250))
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("is given up after half a minute of throttles", () => {
    const kinesis = streamOf(1)
    for (let left = 20; left > 0; left--) kinesis.failures.push("Throttled")
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.flip(pieces("1", "1")))
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "Throttled")
      assert.strictEqual(kinesis.reads.length, 8)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T16 T74: names what expired at its start, as a whole, and after what is left", () => {
    const kinesis = streamOf(9)
    const { records } = kinesis.shard("a")
    records.splice(0, 3)
    return Effect.gen(function* () {
      assert.deepStrictEqual(shown(yield* pieces("2", "6")), ["[2–3]", "4 5 6"])
      assert.deepStrictEqual(shown(yield* pieces("1", "3")), ["[1–3]"])
      kinesis.shard("a").closed = true
      assert.deepStrictEqual(shown(yield* pieces("8", "11")), ["8 9", "[10–11]"])
      records.splice(0)
      assert.deepStrictEqual(shown(yield* pieces("1", "3")), ["[1–3]"])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("regression: names what expired while what came before it was handled", () => {
    const kinesis = streamOf(300)
    const range = { streamArn, shardId: "a", startSequenceNumber: "1", endSequenceNumber: "300", batchSize: 1 }
    return Effect.gen(function* () {
      const found: Array<StreamRange.Piece> = []
      const reading = Stream.runForEach(StreamRange.read(yield* KinesisClient.KinesisClient, range), (piece) => {
        found.push(piece)
        if (found.length > 1) return Effect.void
        kinesis.shard("a").records.splice(0, 200)
        return Effect.sleep("10 minutes")
      })
      const fiber = yield* Effect.forkChild(reading)
      yield* TestClock.adjust("11 minutes")
      yield* Fiber.join(fiber)
      const all = count(300)
      assert.deepStrictEqual(shown(found), [all.slice(0, 100).join(" "), "[101–200]", all.slice(200).join(" ")])
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T16 T74: is gone with its shard; a stream that is not there is an error", () => {
    const kinesis = streamOf(1)
    return Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const missing = { ...client, getShardIterator: () => Effect.fail(failure("NotFound", "GetShardIterator")) }
      const noStream = { ...missing, listShards: () => Effect.fail(failure("NotFound", "ListShards")) }
      const of = (service: typeof client, shardId: string) =>
        Effect.provideService(pieces("1", "3", shardId), KinesisClient.KinesisClient, service)
      assert.deepStrictEqual(shown(yield* of(missing, "b")), ["[1–3]"])
      assert.strictEqual((yield* Effect.flip(of(missing, "a"))).operation, "GetShardIterator")
      assert.strictEqual((yield* Effect.flip(of(noStream, "b"))).operation, "ListShards")
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect("T17 T74: is looked for from the horizon on where the stream doesn't know its number", () => {
    const kinesis = streamOf(5)
    kinesis.shard("a").records.splice(0, 2)
    return Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const forgetful: typeof client = {
        ...client,
        getShardIterator: (stream, shardId, position) =>
          position._tag === "At"
            ? Effect.fail(failure("Invalid", "GetShardIterator"))
            : client.getShardIterator(stream, shardId, position)
      }
      const found = yield* Effect.provideService(pieces("1", "4"), KinesisClient.KinesisClient, forgetful)
      assert.deepStrictEqual(shown(found), ["[1–2]", "3 4"])
      kinesis.put("a", count(300), 0)
      kinesis.reads.splice(0)
      const late = yield* Effect.provideService(pieces("300", "300"), KinesisClient.KinesisClient, forgetful)
      assert.deepStrictEqual(shown(late), ["300"])
      assert.strictEqual(kinesis.reads.length, 1)
    }).pipe(Effect.provide(kinesis.layer))
  })

  it.effect(
    "T16 T17: is named as gone whatever AWS does to a position that expired, or is of a stream before this one",
    () =>
      Effect.gen(function* () {
        for (const trimmedPositions of ["oldest", "refused", "stuck"] as const) {
          const fake = yield* FakeStreams.make({ streams: [{ name: "s" }], trimmedPositions })
          const stream = fake.stream("s")
          const put = yield* stream.put(...count(5).map((data) => ({ data })))
          const [first = "", , third = "", fourth = "", fifth = ""] = put.map(({ sequenceNumber }) => sequenceNumber)
          const { shardId = "" } = put[0] ?? {}
          const read = Effect.gen(function* () {
            const fiber = yield* Effect.forkChild(pieces(first, fourth, shardId))
            yield* TestClock.adjust("1 minute")
            return shown(yield* Fiber.join(fiber))
          }).pipe(Effect.provide(fake.layer))
          yield* stream.trim(shardId, third)
          assert.deepStrictEqual(yield* read, [`[${first}–${BigInt(third) - 1n}]`, `${third} ${fourth}`])
          yield* stream.trim(shardId, fifth)
          assert.deepStrictEqual(yield* read, [`[${first}–${fourth}]`])
          yield* stream.recreate()
          yield* stream.put({ data: "new" })
          assert.deepStrictEqual(yield* read, [`[${first}–${fourth}]`])
        }
      })
  )
})
