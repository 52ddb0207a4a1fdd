import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as FakeKinesis from "../src/testing/FakeKinesis.ts"

const first = "shardId-000000000000"
const second = "shardId-000000000001"
const fiveMinutes = 5 * 60_000

const texts = (records: ReadonlyArray<{ readonly data: Uint8Array }>) =>
  records.map(({ data }) => new TextDecoder().decode(data))

const entry = (data: string, partitionKey = "k") => ({ data: new TextEncoder().encode(data), partitionKey })

const one = { streams: [{ name: "s" }] }
const two = { streams: [{ name: "s", shards: 2 }] }

describe("records of a fake Kinesis", () => {
  it.effect("go where the MD5 of their key or their explicit hash key says, and have AWS's 56 digits", () =>
    Effect.gen(function* () {
      const { client } = yield* FakeKinesis.make(two)
      // MD5("a") begins with 0c, that of "b" with 92.
      const results = yield* client.putRecords("s", [
        entry("1", "a"),
        entry("2", "b"),
        { ...entry("3", "b"), explicitHashKey: "0" }
      ])
      assert.deepStrictEqual(
        results.map((put) => (put._tag === "Accepted" ? [put.shardId, put.sequenceNumber.length] : put)),
        [
          [first, 56],
          [second, 56],
          [first, 56]
        ]
      )
    })
  )

  it.effect("are refused as a request when AWS would refuse them", () =>
    Effect.gen(function* () {
      const { client } = yield* FakeKinesis.make(one)
      const mebibyte = 1024 * 1024
      const tooBig = { data: new Uint8Array(mebibyte), partitionKey: "k" }
      for (const entries of [
        [],
        Array.from({ length: 501 }, () => entry("x")),
        [tooBig],
        [entry("x", "")],
        [entry("x", "k".repeat(257))],
        [{ ...entry("x"), explicitHashKey: String(1n << 128n) }],
        Array.from({ length: 11 }, () => ({ data: new Uint8Array(mebibyte - 1), partitionKey: "k" }))
      ]) {
        const error = yield* Effect.flip(client.putRecords("s", entries))
        assert.strictEqual(error.reason, "Invalid")
      }
      assert.strictEqual((yield* Effect.flip(client.putRecords("other", [entry("x")]))).reason, "NotFound")
    })
  )

  it.effect("beyond what a shard takes in a second are refused one by one, and accepted a second later", () =>
    Effect.gen(function* () {
      const { client } = yield* FakeKinesis.make({ ...one, limits: {} })
      const batch = Array.from({ length: 400 }, (_, index) => entry(String(index)))
      const rejected = Effect.map(
        client.putRecords("s", batch),
        (results) => results.filter(({ _tag }) => _tag === "Rejected").length
      )
      assert.deepStrictEqual([yield* rejected, yield* rejected, yield* rejected], [0, 0, 200])
      yield* TestClock.adjust("1 second")
      assert.strictEqual(yield* rejected, 0)
    })
  )

  it.effect("are spread over all shards whatever their key under RecordDistributionStrategy=AUTO", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make(two)
      yield* stream("s").configure({ ignoresPartitionKeys: true })
      const results = yield* client.putRecords("s", [entry("1"), entry("2")])
      assert.strictEqual(new Set(results.map((put) => (put._tag === "Accepted" ? put.shardId : ""))).size, 2)
      assert.isTrue((yield* client.describeStreamSummary("s")).ignoresPartitionKeys)
    })
  )
})

describe("reading a fake Kinesis", () => {
  it.effect("begins at every kind of position and says how far behind it is", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make(one)
      const placed = yield* stream("s").put({ data: "1" }, { data: "2" })
      yield* TestClock.adjust("1 second")
      yield* stream("s").put({ data: "3" })
      const read = (position: Parameters<typeof client.getShardIterator>[2]) =>
        Effect.gen(function* () {
          const page = yield* client.getRecords(yield* client.getShardIterator("s", first, position), 2)
          return [texts(page.records), page.millisBehindLatest] as const
        })
      yield* TestClock.adjust("1 second")
      const sequenceNumber = placed[1]?.sequenceNumber ?? ""
      assert.deepStrictEqual(yield* read({ _tag: "TrimHorizon" }), [["1", "2"], 1000])
      assert.deepStrictEqual(yield* read({ _tag: "At", sequenceNumber }), [["2", "3"], 0])
      assert.deepStrictEqual(yield* read({ _tag: "After", sequenceNumber }), [["3"], 0])
      assert.deepStrictEqual(yield* read({ _tag: "AtTimestamp", at: 1 }), [["3"], 0])
      assert.deepStrictEqual(yield* read({ _tag: "Latest" }), [[], 0])
    })
  )

  it.effect("T18: a position of another shard, or of a stream that was deleted, is refused", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make(two)
      const [placed] = yield* stream("s").put({ data: "1", shardId: first })
      const at = { _tag: "After", sequenceNumber: placed?.sequenceNumber ?? "" } as const
      const refused = (shardId: string) =>
        Effect.map(Effect.flip(client.getShardIterator("s", shardId, at)), (e) => e.reason)
      assert.strictEqual(yield* refused(second), "Invalid")
      yield* TestClock.adjust("1 minute")
      yield* stream("s").recreate()
      yield* stream("s").put({ data: "1", shardId: first })
      assert.strictEqual(yield* refused(first), "Invalid")
      assert.strictEqual((yield* client.describeStreamSummary("s")).createdAt, 60_000)
    })
  )

  it.effect("an iterator expires after five minutes", () =>
    Effect.gen(function* () {
      const { client } = yield* FakeKinesis.make(one)
      const iterator = yield* client.getShardIterator("s", first, { _tag: "TrimHorizon" })
      yield* TestClock.adjust(fiveMinutes)
      yield* client.getRecords(iterator, 1)
      yield* TestClock.adjust(1)
      assert.strictEqual((yield* Effect.flip(client.getRecords(iterator, 1))).reason, "ExpiredIterator")
    })
  )

  it.effect("five times a second, and a page of 10 MiB is paid back before the next", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make({ ...one, limits: {} })
      const read = Effect.flatMap(client.getShardIterator("s", first, { _tag: "TrimHorizon" }), (iterator) =>
        client.getRecords(iterator, 10_000)
      )
      for (let index = 0; index < 5; index++) yield* read
      assert.strictEqual((yield* Effect.flip(read)).reason, "Throttled")
      yield* TestClock.adjust("1 second")
      const big = { data: new Uint8Array(1024 * 1024 - 1), partitionKey: "k" }
      yield* stream("s").put(...Array.from({ length: 12 }, () => big))
      assert.strictEqual((yield* read).records.length, 10)
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* Effect.flip(read)).reason, "Throttled")
      yield* TestClock.adjust("2 seconds")
      yield* read
    })
  )

  it.effect("what is older than the retention is gone, and so is a closed shard", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make(one)
      yield* stream("s").put({ data: "1" })
      yield* stream("s").split(first)
      yield* TestClock.adjust("23 hours")
      yield* stream("s").put({ data: "2", shardId: second })
      assert.strictEqual((yield* client.listShards("s")).length, 3)
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(
        (yield* client.listShards("s")).map(({ parents, shardId }) => [shardId, parents]),
        [
          [second, [first]],
          ["shardId-000000000002", [first]]
        ]
      )
      assert.strictEqual(
        (yield* Effect.flip(client.getShardIterator("s", first, { _tag: "TrimHorizon" }))).reason,
        "NotFound"
      )
      assert.deepStrictEqual(texts(yield* stream("s").records(second)), ["2"])
    })
  )
})

describe("a stream that is made", () => {
  it.effect("is CREATING for a second, and its name is taken", () =>
    Effect.gen(function* () {
      const { client } = yield* FakeKinesis.make()
      yield* client.createStream("s", 2)
      assert.strictEqual((yield* client.describeStreamSummary("s")).status, "CREATING")
      assert.strictEqual((yield* Effect.flip(client.listShards("s"))).reason, "NotFound")
      assert.strictEqual((yield* Effect.flip(client.createStream("s", 1))).reason, "InUse")
      yield* TestClock.adjust("1 second")
      const { openShards, status, streamArn } = yield* client.describeStreamSummary("s")
      assert.deepStrictEqual([openShards, status], [2, "ACTIVE"])
      assert.strictEqual((yield* client.listShards(streamArn)).length, 2)
    })
  )
})

describe("resharding a fake Kinesis", () => {
  it.effect("T24: a closed shard ends with no iterator, and names its children unless it is told not to", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make(two)
      yield* stream("s").put({ data: "1", shardId: first })
      const merged = yield* stream("s").merge(first, second)
      const read = Effect.flatMap(client.getShardIterator("s", first, { _tag: "TrimHorizon" }), (iterator) =>
        client.getRecords(iterator, 10)
      )
      const named = yield* read
      assert.deepStrictEqual([texts(named.records), named.next, named.children], [["1"], undefined, [merged]])
      yield* stream("s").configure({ namesChildren: false })
      assert.deepStrictEqual((yield* read).children, [])
      const child = (yield* client.listShards("s")).find(({ shardId }) => shardId === merged)
      assert.deepStrictEqual(child?.parents, [first, second])
      assert.deepStrictEqual(child?.hashRange, { start: 0n, end: (1n << 128n) - 1n })
    })
  )

  it.effect("T29: two shards become three over two that live for a moment only", () =>
    Effect.gen(function* () {
      const { client, stream } = yield* FakeKinesis.make(two)
      const open = yield* stream("s").updateShardCount(3)
      const shards = yield* client.listShards("s")
      assert.strictEqual(shards.length, 7)
      assert.deepStrictEqual(
        shards
          .filter(({ closed }) => !closed)
          .map(({ shardId }) => shardId)
          .toSorted(),
        open.toSorted()
      )
      const shortLived = shards.filter(({ closed, parents }) => closed && parents.length > 0)
      assert.strictEqual(shortLived.length, 2)
      const sorted = shards.filter(({ closed }) => !closed).map(({ hashRange }) => hashRange)
      sorted.sort((left, right) => (left.start < right.start ? -1 : 1))
      sorted.forEach((range, index) =>
        assert.strictEqual(range.start, index === 0 ? 0n : (sorted[index - 1]?.end ?? 0n) + 1n)
      )
      assert.strictEqual((yield* Effect.flip(stream("s").updateShardCount(7))).reason, "Invalid")
    })
  )

  it.effect("T27: shards come in pages, and a page that fails fails the listing", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 5 }], shardsPerPage: 2 })
      assert.strictEqual((yield* kinesis.client.listShards("s")).length, 5)
      assert.strictEqual(kinesis.callsOf("ListShards").length, 3)
      yield* kinesis.fault({ operation: "ListShards" }, FakeKinesis.pass, FakeKinesis.fail("Throttled"))
      assert.strictEqual((yield* Effect.flip(kinesis.client.listShards("s"))).reason, "Throttled")
    })
  )
})

describe("enhanced fan-out of a fake Kinesis", () => {
  const subscribed = Effect.fnUntraced(function* (options: FakeKinesis.Options = one) {
    const kinesis = yield* FakeKinesis.make(options)
    const { streamArn } = yield* kinesis.client.describeStreamSummary("s")
    const { arn } = yield* kinesis.client.registerConsumer(streamArn, "app")
    yield* TestClock.adjust("3 seconds")
    const subscribe = Stream.runCollect(kinesis.client.subscribeToShard(arn, first, { _tag: "TrimHorizon" }))
    return { kinesis, subscribe, streamArn, arn }
  })

  it.effect("a consumer is CREATING for a while, has one name, and there are 20 of them", () =>
    Effect.gen(function* () {
      const { client } = yield* FakeKinesis.make(one)
      const { streamArn } = yield* client.describeStreamSummary("s")
      const { arn, status } = yield* client.registerConsumer(streamArn, "app")
      assert.strictEqual(status, "CREATING")
      const early = yield* Effect.flip(Stream.runDrain(client.subscribeToShard(arn, first, { _tag: "Latest" })))
      assert.strictEqual(early.reason, "InUse")
      yield* TestClock.adjust("3 seconds")
      assert.strictEqual((yield* client.describeConsumer(streamArn, "app")).status, "ACTIVE")
      assert.strictEqual((yield* Effect.flip(client.registerConsumer(streamArn, "app"))).reason, "InUse")
      for (let index = 1; index < 20; index++) yield* client.registerConsumer(streamArn, `app-${index}`)
      assert.strictEqual((yield* Effect.flip(client.registerConsumer(streamArn, "one-more"))).reason, "Throttled")
      yield* client.deregisterConsumer(streamArn, "app")
      assert.strictEqual((yield* Effect.flip(client.describeConsumer(streamArn, "app"))).reason, "NotFound")
    })
  )

  it.effect("pushes as records come, says nothing-new every few seconds, and ends after five minutes", () =>
    Effect.gen(function* () {
      const { kinesis, subscribe } = yield* subscribed()
      const fiber = yield* Effect.forkChild(subscribe)
      yield* TestClock.adjust("1 second")
      yield* kinesis.stream("s").put({ data: "1" })
      yield* TestClock.adjust("10 seconds")
      yield* kinesis.stream("s").put({ data: "2" })
      yield* TestClock.adjust(fiveMinutes)
      const pushes = yield* Fiber.join(fiber)
      assert.deepStrictEqual(texts(pushes.flatMap(({ records }) => records)), ["1", "2"])
      assert.isAbove(pushes.length, 50)
      assert.isTrue(pushes.every(({ continuation }) => continuation !== undefined))
    })
  )

  it.effect("T25: a closed shard ends with a push that has no continuation and names the children", () =>
    Effect.gen(function* () {
      const { kinesis, subscribe } = yield* subscribed()
      const fiber = yield* Effect.forkChild(subscribe)
      yield* TestClock.adjust("1 second")
      const children = yield* kinesis.stream("s").split(first)
      const pushes = yield* Fiber.join(fiber)
      assert.deepStrictEqual(pushes.at(-1)?.continuation, undefined)
      assert.deepStrictEqual(pushes.at(-1)?.children, [...children])
    })
  )

  it.effect("T48: a second subscription within five seconds is refused, and later takes over", () =>
    Effect.gen(function* () {
      const { subscribe } = yield* subscribed()
      const fiber = yield* Effect.forkChild(Effect.flip(subscribe))
      yield* TestClock.adjust("4900 millis")
      assert.strictEqual((yield* Effect.flip(subscribe)).reason, "InUse")
      yield* TestClock.adjust("100 millis")
      yield* Effect.forkChild(subscribe)
      assert.strictEqual((yield* Fiber.join(fiber)).reason, "InUse")
    })
  )
})

describe("a fault of a fake Kinesis", () => {
  it.effect("hits the next calls that match, one each, and the log says what became of them", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make(one)
      yield* kinesis.fault({ operation: "PutRecords" }, FakeKinesis.fail("Throttled"), FakeKinesis.lose)
      const put = kinesis.client.putRecords("s", [entry("1")])
      assert.strictEqual((yield* Effect.flip(put)).reason, "Throttled")
      assert.deepStrictEqual(yield* kinesis.stream("s").records(first), [])
      assert.strictEqual((yield* Effect.flip(put)).reason, "Unavailable")
      assert.deepStrictEqual(texts(yield* kinesis.stream("s").records(first)), ["1"])
      yield* put
      assert.deepStrictEqual(
        kinesis.callsOf("PutRecords").map(({ outcome }) => outcome),
        ["Throttled", "Unavailable", "Done"]
      )
    })
  )

  it.effect("hits only the shard and the stream that it names", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make(two)
      yield* kinesis.fault({ stream: "other" }, FakeKinesis.fail("Throttled"))
      yield* kinesis.fault({ shardId: second }, FakeKinesis.fail("Throttled"))
      yield* kinesis.client.listShards("s")
      yield* kinesis.client.getShardIterator("s", first, { _tag: "Latest" })
      const hit = yield* Effect.flip(kinesis.client.getShardIterator("s", second, { _tag: "Latest" }))
      assert.strictEqual(hit.reason, "Throttled")
    })
  )

  it.effect("delays a call, refuses single entries, and empties a page", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make(one)
      yield* kinesis.fault({ operation: "PutRecords" }, FakeKinesis.delay("2 seconds"))
      yield* kinesis.fault(
        { operation: "PutRecords" },
        FakeKinesis.reject((_, index) => index === 1, "InternalFailure")
      )
      const fiber = yield* Effect.forkChild(kinesis.client.putRecords("s", [entry("1")]))
      yield* TestClock.adjust("1900 millis")
      assert.deepStrictEqual(yield* kinesis.stream("s").records(first), [])
      yield* TestClock.adjust("100 millis")
      yield* Fiber.join(fiber)
      const results = yield* kinesis.client.putRecords("s", [entry("2"), entry("3")])
      assert.deepStrictEqual(
        results.map(({ _tag }) => _tag),
        ["Accepted", "Rejected"]
      )
      yield* kinesis.fault({ operation: "GetRecords", shardId: first }, FakeKinesis.nothing)
      const iterator = yield* kinesis.client.getShardIterator("s", first, { _tag: "TrimHorizon" })
      const page = yield* kinesis.client.getRecords(iterator, 10)
      assert.deepStrictEqual(page.records, [])
      assert.isAbove(page.millisBehindLatest, 0)
      assert.deepStrictEqual(texts((yield* kinesis.client.getRecords(page.next ?? "", 10)).records), ["1", "2"])
    })
  )
})
