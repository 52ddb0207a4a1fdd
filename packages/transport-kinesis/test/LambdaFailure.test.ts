import { assert, describe, it } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import { Faults } from "@leat/core/testing"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import type * as OnFailure from "../src/eventSourceMapping/OnFailure.ts"
import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisLambda from "../src/KinesisLambda.ts"
import * as LambdaEvent from "../src/LambdaEvent.ts"
import * as LambdaFailure from "../src/LambdaFailure.ts"
import { invalid } from "../src/lambdaFailure/FailureDestinationError.ts"
import * as FailureSource from "../src/lambdaFailure/FailureSource.ts"
import { failure, FakeKinesis } from "./FakeKinesis.ts"
import { about, recorded, streamArn } from "./lambdaFailure/documents.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ id: Schema.String }),
  key: (payload) => payload.id.slice(0, 1),
  id: (payload) => payload.id
})

const order = (id: string) => JSON.stringify({ id })

/** Writes down what it handled; refuses for now what is in `refused`. */
const shopOf = (handled: Array<string>, refused: ReadonlyArray<string> = []) =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ id }) {
        if (refused.includes(id)) yield* new Refused({ retryable: true })
        handled.push(id)
      }
    }
  })

const putOrders = (kinesis: FakeKinesis, shardId: string, ...ids: ReadonlyArray<string>) =>
  kinesis.put(shardId, ids.map(order), 0)

/** Transient failures are reported, as a Lambda has to have it for its mapping to give up. */
const journaled = Layer.merge(Journal.layerMemory, FailurePolicy.layer({ transient: "halt" }))

const quiet = Logger.layer([])

const payloadOf = (...ids: ReadonlyArray<readonly [sequenceNumber: string, id: string]>) =>
  LambdaEvent.make(...ids.map(([sequenceNumber, id]) => ({ sequenceNumber, data: order(id), streamArn })))

const bodies = (...texts: ReadonlyArray<string>) => new Map(texts.map((text, index) => [`m${index + 1}`, text]))

const tags = (letters: ReadonlyArray<LambdaFailure.LetterReport>) => letters.map(({ _tag, id }) => `${id} ${_tag}`)

describe("the redrive of a document", () => {
  it.effect("T74: runs the range, both ends included, and counts what the journal knew", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x0", "x1", "y1", "x2", "x3")
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const worker = shopOf(handled)
      const document = yield* LambdaFailure.parse(about({ shardId: "a", start: "2", end: "4", batchSize: 3 }))
      const first = yield* LambdaFailure.redrive(worker, document)
      assert.deepStrictEqual(handled, ["x1", "y1", "x2"])
      assert.deepInclude(first, { records: 3, gone: [], stopped: undefined })
      assert.deepInclude(first.outcomes, { handled: 3, duplicate: 0, failed: 0 })
      const again = yield* LambdaFailure.redrive(worker, document)
      assert.deepInclude(again.outcomes, { handled: 0, duplicate: 3 })
      assert.strictEqual(handled.length, 3)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("T74: runs what the document carries, and asks no stream", () => {
    const handled: Array<string> = []
    const payload = payloadOf(["18", "x1"], ["19", "x2"])
    return Effect.gen(function* () {
      const document = yield* LambdaFailure.parse(JSON.stringify({ ...recorded, payload: JSON.stringify(payload) }))
      const report = yield* LambdaFailure.redrive(shopOf(handled), document)
      assert.deepStrictEqual(handled, ["x1", "x2"])
      assert.strictEqual(report.records, 2)
    }).pipe(Effect.provide(Layer.mergeAll(new FakeKinesis().layer, journaled)))
  })

  it.effect("T75: knows by its place what the function had parked because it could not be read", () => {
    const kinesis = new FakeKinesis("a")
    kinesis.put("a", ["{nope", order("x1")], 0)
    const handled: Array<string> = []
    const worker = shopOf(handled)
    return Effect.gen(function* () {
      const journal = yield* Journal.Journal
      const lambda = KinesisLambda.make(worker, Layer.mergeAll(Layer.succeed(Journal.Journal, journal), quiet))
      const event = LambdaEvent.make(
        ...kinesis
          .shard("a")
          .records.map(({ data, sequenceNumber }) => ({ data, sequenceNumber, shardId: "a", streamArn }))
      )
      yield* Effect.promise(() => lambda(event, LambdaEvent.context()))
      const document = yield* LambdaFailure.parse(about({ shardId: "a", start: "1", end: "2" }))
      const { outcomes } = yield* LambdaFailure.redrive(worker, document)
      assert.deepInclude(outcomes, { duplicate: 2, handled: 0, parked: 0 })
      assert.deepStrictEqual(handled, ["x1"])
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("stops after the batch that failed, so that nothing of a key overtakes", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "y1", "x2", "x3")
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const document = yield* LambdaFailure.parse(about({ shardId: "a", start: "1", end: "4", batchSize: 4 }))
      const report = yield* LambdaFailure.redrive(shopOf(handled, ["x1"]), document, { batchSize: 2 })
      assert.deepStrictEqual(handled, ["y1"])
      assert.deepInclude(report.outcomes, { handled: 1, failed: 1 })
      assert.deepInclude(report.stopped, { position: "1", retryable: true })
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("says without a journal that what was done runs again", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1")
    const handled: Array<string> = []
    const lines: Array<string> = []
    const logger = Logger.layer([Logger.make(({ message }) => void lines.push(String(message)))])
    return Effect.gen(function* () {
      const document = yield* LambdaFailure.parse(about({ shardId: "a", start: "1" }))
      yield* LambdaFailure.redrive(shopOf(handled), document)
      yield* LambdaFailure.redrive(shopOf(handled), document)
      assert.deepStrictEqual(handled, ["x1", "x1"])
      assert.include(lines[0], "without a journal")
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, Journal.layerNone, logger)))
  })

  it.effect("T16: says loudly which records expired, and runs what is left", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2", "x3")
    kinesis.shard("a").records.shift()
    const handled: Array<string> = []
    const lines: Array<string> = []
    const logger = Logger.layer([
      Logger.make(({ logLevel, message }) => void lines.push(`${logLevel} ${JSON.stringify(message)}`))
    ])
    return Effect.gen(function* () {
      const document = yield* LambdaFailure.parse(about({ shardId: "a", start: "1", end: "3", batchSize: 3 }))
      const report = yield* LambdaFailure.redrive(shopOf(handled), document)
      assert.deepStrictEqual(report.gone, [
        { streamArn, shardId: "a", startSequenceNumber: "1", endSequenceNumber: "1" }
      ])
      assert.deepStrictEqual(handled, ["x2", "x3"])
      assert.match(lines.join(), /^Error .*expired.*"startSequenceNumber":"1"/)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled, logger)))
  })

  it("takes the document of the local event source mapping as it is", () => {
    const local = (document: OnFailure.OnFailure): LambdaFailure.Document => document
    assert.isFunction(local)
  })

  it.effect("T74: says where a message points that holds no document", () => {
    const event = { source: "aws.s3", detail: { bucket: { name: "b" }, object: { key: "k" } } }
    return Effect.gen(function* () {
      const error = yield* Effect.flip(LambdaFailure.parse(JSON.stringify(event)))
      assert.strictEqual(error.reason, "Unresolved")
      assert.include(error.message, "s3://b/k")
    })
  })
})

describe("the redrive of a source", () => {
  it.effect("T74: takes a shard's documents in order, whatever the order they came in, and empties the source", () => {
    const kinesis = new FakeKinesis("a", "b")
    putOrders(kinesis, "a", ...Array.from({ length: 11 }, (_, index) => `x${index + 1}`))
    putOrders(kinesis, "b", "y1")
    const handled: Array<string> = []
    const letters = bodies(
      about({ shardId: "a", start: "10", end: "11", batchSize: 2 }),
      about({ shardId: "b", start: "12" }),
      about({ shardId: "a", start: "9" }),
      about({ shardId: "a", start: "2", end: "3", batchSize: 2 })
    )
    return Effect.gen(function* () {
      const report = yield* LambdaFailure.redriveAll(shopOf(handled), FailureSource.memory(letters))
      assert.deepStrictEqual(
        handled.filter((id) => id.startsWith("x")),
        ["x2", "x3", "x9", "x10", "x11"]
      )
      assert.isTrue(handled.includes("y1"))
      assert.deepInclude(report, { journaled: true, letters: 4, acknowledged: 4, records: 6, kept: [] })
      assert.strictEqual(letters.size, 0)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("keeps what fails and what is behind it on its shard, and runs the other shards", () => {
    const kinesis = new FakeKinesis("a", "b")
    putOrders(kinesis, "a", "x1", "y1", "x2")
    putOrders(kinesis, "b", "z1")
    const handled: Array<string> = []
    const letters = bodies(
      about({ shardId: "a", start: "3" }),
      about({ shardId: "a", start: "1", end: "2", batchSize: 2 }),
      about({ shardId: "b", start: "4" })
    )
    const source = FailureSource.memory(letters)
    return Effect.gen(function* () {
      const report = yield* LambdaFailure.redriveAll(shopOf(handled, ["x1"]), source)
      assert.deepStrictEqual(handled.toSorted(), ["y1", "z1"])
      assert.deepStrictEqual(tags(report.kept).toSorted(), ["m1 Behind", "m2 Failed"])
      assert.deepStrictEqual([...letters.keys()], ["m1", "m2"])

      const mended = yield* LambdaFailure.redriveAll(shopOf(handled), source)
      assert.deepStrictEqual(handled.slice(2), ["x1", "x2"])
      assert.deepInclude(mended.outcomes, { handled: 2, duplicate: 1 })
      assert.strictEqual(letters.size, 0)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("keeps order from round to round: what is behind a failure waits there too", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2")
    const letters = bodies(about({ shardId: "a", start: "1" }), about({ shardId: "a", start: "2" }))
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const source = FailureSource.memory(letters)
      const report = yield* LambdaFailure.redriveAll(shopOf(handled, ["x1"]), source, { atOnce: 1 })
      assert.deepStrictEqual(tags(report.kept), ["m1 Failed", "m2 Behind"])
      assert.deepStrictEqual(handled, [])
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("runs a shard after the shard that it came from, and holds it where that one fails", () => {
    const kinesis = new FakeKinesis("b", "c")
    kinesis.add("a", "b")
    putOrders(kinesis, "b", "x1")
    putOrders(kinesis, "a", "x2")
    putOrders(kinesis, "c", "y1")
    const handled: Array<string> = []
    const letters = bodies(
      about({ shardId: "a", start: "2" }),
      about({ shardId: "b", start: "1" }),
      about({ shardId: "c", start: "3" })
    )
    return Effect.gen(function* () {
      const held = yield* LambdaFailure.redriveAll(shopOf(handled, ["x1"]), FailureSource.memory(letters))
      assert.deepStrictEqual(tags(held.kept), ["m2 Failed", "m1 Behind"])
      yield* LambdaFailure.redriveAll(shopOf(handled), FailureSource.memory(letters))
      assert.deepStrictEqual(handled, ["y1", "x1", "x2"])
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect(
    "regression: holds a shard that comes in a later round than the failure of the one that it came from",
    () => {
      const kinesis = new FakeKinesis("b")
      kinesis.add("a", "b")
      putOrders(kinesis, "b", "x1")
      putOrders(kinesis, "a", "x2")
      const handled: Array<string> = []
      const letters = bodies(about({ shardId: "b", start: "1" }), about({ shardId: "a", start: "2" }))
      return Effect.gen(function* () {
        const source = FailureSource.memory(letters)
        const report = yield* LambdaFailure.redriveAll(shopOf(handled, ["x1"]), source, { atOnce: 1 })
        assert.deepStrictEqual(tags(report.kept), ["m1 Failed", "m2 Behind"])
        assert.deepStrictEqual(handled, [])
      }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
    }
  )

  it.effect("regression: holds it also where the stream can't be asked for its shards, and no other stream's", () => {
    const handled: Array<string> = []
    const body = (stream: string, shardId: string, id: string) => {
      const document = JSON.parse(about({ shardId, start: "1", payload: payloadOf(["1", id]) }))
      const { KinesisBatchInfo: info } = document
      return JSON.stringify({
        ...document,
        KinesisBatchInfo: { ...info, streamArn: `arn:aws:kinesis:us-east-1:000000000000:stream/${stream}` }
      })
    }
    const letters = bodies(
      body("s", "shardId-000000000001", "x1"),
      body("s", "shardId-000000000002", "x2"),
      body("t", "shardId-000000000002", "y1"),
      body("s", "shardId-000000000000", "z1")
    )
    return Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const refusing = { ...client, listShards: () => Effect.fail(failure("AccessDenied", "ListShards")) }
      const report = yield* Effect.provideService(
        LambdaFailure.redriveAll(shopOf(handled, ["x1"]), FailureSource.memory(letters), { atOnce: 1 }),
        KinesisClient.KinesisClient,
        refusing
      )
      assert.deepStrictEqual(tags(report.kept), ["m1 Failed", "m2 Behind"])
      assert.deepStrictEqual(handled, ["y1", "z1"])
    }).pipe(Effect.provide(Layer.mergeAll(new FakeKinesis().layer, journaled)))
  })

  it.effect("runs shards by their ids where the stream can't be asked for its shards", () => {
    const handled: Array<string> = []
    const body = (shardId: string, id: string) => about({ shardId, start: "1", payload: payloadOf(["1", id]) })
    const letters = bodies(body("shardId-000000000002", "x2"), body("shardId-000000000001", "x1"))
    return Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const refusing = { ...client, listShards: () => Effect.fail(failure("AccessDenied", "ListShards")) }
      yield* Effect.provideService(
        LambdaFailure.redriveAll(shopOf(handled), FailureSource.memory(letters)),
        KinesisClient.KinesisClient,
        refusing
      )
      assert.deepStrictEqual(handled, ["x1", "x2"])
    }).pipe(Effect.provide(Layer.mergeAll(new FakeKinesis().layer, journaled)))
  })

  it.effect("T74: leaves and reports what can't be read", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1")
    const letters = bodies("{nope", about({ shardId: "a", start: "1" }))
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const report = yield* LambdaFailure.redriveAll(shopOf(handled), FailureSource.memory(letters))
      const [kept] = report.kept
      assert.strictEqual(kept?._tag === "Unreadable" ? kept.error.reason : undefined, "NotJson")
      assert.deepInclude(report, { letters: 2, acknowledged: 1 })
      assert.deepStrictEqual([...letters.keys()], ["m1"])
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("T16: keeps a letter whose records expired, and lets it go where that is wanted", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2", "x3")
    kinesis.shard("a").records.splice(0, 1)
    const letters = bodies(about({ shardId: "a", start: "1", end: "2" }), about({ shardId: "a", start: "3" }))
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const source = FailureSource.memory(letters)
      const report = yield* LambdaFailure.redriveAll(shopOf(handled), source)
      assert.deepStrictEqual(handled, ["x2", "x3"])
      assert.deepStrictEqual(tags(report.kept), ["m1 Expired"])
      assert.strictEqual(report.gone.length, 1)
      const last = yield* LambdaFailure.redriveAll(shopOf(handled), source, { expired: "acknowledge" })
      assert.deepInclude(last, { acknowledged: 1, kept: [] })
      assert.strictEqual(last.gone.length, 1)
      assert.strictEqual(letters.size, 0)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled, quiet)))
  })

  it.effect("T75: repeats a letter after a crash before its acknowledgement, and handles nothing again", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2")
    const letters = bodies(about({ shardId: "a", start: "1", end: "2", batchSize: 2 }))
    const handled: Array<string> = []
    const source = FailureSource.memory(letters)
    const crashing: FailureSource.FailureSource = {
      open: Effect.map(
        source.open,
        (next): FailureSource.Next =>
          (size) =>
            Effect.map(next(size), (found) =>
              found.map((letter) => ({
                ...letter,
                acknowledge: Effect.die(new Faults.Crashed({ message: "before the acknowledgement" }))
              }))
            )
      )
    }
    return Effect.gen(function* () {
      const exit = yield* Effect.exit(LambdaFailure.redriveAll(shopOf(handled), crashing))
      assert.isTrue(Exit.isFailure(exit))
      assert.strictEqual(letters.size, 1)
      const { outcomes } = yield* LambdaFailure.redriveAll(shopOf(handled), source)
      assert.deepInclude(outcomes, { handled: 0, duplicate: 2 })
      assert.deepStrictEqual(handled, ["x1", "x2"])
      assert.strictEqual(letters.size, 0)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("goes on where one letter could not be taken out, and says so", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2")
    const letters = bodies(about({ shardId: "a", start: "1" }), about({ shardId: "a", start: "2" }))
    const source = FailureSource.memory(letters)
    const stubborn: FailureSource.FailureSource = {
      open: Effect.map(
        source.open,
        (next): FailureSource.Next =>
          (size) =>
            Effect.map(next(size), ([first, ...others]) =>
              first === undefined
                ? []
                : [{ ...first, acknowledge: Effect.fail(invalid("DeleteMessage", "no")) }, ...others]
            )
      )
    }
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const told: Array<LambdaFailure.LetterReport> = []
      const report = yield* LambdaFailure.redriveAll(shopOf(handled), stubborn, {
        onLetter: (letter) => Effect.sync(() => void told.push(letter))
      })
      assert.deepStrictEqual(handled, ["x1", "x2"])
      assert.deepStrictEqual(tags(report.kept), ["m1 Unacknowledged"])
      assert.deepStrictEqual(tags(told), ["m1 Unacknowledged", "m2 Acknowledged"])
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("takes no more than its limit", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2", "x3")
    const letters = bodies(...["1", "2", "3"].map((start) => about({ shardId: "a", start })))
    const handled: Array<string> = []
    return Effect.gen(function* () {
      const source = FailureSource.memory(letters)
      const report = yield* LambdaFailure.redriveAll(shopOf(handled), source, { limit: 2 })
      assert.strictEqual(report.letters, 2)
      assert.deepStrictEqual(handled, ["x1", "x2"])
      assert.deepStrictEqual([...letters.keys()], ["m3"])
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("refuses options that would never end or never begin, before it opens its source", () => {
    const closed: FailureSource.FailureSource = { open: Effect.die("opened") }
    return Effect.gen(function* () {
      for (const options of [{ batchSize: 0 }, { atOnce: 0.5 }, { concurrency: -1 }, { limit: Number.NaN }]) {
        const error = yield* Effect.flip(LambdaFailure.redriveAll(shopOf([]), closed, options))
        assert.strictEqual(error.reason, "Option")
        assert.strictEqual("member" in error ? error.member : undefined, Object.keys(options)[0])
      }
    }).pipe(Effect.provide(Layer.mergeAll(new FakeKinesis().layer, journaled)))
  })

  it.effect("holds a shard whose stream can't be read, with its reason, after its retries", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1", "x2")
    kinesis.failures.push(...Array.from({ length: 20 }, () => "Throttled" as const))
    const letters = bodies(about({ shardId: "a", start: "1" }), about({ shardId: "a", start: "2" }))
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(LambdaFailure.redriveAll(shopOf([]), FailureSource.memory(letters)))
      yield* TestClock.adjust("1 minute")
      const { kept } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(tags(kept), ["m1 Failed", "m2 Behind"])
      assert.deepInclude(kept[0]?.documents[0]?.stopped, { position: "1", retryable: true })
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, journaled)))
  })

  it.effect("ends with the journal's error, and leaves the letter", () => {
    const kinesis = new FakeKinesis("a")
    putOrders(kinesis, "a", "x1")
    const letters = bodies(about({ shardId: "a", start: "1" }))
    const failing = Faults.layer(journaled, [Faults.failureBeforeCommit(Faults.at(1))])
    return Effect.gen(function* () {
      const error = yield* Effect.flip(LambdaFailure.redriveAll(shopOf([]), FailureSource.memory(letters)))
      assert.strictEqual(error._tag, "JournalError")
      assert.strictEqual(letters.size, 1)
    }).pipe(Effect.provide(Layer.mergeAll(kinesis.layer, failing)))
  })

  it.effect("T74: reads the objects that a message points at as one letter", () => {
    const handled: Array<string> = []
    const texts = new Map([
      ["one", about({ shardId: "a", start: "1", payload: payloadOf(["1", "x1"]) })],
      ["two", about({ shardId: "b", start: "2", payload: payloadOf(["2", "y1"]) })]
    ])
    const word = (key: string) => ({ s3: { bucket: { name: "given-up" }, object: { key } } })
    const letters = bodies(
      JSON.stringify({ Records: [word("one"), word("two")] }),
      JSON.stringify({ Records: [word("three")] })
    )
    const objects: FailureSource.ReadObject = ({ key }) => {
      const text = texts.get(key)
      return text === undefined ? Effect.fail(invalid("GetObject", "no such key")) : Effect.succeed(text)
    }
    return Effect.gen(function* () {
      const source = FailureSource.memory(letters, objects)
      const report = yield* LambdaFailure.redriveAll(shopOf(handled, ["y1"]), source)
      assert.deepStrictEqual(handled, ["x1"])
      assert.deepStrictEqual(tags(report.kept), ["m2 Unreadable", "m1 Failed"])
      const mended = yield* LambdaFailure.redriveAll(shopOf(handled), source)
      assert.deepInclude(mended.outcomes, { handled: 1, duplicate: 1 })
      assert.deepStrictEqual([...letters.keys()], ["m2"])
    }).pipe(Effect.provide(Layer.mergeAll(new FakeKinesis("a", "b").layer, journaled)))
  })
})
