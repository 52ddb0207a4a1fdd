import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import type * as Fetcher from "../../src/Fetcher.ts"
import * as Cursor from "../../src/fetcher/Cursor.ts"
import * as Pace from "../../src/fetcher/Pace.ts"
import * as Polling from "../../src/fetcher/Polling.ts"
import type * as KinesisClient from "../../src/KinesisClient.ts"
import type * as KinesisError from "../../src/KinesisError.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"

const first = "shardId-000000000000"
const second = "shardId-000000000001"
const mebibyte = 1024 * 1024
const oldest: KinesisClient.Position = { _tag: "TrimHorizon" }

const text = ({ data }: KinesisClient.Record) => new TextDecoder().decode(data)
const numbers = (length: number, from = 0) => Array.from({ length }, (_, index) => ({ data: String(from + index) }))

/** A fake, and a reading of its first shard by a consumer that takes what comes. */
const reading = Effect.fnUntraced(function* (
  fake: FakeKinesis.Options = {},
  options: Polling.Options = {},
  from: KinesisClient.Position = oldest,
  before: (kinesis: FakeKinesis.FakeKinesis["Service"]) => Effect.Effect<unknown, KinesisError.KinesisError> = () =>
    Effect.void
) {
  const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }], ...fake })
  yield* Effect.orDie(before(kinesis))
  const events: Array<Fetcher.FetcherEvent> = []
  const pages: Array<Fetcher.Page> = []
  const read = (position: KinesisClient.Position) =>
    Polling.make(kinesis.client, options).read({
      stream: "s",
      shardId: first,
      from: position,
      onEvent: (event) => void events.push(event)
    })
  const fiber = yield* Effect.forkChild(
    Stream.runForEach(read(from), (page) => Effect.sync(() => void pages.push(page)))
  )
  return {
    kinesis,
    stream: kinesis.stream("s"),
    events,
    read,
    fiber,
    texts: () => pages.flatMap(({ records }) => records.map(text)),
    asked: () => kinesis.callsOf("GetRecords", first).map(({ at }) => at),
    positions: () => kinesis.callsOf("GetShardIterator", first).map(({ asked }) => asked)
  }
})

const put = (count: number) => (kinesis: FakeKinesis.FakeKinesis["Service"]) =>
  kinesis.stream("s").put(...numbers(count))

describe("the pace of a poller", () => {
  it.effect("T42: is one read a second at the tip, and five a second behind it", () =>
    Effect.gen(function* () {
      const { asked, stream, texts } = yield* reading({ limits: {} }, { maxRecords: 2 }, oldest, put(5))
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(texts(), ["0", "1", "2", "3", "4"])
      assert.deepStrictEqual(asked(), [0, 200, 400, 1400, 2400])
      yield* stream.put({ data: "5" })
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(texts().at(-1), "5")
    })
  )

  it.effect("T42: pays a page of 10 MiB back before the next read, so that AWS never refuses one", () =>
    Effect.gen(function* () {
      const big = { data: new Uint8Array(mebibyte - 1) }
      const { asked, kinesis } = yield* reading({ limits: {} }, {}, oldest, (fake) =>
        fake.stream("s").put(...Array.from({ length: 25 }, () => big))
      )
      yield* TestClock.adjust("11 seconds")
      assert.deepStrictEqual(asked().slice(0, 3), [0, 5000, 10_000])
      assert.isTrue(kinesis.calls.every(({ outcome }) => outcome === "Done"))
    })
  )

  it.effect("T42: rests for a second at least after a throttled call, and longer each time it happens again", () =>
    Effect.gen(function* () {
      const throttled = Array.from({ length: 4 }, () => FakeKinesis.fail("Throttled"))
      const { asked, events, texts } = yield* reading({}, {}, oldest, (kinesis) =>
        Effect.andThen(put(1)(kinesis), kinesis.fault({ operation: "GetRecords" }, ...throttled))
      )
      yield* TestClock.adjust("30 seconds")
      const pauses = asked()
        .slice(1, 5)
        .map((at, index) => at - (asked()[index] ?? 0))
      pauses.forEach((pause, index) => {
        assert.isAtLeast(pause, 1000 * 2 ** index)
        assert.isAtMost(pause, 1400 * 2 ** index)
      })
      assert.strictEqual(pauses.length, 4)
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        Array(4).fill("FetchFailed")
      )
      assert.deepStrictEqual(texts(), ["0"])
    })
  )

  it("rests half a minute at most, up to 40 % longer by chance", () => {
    assert.deepStrictEqual(
      [Pace.rest("Unavailable", 1, 0), Pace.rest("Throttled", 1, 0), Pace.rest("Throttled", 40, 1)],
      [200, 1000, 42_000]
    )
  })

  it.effect("T43: an empty page behind the tip is followed by the next at once", () =>
    Effect.gen(function* () {
      const { asked, texts } = yield* reading({}, {}, oldest, (kinesis) =>
        Effect.andThen(
          put(1)(kinesis),
          kinesis.fault({ operation: "GetRecords" }, ...Array(3).fill(FakeKinesis.nothing))
        )
      )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(texts(), ["0"])
      assert.deepStrictEqual(asked(), [0, 200, 400, 600])
    })
  )
})

describe("the position of a poller", () => {
  it.effect("T11: LATEST is resolved once: an iterator that is lost before the first record jumps over nothing", () =>
    Effect.gen(function* () {
      const { events, positions, stream, texts } = yield* reading({}, {}, { _tag: "Latest" }, (kinesis) =>
        Effect.andThen(
          put(1)(kinesis),
          kinesis.fault({ operation: "GetRecords" }, ...Array(20).fill(FakeKinesis.fail("Unavailable")))
        )
      )
      yield* TestClock.adjust("10 seconds")
      yield* stream.put({ data: "new" })
      yield* TestClock.adjust("15 minutes")
      const [asked, ...renewed] = positions()
      assert.deepStrictEqual(asked, { _tag: "Latest" })
      assert.isAbove(renewed.length, 0)
      for (const position of renewed) assert.deepStrictEqual(position, { _tag: "AtTimestamp", at: 0 })
      assert.deepStrictEqual(texts(), ["0", "new"])
      assert.isTrue(events.every(({ _tag }) => _tag === "FetchFailed"))
    })
  )

  it.effect("T15: a time is asked for again with its time", () =>
    Effect.gen(function* () {
      const { positions, texts } = yield* reading({}, {}, { _tag: "AtTimestamp", at: 0 }, (kinesis) =>
        Effect.andThen(put(2)(kinesis), kinesis.fault({ operation: "GetRecords" }, FakeKinesis.fail("ExpiredIterator")))
      )
      yield* TestClock.adjust("1 second")
      const asked = { _tag: "AtTimestamp", at: 0 }
      assert.deepStrictEqual(positions(), [asked, asked])
      assert.deepStrictEqual(texts(), ["0", "1"])
    })
  )

  it.effect("a time that AWS's clock has not reached yet is asked for again until it has", () =>
    Effect.gen(function* () {
      const ahead = FakeKinesis.fail("Invalid", "The timestampInMillis parameter cannot be greater than …")
      const { fiber, texts } = yield* reading({}, {}, { _tag: "AtTimestamp", at: 0 }, (kinesis) =>
        Effect.andThen(put(1)(kinesis), kinesis.fault({ operation: "GetShardIterator" }, ahead, ahead))
      )
      yield* TestClock.adjust("3 seconds")
      assert.deepStrictEqual(texts(), ["0"])
      assert.isUndefined(fiber.pollUnsafe())
    })
  )

  it.effect("T16: one that AWS refuses as too old goes on at the oldest record, and says so", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }], trimmedPositions: "refused" })
      const placed = yield* kinesis.stream("s").put(...numbers(3))
      yield* kinesis.stream("s").trim(first, placed[2]?.sequenceNumber)
      const events: Array<Fetcher.FetcherEvent> = []
      const pages = yield* Polling.make(kinesis.client)
        .read({
          stream: "s",
          shardId: first,
          from: { _tag: "After", sequenceNumber: placed[0]?.sequenceNumber ?? "" },
          onEvent: (event) => void events.push(event)
        })
        .pipe(Stream.take(1), Stream.runCollect, Effect.forkChild)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        (yield* Fiber.join(pages)).flatMap(({ records }) => records.map(text)),
        ["2"]
      )
      assert.deepStrictEqual(
        events.map(({ _tag }) => _tag),
        ["RecordsTrimmed"]
      )
    })
  )

  it.effect("T16: one that leads into the void of expired records is left for the oldest record, and says so", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }], trimmedPositions: "stuck" })
      const placed = yield* kinesis.stream("s").put(...numbers(3))
      yield* kinesis.stream("s").trim(first, placed[2]?.sequenceNumber)
      const events: Array<Fetcher.FetcherEvent> = []
      const pages = yield* Polling.make(kinesis.client)
        .read({
          stream: "s",
          shardId: first,
          from: { _tag: "At", sequenceNumber: placed[0]?.sequenceNumber ?? "" },
          onEvent: (event) => void events.push(event)
        })
        .pipe(
          Stream.filter(({ records }) => records.length > 0),
          Stream.take(1),
          Stream.runCollect,
          Effect.forkChild
        )
      yield* TestClock.adjust("5 seconds")
      assert.deepStrictEqual(
        (yield* Fiber.join(pages)).flatMap(({ records }) => records.map(text)),
        ["2"]
      )
      assert.strictEqual(events[0]?._tag, "RecordsTrimmed")
    })
  )

  it.effect("T16: records that expire while a slow consumer holds the reading back are missed aloud", () =>
    Effect.gen(function* () {
      const { kinesis, read, events } = yield* reading({}, { readAhead: { records: 1 } }, oldest, put(4))
      const pull = yield* Stream.toPull(read(oldest))
      const take = Effect.map(pull, ([page]) => page.records.map(text))
      assert.deepStrictEqual(yield* take, ["0"])
      const placed = yield* kinesis.stream("s").records(first)
      yield* TestClock.adjust("10 minutes")
      yield* kinesis.stream("s").trim(first, placed[3]?.sequenceNumber)
      assert.deepStrictEqual(yield* take, ["1"])
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* take, ["3"])
      assert.strictEqual(events[0]?._tag, "RecordsTrimmed")
    }).pipe(Effect.scoped)
  )

  it.effect("T18: one of another shard fails, and is not read on from somewhere else", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }] })
      const [placed] = yield* kinesis.stream("s").put({ data: "1", shardId: second })
      const error = yield* Polling.make(kinesis.client)
        .read({
          stream: "s",
          shardId: first,
          from: { _tag: "After", sequenceNumber: placed?.sequenceNumber ?? "" },
          onEvent: () => {}
        })
        .pipe(Stream.runDrain, Effect.flip)
      assert.deepStrictEqual([error.reason, error.operation], ["Invalid", "GetShardIterator"])
      assert.strictEqual(kinesis.callsOf("GetShardIterator").length, 1)
    })
  )

  it.effect("T44: an iterator that grows old under a slow consumer is renewed after the last record it gave", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const placed = yield* kinesis.stream("s").put(...numbers(3))
      const events: Array<Fetcher.FetcherEvent> = []
      const pull = yield* Polling.make(kinesis.client, { readAhead: { records: 1 } })
        .read({ stream: "s", shardId: first, from: oldest, onEvent: (event) => void events.push(event) })
        .pipe(
          Stream.filter(({ records }) => records.length > 0),
          Stream.toPull
        )
      const take = Effect.map(pull, ([page]) => page.records.map(text))
      assert.deepStrictEqual(yield* take, ["0"])
      // Not yet expired, but too near to it.
      yield* TestClock.adjust("280 seconds")
      assert.deepStrictEqual(yield* take, ["1"])
      const waiting = yield* Effect.forkChild(take)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(yield* Fiber.join(waiting), ["2"])
      assert.deepStrictEqual(
        kinesis.callsOf("GetShardIterator").map(({ asked }) => asked),
        [oldest, { _tag: "At", sequenceNumber: placed[1]?.sequenceNumber }]
      )
      assert.deepStrictEqual(events, [])
      assert.isTrue(kinesis.calls.every(({ outcome }) => outcome === "Done"))
    }).pipe(Effect.scoped)
  )

  it.effect("T44: an iterator that expired all the same is renewed at once, without a repeat and without a gap", () =>
    Effect.gen(function* () {
      const { asked, events, texts } = yield* reading({}, { maxRecords: 2 }, oldest, (kinesis) =>
        Effect.andThen(
          put(4)(kinesis),
          kinesis.fault({ operation: "GetRecords" }, FakeKinesis.pass, FakeKinesis.fail("ExpiredIterator"))
        )
      )
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(texts(), ["0", "1", "2", "3"])
      assert.deepStrictEqual(asked().slice(0, 3), [0, 200, 200])
      assert.deepStrictEqual(events, [{ _tag: "IteratorRenewed", shardId: first }])
    })
  )
})

describe("a slow consumer", () => {
  it.effect("T45: holds reading back when so many records wait", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      yield* kinesis.stream("s").put(...numbers(100))
      const pull = yield* Polling.make(kinesis.client, { readAhead: { records: 10 }, maxRecords: 4 })
        .read({ stream: "s", shardId: first, from: oldest, onEvent: () => {} })
        .pipe(Stream.toPull)
      const take = Effect.map(pull, ([page]) => page.records.map(text))
      assert.deepStrictEqual(yield* take, ["0", "1", "2", "3"])
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        kinesis.callsOf("GetRecords").map(({ asked }) => asked),
        [4, 4, 4, 2]
      )
      assert.deepStrictEqual(yield* take, ["4", "5", "6", "7"])
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(kinesis.callsOf("GetRecords").length, 5)
    }).pipe(Effect.scoped)
  )

  it.effect("T45: holds reading back when so many bytes wait", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", maxRecordBytes: 10 * mebibyte }] })
      const big = { data: new Uint8Array(10 * mebibyte - 1) }
      yield* kinesis.stream("s").put(...Array.from({ length: 5 }, () => big))
      const pull = yield* Polling.make(kinesis.client)
        .read({ stream: "s", shardId: first, from: oldest, onEvent: () => {} })
        .pipe(Stream.toPull)
      yield* pull
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(kinesis.callsOf("GetRecords").length, 2)
    }).pipe(Effect.scoped)
  )

  it.effect("finds one page with the newest lag after a long time at the tip, not one for each poll", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      const pull = yield* Polling.make(kinesis.client)
        .read({ stream: "s", shardId: first, from: oldest, onEvent: () => {} })
        .pipe(Stream.toPull)
      yield* pull
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(yield* pull, [{ records: [], millisBehindLatest: 0 }])
      const waiting = yield* Effect.forkChild(pull)
      yield* TestClock.adjust("900 millis")
      assert.isUndefined(waiting.pollUnsafe())
    }).pipe(Effect.scoped)
  )

  it.effect("an idle shard costs one call a second", () =>
    Effect.gen(function* () {
      const { asked } = yield* reading()
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual(asked().length, 601)
    })
  )
})

describe("a poller that can't go on", () => {
  for (const namesChildren of [true, false]) {
    it.effect(
      `T22, T24: completes at the end of a closed shard ${namesChildren ? "with" : "without"} its children`,
      () =>
        Effect.gen(function* () {
          const { fiber, stream, texts } = yield* reading(
            { streams: [{ name: "s", namesChildren }] },
            {},
            oldest,
            put(1)
          )
          yield* TestClock.adjust("5 seconds")
          assert.isUndefined(fiber.pollUnsafe())
          yield* stream.split(first)
          yield* TestClock.adjust("1 second")
          yield* Fiber.join(fiber)
          assert.deepStrictEqual(texts(), ["0"])
        })
    )
  }

  it.effect("T22: completes on a closed shard that never had a record", () =>
    Effect.gen(function* () {
      const { fiber, texts } = yield* reading({}, {}, oldest, (kinesis) => kinesis.stream("s").split(first))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(texts(), [])
    })
  )

  for (const reason of ["AccessDenied", "Encryption", "NotFound", "Unknown"] as const) {
    it.effect(`T50: fails with ${reason}, after what it had read`, () =>
      Effect.gen(function* () {
        const { events, fiber, texts } = yield* reading({}, { maxRecords: 1 }, oldest, (kinesis) =>
          Effect.andThen(
            put(2)(kinesis),
            kinesis.fault({ operation: "GetRecords" }, FakeKinesis.pass, FakeKinesis.fail(reason))
          )
        )
        yield* TestClock.adjust("1 second")
        const error = yield* Effect.flip(Fiber.join(fiber))
        assert.strictEqual(error.reason, reason)
        assert.deepStrictEqual([texts(), events], [["0"], []])
      })
    )
  }

  it.effect("T50: tries what may succeed later for ever, each time aloud", () =>
    Effect.gen(function* () {
      const { events, fiber, texts } = yield* reading({}, {}, oldest, (kinesis) =>
        Effect.andThen(
          put(1)(kinesis),
          kinesis.fault({ operation: "GetRecords" }, ...Array(50).fill(FakeKinesis.fail("Unavailable")))
        )
      )
      yield* TestClock.adjust("10 minutes")
      assert.isUndefined(fiber.pollUnsafe())
      assert.isAbove(events.length, 10)
      yield* TestClock.adjust("30 minutes")
      assert.strictEqual(events.length, 50)
      assert.deepStrictEqual(texts(), ["0"])
    })
  )

  it.effect("stops asking when nobody reads any more", () =>
    Effect.gen(function* () {
      const { asked, fiber } = yield* reading()
      yield* TestClock.adjust("2 seconds")
      yield* Fiber.interrupt(fiber)
      const before = asked().length
      yield* TestClock.adjust("1 minute")
      assert.strictEqual(asked().length, before)
    })
  )
})

describe("where reading stands", () => {
  it("regression: a beginning that lies pages before what was delivered gives none of it again", () => {
    const page = (...sequenceNumbers: ReadonlyArray<string>): ReadonlyArray<KinesisClient.Record> =>
      sequenceNumbers.map((sequenceNumber) => ({ sequenceNumber, partitionKey: "k", data: Buffer.of(), arrival: 0 }))
    const position = { _tag: "After", sequenceNumber: "5" } as const
    const first = Cursor.accept(Cursor.toOldest({ position, delivered: "5", fresh: false }), page("1", "2"))
    const second = Cursor.accept(first.cursor, page("3", "4", "5", "6"))
    const third = Cursor.accept(second.cursor, page("7"))
    assert.deepStrictEqual([first.records, second.records, third.records], [[], page("6"), page("7")])
    assert.deepStrictEqual([first.gap, second.gap, third.gap], [undefined, undefined, undefined])
  })
})

describe("a page after a page", () => {
  it.effect("ends the pull once, and again when it is pulled again", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s" }] })
      yield* kinesis.stream("s").split(first)
      const pull = yield* Polling.make(kinesis.client)
        .read({ stream: "s", shardId: first, from: oldest, onEvent: () => {} })
        .pipe(Stream.toPull)
      yield* pull
      const done = Pull.catchDone(Effect.as(pull, "page"), () => Effect.succeed("done"))
      assert.deepStrictEqual([yield* done, yield* done], ["done", "done"])
    }).pipe(Effect.scoped)
  )
})
