import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as Checkpoint from "../../src/Checkpoint.ts"
import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import { drain, pass, texts } from "./harness.ts"

const settings = { stream: "s", maximumBatchingWindow: 0, backoff: () => 1000 } as const

const recorder = () => {
  const seen: Array<string> = []
  const handler = (event: LambdaEvent.LambdaEvent) => void seen.push(...texts(event))
  return { seen, handler }
}

/** Runs a mapping until it is drained, then ends it. */
const session = (options: Omit<EventSourceMapping.Options, "stream">) =>
  Effect.scoped(
    Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...settings, ...options })
      yield* drain(mapping)
    })
  )

const kept = Effect.map(Checkpoint.CheckpointStore, (store) => ({ store, application: "orders" }))

const layers = FakeKinesis.layer({ streams: [{ name: "s" }] })

describe("a mapping with checkpoints", () => {
  it.effect("goes on behind the last record that was done, and not at its starting position", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      const [one, two] = [recorder(), recorder()]
      yield* stream.put({ data: "1" }, { data: "2" })
      yield* session({ handler: one.handler, checkpoints })
      yield* stream.put({ data: "3" })
      yield* session({ handler: two.handler, checkpoints })
      assert.deepStrictEqual([one.seen, two.seen], [["1", "2"], ["3"]])
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  it.effect("T4: repeats what a crash left open, and loses nothing", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      yield* stream.put({ data: "1" }, { data: "2" }, { data: "3" })
      const failing = (event: LambdaEvent.LambdaEvent) => {
        if (texts(event).includes("2")) throw new Error("2")
      }
      yield* Effect.scoped(
        Effect.andThen(EventSourceMapping.make({ ...settings, batchSize: 1, handler: failing, checkpoints }), pass(5))
      )
      const { handler, seen } = recorder()
      yield* session({ handler, checkpoints })
      assert.deepStrictEqual(seen, ["2", "3"])
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  it.effect("T12: LATEST of the first start holds for all that follow", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      const { handler, seen } = recorder()
      yield* stream.put({ data: "before" })
      yield* TestClock.adjust("1 second")
      yield* session({ handler, checkpoints, startingPosition: "LATEST" })
      yield* TestClock.adjust("1 minute")
      yield* stream.put({ data: "while nobody ran" })
      yield* TestClock.adjust("1 minute")
      yield* session({ handler, checkpoints, startingPosition: "LATEST" })
      assert.deepStrictEqual(seen, ["while nobody ran"])
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  it.effect("T13, T21: goes on in the children of a shard that ended while nobody ran, and in no parent again", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      const [one, two, three] = [recorder(), recorder(), recorder()]
      yield* stream.put({ data: "1" })
      yield* session({ handler: one.handler, checkpoints, startingPosition: "LATEST" })
      const [left, right] = yield* stream.split("shardId-000000000000")
      yield* stream.put({ data: "2", shardId: left }, { data: "3", shardId: right })
      yield* session({ handler: two.handler, checkpoints, startingPosition: "LATEST" })
      yield* stream.merge(left, right)
      yield* stream.put({ data: "4" })
      yield* session({ handler: three.handler, checkpoints, startingPosition: "LATEST" })
      assert.deepStrictEqual([one.seen, two.seen.toSorted(), three.seen], [["1"], ["2", "3"], ["4"]])
      const rows = yield* checkpoints.store.list({ application: "orders", stream: "s@0" })
      const ends = rows.filter((row) => row.position._tag === "End").map((row) => row.shardId)
      assert.deepStrictEqual(ends.toSorted(), ["shardId-000000000000", left, right])
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  for (const trimmedPositions of ["oldest", "stuck", "refused"] as const) {
    const forgetful = FakeKinesis.layer({ streams: [{ name: "s" }], trimmedPositions })
    it.effect(
      `T16: whose record the stream no longer has goes on at the oldest that it has, and says so (${trimmedPositions})`,
      () =>
        Effect.gen(function* () {
          const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
          const checkpoints = yield* kept
          const { handler, seen } = recorder()
          yield* stream.put({ data: "1" })
          yield* session({ handler, checkpoints, startingPosition: "LATEST" })
          const [, three] = yield* stream.put({ data: "2" }, { data: "3" })
          yield* stream.trim("shardId-000000000000", three?.sequenceNumber)
          const mapping = yield* EventSourceMapping.make({
            ...settings,
            handler,
            checkpoints,
            startingPosition: "LATEST"
          })
          const met: Array<EventSourceMapping.Event> = []
          yield* mapping.events.pipe(
            Stream.runForEach((event) => Effect.sync(() => met.push(event))),
            Effect.forkScoped({ startImmediately: true })
          )
          yield* drain(mapping)
          assert.deepStrictEqual(seen, ["1", "3"])
          assert.deepStrictEqual(
            met.flatMap((event) => (event._tag === "RecordsTrimmed" ? [event.resumed] : [])),
            [three?.sequenceNumber]
          )
        }).pipe(Effect.provide([forgetful, Checkpoint.layerMemory]))
    )
  }

  it.effect("T17: begins anew on a stream that was made anew under its name", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      const { handler, seen } = recorder()
      yield* stream.put({ data: "old" })
      yield* session({ handler, checkpoints })
      yield* TestClock.adjust("1 minute")
      yield* stream.recreate()
      yield* stream.put({ data: "new" })
      yield* session({ handler, checkpoints })
      assert.deepStrictEqual(seen, ["old", "new"])
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  it.effect("fills a window anew that was open in a crash", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      const states: Array<unknown> = []
      const handler = (event: LambdaEvent.TimeWindowEvent) => {
        const before = Array.isArray(event.state) ? (event.state as ReadonlyArray<string>) : []
        if (event.isFinalInvokeForWindow) states.push(event.state)
        return { state: [...before, ...texts(event)] }
      }
      const options = { ...settings, handler, checkpoints, tumblingWindow: "10 seconds" } as const
      yield* stream.put({ data: "1" })
      yield* Effect.scoped(Effect.andThen(EventSourceMapping.make(options), pass(2)))
      yield* stream.put({ data: "2" })
      yield* Effect.scoped(Effect.andThen(EventSourceMapping.make(options), pass(12)))
      assert.deepStrictEqual(states, [["1", "2"]])
      yield* Effect.scoped(Effect.andThen(EventSourceMapping.make(options), pass(12)))
      assert.deepStrictEqual(states, [["1", "2"]])
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  it.effect("stops when another of its name takes over", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const checkpoints = yield* kept
      const { handler } = recorder()
      const older = yield* EventSourceMapping.make({ ...settings, handler, checkpoints })
      yield* pass(1)
      const newer = yield* EventSourceMapping.make({ ...settings, handler, checkpoints })
      yield* pass(1)
      yield* stream.put({ data: "1" })
      yield* pass(2)
      const error = yield* Effect.flip(older.join)
      assert.isTrue(error._tag === "EventSourceMappingError" && error.reason === "CheckpointLost")
      assert.strictEqual((yield* newer.positions).size, 1)
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )

  it.effect("waits for a store that is away, and stops at one that refuses", () =>
    Effect.gen(function* () {
      const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
      const { store } = yield* kept
      let away = 3
      const failing = (reason: "Unavailable" | "Refused"): Checkpoint.CheckpointStore["Service"] => ({
        ...store,
        advance: (group, write) =>
          Effect.suspend(() => {
            if (away === 0) return store.advance(group, write)
            away--
            const retryable = reason === "Unavailable"
            return Effect.fail(
              new Checkpoint.CheckpointError({ reason, operation: "advance", message: reason, retryable })
            )
          })
      })
      const { handler, seen } = recorder()
      yield* stream.put({ data: "1" })
      yield* session({ handler, checkpoints: { store: failing("Unavailable"), application: "a" } })
      assert.deepStrictEqual([seen, away], [["1"], 0])
      away = 1
      const error = yield* Effect.flip(
        session({ handler, checkpoints: { store: failing("Refused"), application: "b" } })
      )
      assert.strictEqual(error._tag, "CheckpointError")
    }).pipe(Effect.provide([layers, Checkpoint.layerMemory]))
  )
})

describe("a shard's end", () => {
  for (const namesChildren of [true, false]) {
    it.effect(`T24: is followed, whether or not it names its children (${namesChildren})`, () =>
      Effect.gen(function* () {
        const stream = (yield* FakeKinesis.FakeKinesis).stream("s")
        yield* stream.configure({ namesChildren })
        const { handler, seen } = recorder()
        yield* stream.put({ data: "1" })
        const mapping = yield* EventSourceMapping.make({ ...settings, handler })
        const [left, right] = yield* stream.split("shardId-000000000000")
        yield* stream.put({ data: "2", shardId: left }, { data: "3", shardId: right })
        yield* drain(mapping)
        assert.deepStrictEqual([seen[0], ...seen.slice(1).toSorted()], ["1", "2", "3"])
      }).pipe(Effect.provide(layers))
    )
  }
})

describe("a clock ahead of AWS's", () => {
  it.effect("LATEST waits until AWS has reached the moment, where AWS refuses what lies in its future", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.FakeKinesis
      yield* kinesis.fault({ operation: "GetShardIterator" }, FakeKinesis.fail("Invalid"), FakeKinesis.fail("Invalid"))
      const { handler, seen } = recorder()
      const mapping = yield* EventSourceMapping.make({ ...settings, handler, startingPosition: "LATEST" })
      yield* kinesis.stream("s").put({ data: "1" })
      yield* drain(mapping)
      assert.deepStrictEqual(seen, ["1"])
    }).pipe(Effect.provide(layers))
  )
})

describe("T76: one function behind two mappings", () => {
  it.effect("tells their records apart by the stream's ARN", () =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "orders" }, { name: "users" }] })
      const seen: Array<readonly [string | undefined, string]> = []
      const handler = (event: LambdaEvent.LambdaEvent) =>
        void seen.push(
          ...event.Records.map(
            ({ eventSourceARN, kinesis: { data } }) => [eventSourceARN.split("/")[1], atob(data)] as const
          )
        )
      yield* kinesis.stream("orders").put({ data: "order" })
      yield* kinesis.stream("users").put({ data: "user" })
      const [orders, users] = yield* Effect.forEach(["orders", "users"], (stream) =>
        EventSourceMapping.make({ ...settings, stream, handler })
      ).pipe(Effect.provide(kinesis.layer))
      for (const mapping of [orders, users]) if (mapping !== undefined) yield* drain(mapping)
      assert.deepStrictEqual(seen.toSorted(), [
        ["orders", "order"],
        ["users", "user"]
      ])
    })
  )
})
