import { assert, describe, it } from "@effect/vitest"
import * as Outcome from "@leat/core/Outcome"
import * as Worker from "@leat/core/Worker"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as Aggregation from "../src/Aggregation.ts"
import * as Cluster from "../src/assignment/Cluster.ts"
import * as Checkpoint from "../src/Checkpoint.ts"
import * as FencingToken from "../src/FencingToken.ts"
import { Fetcher } from "../src/Fetcher.ts"
import * as ShardPosition from "../src/ShardPosition.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"
import { groupOf, later, never, Noted, noted, recorder, rows, start, until, world } from "./kinesisConsumer/World.ts"

const shard0 = "shardId-000000000000"
const shard1 = "shardId-000000000001"

const ids = (count: number, letters = "abcd") =>
  Array.from({ length: count }, (_, index) => `${letters.charAt(index % letters.length)}${index}`)

const ofKey = (all: ReadonlyArray<string>, key: string) => all.filter((id) => id.startsWith(key))

const unavailable = new Checkpoint.CheckpointError({
  reason: "Unavailable",
  operation: "advance",
  message: "no answer",
  retryable: true
})

const aggregate = (...parts: ReadonlyArray<string>): FakeKinesis.Given => ({
  partitionKey: "a",
  data: Aggregation.make(
    parts.map((id) => ({
      partitionKey: id.slice(0, 1),
      data: new TextEncoder().encode(JSON.stringify({ key: id.slice(0, 1), id }))
    }))
  )
})

describe("a consumer", () => {
  it.effect("handles what is in the stream and what comes later, and writes where it stands", () =>
    Effect.gen(function* () {
      const place = yield* world({ shards: 2 })
      const { handled, worker } = recorder()
      const all = ids(40)
      yield* place.stream.put(...all.slice(0, 20).map((id) => noted(id)))
      const running = yield* start(place, worker)
      yield* until("20 handled", () => handled.length === 20)
      yield* place.stream.put(...all.slice(20).map((id) => noted(id)))
      yield* until("40 handled", () => handled.length === 40)
      for (const key of "abcd") assert.deepStrictEqual(ofKey(handled, key), ofKey(all, key))
      yield* running.stop
      for (const [shardId, { position }] of yield* rows(place)) {
        const last = (yield* place.stream.records(shardId)).at(-1)
        if (last !== undefined) assert.strictEqual(ShardPosition.encode(position), last.sequenceNumber)
      }
    })
  )

  it.effect("T1: a handler that fails, or dies, gets its record again, and nothing on its key passes it", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const { handled, worker } = recorder((id, tries) => {
        if (id === "a1" && tries < 3) return later
        return id === "b1" && tries < 2 ? Effect.die("boom") : Effect.void
      })
      yield* place.stream.put(...["a1", "b1", "a2", "b2", "c1"].map((id) => noted(id)))
      const running = yield* start(place, worker)
      yield* until("5 handled", () => handled.length === 5)
      assert.deepStrictEqual(ofKey(handled, "a"), ["a1", "a2"])
      assert.deepStrictEqual(ofKey(handled, "b"), ["b1", "b2"])
      assert.strictEqual(handled[0], "c1")
      assert.isTrue(running.told("LaneHeld").some(({ attempt, key }) => key === "a" && attempt === 2))
    })
  )

  it.effect("T2, T3: a checkpoint is never ahead of what is settled", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const release = yield* Deferred.make<void>()
      const { handled, worker } = recorder((id) =>
        id === "b1" ? Effect.as(Deferred.await(release), undefined) : Effect.void
      )
      const put = yield* place.stream.put(...["a1", "b1", "c1"].map((id) => noted(id)))
      yield* start(place, worker, { checkpointInterval: "50 millis" })
      yield* until("a1 and c1 handled", () => handled.length === 2)
      yield* TestClock.adjust("10 seconds")
      assert.deepStrictEqual((yield* rows(place)).get(shard0)?.position, ShardPosition.trimHorizon)
      yield* Deferred.succeed(release, undefined)
      yield* until("b1 handled", () => handled.length === 3)
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(
        (yield* rows(place)).get(shard0)?.position,
        ShardPosition.after(put.at(-1)?.sequenceNumber ?? "")
      )
    })
  )

  it.effect("T4: a crash between handling and checkpoint repeats the window, and the journal makes nothing of it", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const lost = { ...place.store, advance: () => Effect.fail(unavailable) }
      const first = recorder()
      const all = ids(12)
      yield* place.stream.put(...all.map((id) => noted(id)))
      const running = yield* start(place, first.worker, { store: lost })
      yield* until("12 handled", () => first.handled.length === 12)
      yield* Effect.forkChild(running.stop)
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual((yield* rows(place)).get(shard0)?.position, ShardPosition.trimHorizon)
      const second = recorder()
      const again = yield* start(place, second.worker)
      yield* until("all settled again", () => again.told("BatchProcessed").some(({ settled }) => settled === 12))
      assert.deepStrictEqual(second.handled, [])
      yield* place.stream.put(noted("a99"))
      yield* until("the next handled", () => second.handled.length === 1)
    })
  )

  it.effect("T5: a restart in the middle of an aggregate goes on at its next part", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const first = recorder((id) => (id === "c3" ? later : Effect.void))
      const [put] = yield* place.stream.put(aggregate("a1", "b2", "c3", "d4"), noted("a5"))
      const running = yield* start(place, first.worker)
      yield* until("the others handled", () => first.handled.length === 4)
      yield* running.stop
      const sequenceNumber = put?.sequenceNumber ?? ""
      assert.deepStrictEqual((yield* rows(place)).get(shard0)?.position, ShardPosition.after(sequenceNumber, 1))
      const second = recorder()
      yield* start(place, second.worker)
      yield* until("the rest handled", () => second.handled.length === 3)
      assert.deepStrictEqual(second.handled, ["c3", "d4", "a5"])
    })
  )

  it.effect("T8: who stops waits for the batch in hand and writes the last checkpoint", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const { handled, tries, worker } = recorder(() => Effect.sleep("2 seconds"))
      const put = yield* place.stream.put(noted("a1"), noted("b1"))
      const running = yield* start(place, worker, { checkpointInterval: "1 hour" })
      yield* until("both begun", () => tries.length === 2)
      assert.deepStrictEqual(handled, [])
      const stopping = yield* Effect.forkChild(running.stop)
      yield* TestClock.adjust("3 seconds")
      yield* Fiber.join(stopping)
      assert.sameMembers(handled, ["a1", "b1"])
      assert.deepStrictEqual(
        (yield* rows(place)).get(shard0)?.position,
        ShardPosition.after(put.at(-1)?.sequenceNumber ?? "")
      )
    })
  )

  it.effect("T8: a batch that does not end in time is cut, and comes again after a restart", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const first = recorder((id) => (id === "b1" ? Effect.never : Effect.void))
      yield* place.stream.put(noted("a1"), noted("b1"))
      const running = yield* start(place, first.worker, { shutdownTimeout: "2 seconds" })
      yield* until("a1 handled", () => first.handled.length === 1)
      const stopping = yield* Effect.forkChild(running.stop)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      const second = recorder()
      yield* start(place, second.worker)
      yield* until("b1 handled", () => second.handled.includes("b1"))
    })
  )

  it.effect("T9: a checkpoint that is throttled is written later, and records are handled meanwhile", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      let refusals = 3
      const store: typeof place.store = {
        ...place.store,
        advance: (group, write) => (refusals-- > 0 ? Effect.fail(unavailable) : place.store.advance(group, write))
      }
      const { handled, worker } = recorder()
      const running = yield* start(place, worker, { store, checkpointInterval: "1 second" })
      for (let index = 0; index < 6; index++) {
        yield* place.stream.put(noted(`a${index}`))
        yield* until("handled", () => handled.length === index + 1)
      }
      yield* until("a checkpoint", () => running.told("Checkpointed").length > 0)
      assert.strictEqual(running.told("CheckpointFailed").length, 3)
    })
  )

  it.effect(
    "T9, T33: a shard that was taken over stops here at its next checkpoint, and what this process writes is refused",
    () =>
      Effect.gen(function* () {
        const place = yield* world({ journal: "none" })
        const first = recorder()
        const running = yield* start(place, first.worker, { checkpointInterval: "1 second" })
        yield* place.stream.put(noted("a1"))
        yield* until("a1 handled", () => first.handled.length === 1)
        const second = recorder()
        yield* start(place, second.worker)
        yield* place.stream.put(noted("a2"))
        yield* until("fenced", () => running.told("ShardFenced").length === 1)
        yield* TestClock.adjust("10 seconds")
        yield* place.stream.put(noted("a3"))
        yield* until("the successor handles", () => second.handled.includes("a3"))
        assert.notInclude(first.handled, "a3")
        assert.strictEqual((yield* rows(place)).get(shard0)?.token, 2)
      })
  )

  it.effect("T37: a row that was deleted under its owner fences it, and it takes the shard up again", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { handled, worker } = recorder()
      const running = yield* start(place, worker, { checkpointInterval: "1 second" })
      yield* until("it runs", () => running.told("ShardStarted").length === 1)
      yield* place.store.remove(yield* groupOf(place), [shard0, "@start"])
      yield* place.stream.put(noted("a1"))
      yield* until("fenced", () => running.told("ShardFenced").length === 1)
      yield* place.stream.put(noted("a2"))
      yield* until("a2 handled", () => handled.includes("a2"))
    })
  )

  it.effect("regression: who holds the lease goes on after a takeover that came late", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { handled, worker } = recorder()
      const assignment = Cluster.layerMemory({ lease: "6 seconds" })
      const running = yield* start(place, worker, { checkpointInterval: "1 second", assignment })
      yield* until("it runs", () => running.told("ShardStarted").length === 1)
      yield* place.store.acquire(yield* groupOf(place), shard0, "zombie")
      yield* place.stream.put(noted("a1"))
      yield* until("fenced", () => running.told("ShardFenced").length === 1)
      yield* place.stream.put(noted("a2"))
      yield* until("a2 handled", () => handled.includes("a2"))
      yield* Effect.forkChild(running.stop)
      yield* TestClock.adjust("30 seconds")
    })
  )

  it.effect("T11: LATEST is the moment of the first start, and stays it over idle hours and restarts", () =>
    Effect.gen(function* () {
      const place = yield* world()
      yield* place.stream.put(noted("a1"))
      yield* TestClock.adjust("1 minute")
      const first = recorder()
      const running = yield* start(place, first.worker, { startingPosition: "LATEST" })
      yield* TestClock.adjust("20 minutes")
      yield* running.stop
      yield* place.stream.put(noted("a2"))
      yield* TestClock.adjust("1 hour")
      const second = recorder()
      yield* start(place, second.worker, { startingPosition: "LATEST" })
      yield* until("a2 handled", () => second.handled.length === 1)
      assert.deepStrictEqual([...first.handled, ...second.handled], ["a2"])
    })
  )

  it.effect(
    "T12, T34: a first checkpoint whose answer was lost is written once, and the start is that of the first process",
    () =>
      Effect.gen(function* () {
        const place = yield* world()
        let losses = 2
        const store: typeof place.store = {
          ...place.store,
          create: (group, births) =>
            Effect.andThen(place.store.create(group, births), losses-- > 0 ? Effect.fail(unavailable) : Effect.void)
        }
        const { handled, worker } = recorder()
        const running = yield* start(place, worker, { store, startingPosition: "LATEST" })
        yield* place.stream.put(noted("a1"))
        yield* until("a1 handled", () => handled.length === 1)
        assert.isNotEmpty(running.told("DiscoveryFailed"))
        assert.strictEqual((yield* rows(place)).size, 1)
      })
  )

  it.effect("T16: records that expired before they were read are said", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const first = recorder()
      yield* place.stream.put(noted("a1"))
      const running = yield* start(place, first.worker)
      yield* until("a1 handled", () => first.handled.length === 1)
      yield* running.stop
      const put = yield* place.stream.put(noted("a2"), noted("a3"))
      yield* place.stream.trim(shard0, put[1]?.sequenceNumber)
      const second = recorder()
      const again = yield* start(place, second.worker)
      yield* until("a3 handled", () => second.handled.length === 1)
      assert.deepStrictEqual(
        again.told("RecordsTrimmed").map(({ resumed }) => resumed),
        [put[1]?.sequenceNumber]
      )
    })
  )

  it.effect("T17: a stream that was made anew under its name is read from its start", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const first = recorder()
      yield* place.stream.put(noted("a1"))
      const running = yield* start(place, first.worker)
      yield* until("a1 handled", () => first.handled.length === 1)
      yield* running.stop
      yield* TestClock.adjust("1 minute")
      yield* place.stream.recreate()
      yield* place.stream.put(noted("a2"))
      const second = recorder()
      yield* start(place, second.worker)
      yield* until("a2 handled", () => second.handled.length === 1)
    })
  )

  it.effect("T18: a checkpoint of another shard ends the consumer with an error, and is not skipped over", () =>
    Effect.gen(function* () {
      const place = yield* world({ shards: 2 })
      const [put] = yield* place.stream.put({ ...noted("a1"), shardId: shard1 })
      const group = yield* groupOf(place)
      yield* place.store.create(group, [{ shardId: shard0, position: ShardPosition.after(put?.sequenceNumber ?? "") }])
      const { worker } = recorder()
      const running = yield* start(place, worker)
      const ended = yield* Effect.forkChild(Effect.flip(running.consumer.join))
      yield* TestClock.adjust("10 seconds")
      const error = yield* Fiber.join(ended)
      assert.strictEqual(error._tag, "KinesisError")
    })
  )

  it.effect(
    "T13, T19, T23: children are read when the last record of every parent is handled, from their first record",
    () =>
      Effect.gen(function* () {
        const place = yield* world({ shards: 2 })
        const release = yield* Deferred.make<void>()
        const { handled, worker } = recorder((id) =>
          id === "b1" ? Effect.as(Deferred.await(release), undefined) : Effect.void
        )
        yield* place.stream.put({ ...noted("a1"), shardId: shard0 }, { ...noted("b1"), shardId: shard1 })
        const running = yield* start(place, worker, { startingPosition: "LATEST", discoveryInterval: "1 second" })
        yield* place.stream.put({ ...noted("a2"), shardId: shard0 }, { ...noted("b1"), shardId: shard1 })
        const merged = yield* place.stream.merge(shard0, shard1)
        yield* place.stream.put({ ...noted("a3"), shardId: merged })
        yield* until("shard 0 at its end", () => running.told("ShardEnded").length === 1)
        yield* TestClock.adjust("5 seconds")
        assert.deepStrictEqual(
          running
            .told("ShardStarted")
            .map(({ shardId }) => shardId)
            .includes(merged),
          false
        )
        yield* Deferred.succeed(release, undefined)
        yield* until("the child's handled", () => handled.includes("a3"))
        assert.strictEqual(handled.at(-1), "a3")
        assert.deepStrictEqual((yield* rows(place)).get(shard0)?.position, ShardPosition.end)
      })
  )

  it.effect("T21, T22: a restart exactly at the end of a shard, and an empty parent, both come to the children", () =>
    Effect.gen(function* () {
      const place = yield* world({ shards: 2, journal: "none" })
      const first = recorder()
      yield* place.stream.put({ ...noted("a1"), shardId: shard0 })
      const running = yield* start(place, first.worker)
      yield* until("a1 handled", () => first.handled.length === 1)
      yield* running.stop
      const [child] = yield* place.stream.split(shard0)
      const [empty] = yield* place.stream.split(shard1)
      yield* place.stream.put({ ...noted("a2"), shardId: child }, { ...noted("b1"), shardId: empty })
      const second = recorder()
      yield* start(place, second.worker)
      yield* until("the children handled", () => second.handled.length === 2)
      assert.sameMembers(second.handled, ["a2", "b1"])
    })
  )

  it.effect("T28: a shard that the stream forgot is said, and holds nobody back", () =>
    Effect.gen(function* () {
      const place = yield* world({ shards: 1 })
      const group = yield* groupOf(place)
      yield* place.store.create(group, [{ shardId: shard0, position: ShardPosition.trimHorizon }])
      const [child] = yield* place.stream.split(shard0)
      yield* place.stream.forget(shard0)
      yield* place.stream.put({ ...noted("a1"), shardId: child })
      const { handled, worker } = recorder()
      const running = yield* start(place, worker)
      yield* until("a1 handled and it is told", () => handled.length === 1 && running.told("ShardLost").length > 0)
      assert.deepStrictEqual(
        running.told("ShardLost").map(({ shardId }) => shardId),
        [shard0]
      )
    })
  )

  it.effect("T45: a slow handler holds the reading back", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      let pages = 0
      const record = { partitionKey: "k", arrival: 0 }
      const endless = Layer.succeed(Fetcher, {
        name: "endless",
        read: () =>
          Stream.fromEffectRepeat(
            Effect.sync(() => {
              pages += 1
              const page = Array.from({ length: 100 }, (_, index) => {
                const number = 2n ** 70n + BigInt(pages * 100 + index)
                const data = new TextEncoder().encode(JSON.stringify({ key: String(index % 7), id: String(number) }))
                return { ...record, data, sequenceNumber: String(number) }
              })
              return { records: page, millisBehindLatest: 1000 }
            })
          )
      })
      const { handled, worker } = recorder(() => Effect.sleep("1 hour"))
      const running = yield* start(place, worker, { fetcher: endless, maxOpenRecords: 500, batchTimeout: "2 hours" })
      for (let minutes = 0; minutes < 30; minutes++) yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(handled, [])
      // The window of 500, one page beyond it and one that waits.
      assert.isAtMost(pages, 7)
      const stopping = yield* Effect.forkChild(running.stop)
      yield* TestClock.adjust("1 minute")
      yield* Fiber.join(stopping)
    })
  )

  it.effect("T50: what a repetition does not mend ends the consumer with its error", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { worker } = recorder()
      yield* place.kinesis.fault({ operation: "GetShardIterator" }, FakeKinesis.fail("AccessDenied"))
      const running = yield* start(place, worker)
      const ended = yield* Effect.forkChild(Effect.exit(running.consumer.join))
      yield* TestClock.adjust("10 seconds")
      const exit = yield* Fiber.join(ended)
      assert.isTrue(Exit.isFailure(exit))
      assert.isNotEmpty(running.told("ShardReleased"))
    })
  )

  it.effect("T51: arrival times that run backwards change no order, and make no age negative", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const { handled, worker } = recorder()
      yield* TestClock.adjust("1 hour")
      const arrivals = [3_000_000, 1_000_000, 3_700_000]
      for (const [index, arrival] of arrivals.entries()) yield* place.stream.put({ ...noted(`a${index}`), arrival })
      const running = yield* start(place, worker)
      yield* until("3 handled", () => handled.length === 3)
      assert.deepStrictEqual(handled, ["a0", "a1", "a2"])
      assert.isTrue(running.told("BatchProcessed").every(({ iteratorAge }) => iteratorAge >= 0))
    })
  )

  it.effect("T52: the lag of a shard that left is nobody's", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { handled, worker } = recorder()
      const running = yield* start(place, worker)
      yield* place.stream.put(noted("a1"))
      yield* until("a1 handled", () => handled.length === 1)
      assert.deepStrictEqual([...(yield* running.consumer.stats).behind.keys()], [shard0])
      yield* place.stream.split(shard0)
      yield* until("the end", () => running.told("ShardEnded").length === 1)
      assert.isFalse((yield* running.consumer.stats).behind.has(shard0))
    })
  )

  it.effect("handlers know the fencing token of their shard, and it grows with each takeover", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const holds: Array<FencingToken.Hold | undefined> = []
      const worker = Worker.make("fenced", {
        events: [Noted],
        handle: {
          *Noted() {
            holds.push(yield* FencingToken.FencingToken)
          }
        }
      })
      for (const [index, id] of ["a1", "a2"].entries()) {
        yield* place.stream.put(noted(id))
        const running = yield* start(place, worker)
        yield* until(`${id} handled`, () => holds.length === index + 1)
        yield* running.stop
      }
      const [first, second] = holds
      assert.strictEqual(first?.partition, `s/${shard0}`)
      assert.isAbove(second?.token ?? 0, first?.token ?? Infinity)
    })
  )

  it.effect("T78: a stream that ignores partition keys is refused at the start, or later, or reported by config", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { handled, worker } = recorder()
      yield* place.stream.configure({ ignoresPartitionKeys: true })
      assert.strictEqual((yield* Effect.flip(start(place, worker)))._tag, "StreamSettingsError")
      yield* start(place, worker, { onUnordered: "report", application: "other" })
      yield* place.stream.put(noted("a1"))
      yield* until("a1 handled", () => handled.length === 1)
      yield* place.stream.configure({ ignoresPartitionKeys: false })
      const running = yield* start(place, worker)
      yield* place.stream.configure({ ignoresPartitionKeys: true })
      const ended = yield* Effect.forkChild(Effect.flip(running.consumer.join))
      yield* TestClock.adjust("10 minutes")
      assert.strictEqual((yield* Fiber.join(ended))._tag, "StreamSettingsError")
    })
  )

  it.effect("a permanent failure without a journal halts its key alone, and its shard when the window is full", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const { handled, worker } = recorder((id) => (id === "a0" ? never : Effect.void))
      const all = ids(40, "ab")
      const running = yield* start(place, worker, { maxOpenRecords: 20, batchSize: 5 })
      for (let index = 0; index < 40; index += 10) {
        yield* place.stream.put(...all.slice(index, index + 10).map((id) => noted(id)))
        yield* TestClock.adjust("5 seconds")
      }
      assert.deepStrictEqual(ofKey(handled, "a"), [])
      assert.isAtLeast(ofKey(handled, "b").length, 10)
      assert.isBelow(ofKey(handled, "b").length, 20)
      assert.isTrue(running.told("LaneHeld").every(({ retryable }) => !retryable))
      // Backed off: it is not hammered.
      assert.isBelow(running.told("LaneHeld").length, 12)
    })
  )

  it.effect("regression: a shard of which nothing is delivered stays readable, and its checkpoint moves", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const first = recorder()
      yield* place.stream.put(noted("a1"))
      const running = yield* start(place, first.worker, { maxOpenRecords: 1 })
      yield* until("a1 handled", () => first.handled.length === 1)
      yield* running.stop
      // The record of the checkpoint comes again alone, and is left out.
      const second = recorder()
      yield* start(place, second.worker, { maxOpenRecords: 1 })
      yield* TestClock.adjust("10 seconds")
      yield* place.stream.put(noted("a2"))
      yield* until("a2 handled", () => second.handled.length === 1)
    })
  )

  it.effect("regression: a batch of which nothing could begin is not tried again without rest", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      // The deadline is over before the first handler may begin.
      const { worker } = recorder()
      const late: typeof worker = {
        ...worker,
        process: (batch) => Effect.succeed(Outcome.result(batch.map(() => Outcome.unstarted)))
      }
      yield* place.stream.put(noted("a1"))
      const running = yield* start(place, late)
      for (let index = 0; index < 100; index++) yield* TestClock.adjust("100 millis")
      assert.isBelow(running.told("BatchProcessed").length, 100)
      assert.strictEqual(
        (yield* Effect.flip(start(place, worker, { batchTimeout: "500 millis" })))._tag,
        "KinesisConsumerError"
      )
    })
  )

  it.effect("regression: a shutdown ends though a handler can't be interrupted, and says so", () =>
    Effect.gen(function* () {
      const place = yield* world({ journal: "none" })
      const { tries, worker } = recorder(() => Effect.uninterruptible(Effect.never))
      yield* place.stream.put(noted("a1"))
      const running = yield* start(place, worker, { shutdownTimeout: "1 second" })
      yield* until("begun", () => tries.length === 1)
      const stopping = yield* Effect.forkChild(running.stop)
      yield* TestClock.adjust("10 seconds")
      yield* Fiber.join(stopping)
      assert.strictEqual(running.told("ShardStuck").length, 1)
    })
  )

  it.effect("regression: a reading that is interrupted from within ends the consumer, not the shard alone", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { worker } = recorder()
      const fetcher = Layer.succeed(Fetcher, { name: "broken", read: () => Stream.fromEffect(Effect.interrupt) })
      const running = yield* start(place, worker, { fetcher })
      const ended = yield* Effect.forkChild(Effect.flip(running.consumer.join))
      yield* TestClock.adjust("10 seconds")
      assert.strictEqual((yield* Fiber.join(ended))._tag, "KinesisConsumerError")
    })
  )

  it.effect("options that can't be are refused with the way to mend them", () =>
    Effect.gen(function* () {
      const place = yield* world()
      const { worker } = recorder()
      const error = yield* Effect.flip(start(place, worker, { batchSize: 0 }))
      assert.deepStrictEqual([error._tag, error.message], ["KinesisConsumerError", "batchSize is 0: an integer from 1"])
      assert.strictEqual((yield* Effect.flip(start(place, worker, { application: "" })))._tag, "KinesisConsumerError")
      // A failed key would be tried again without rest.
      const hasty = yield* Effect.flip(start(place, worker, { backoffBase: 0 }))
      assert.match(hasty.message, /^backoffBase and backoffCap: 0 ms; more than 0 is needed$/)
    })
  )
})
