import { assert, describe, it } from "@effect/vitest"
import type * as Journal from "@leat/core/Journal"
import * as Arbitrary from "effect/Arbitrary"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import type * as Checkpoint from "../../src/Checkpoint.ts"
import * as FakeKinesis from "../../src/testing/FakeKinesis.ts"
import { later, noted, recorder, rows, start, world } from "./World.ts"
import type { Running, World } from "./World.ts"

/** A process that can be stopped in the middle of whatever it does, and go on later as if nothing had happened. */
class Process {
  #gate: Deferred.Deferred<void> | undefined
  running: Running | undefined
  /** Its consumer has failed: a program ends then, and a supervisor starts another. */
  isOver = false

  freeze(): void {
    this.#gate ??= Deferred.makeUnsafe<void>()
  }

  thaw(): Effect.Effect<void> {
    const gate = this.#gate
    this.#gate = undefined
    return gate === undefined ? Effect.void : Effect.asVoid(Deferred.succeed(gate, undefined))
  }

  get isFrozen(): boolean {
    return this.#gate !== undefined
  }

  /** Before an effect and after it: a frozen process neither asks nor hears. */
  through<A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E> {
    const pass = Effect.suspend(() => (this.#gate === undefined ? Effect.void : Deferred.await(this.#gate)))
    return Effect.andThen(
      pass,
      Effect.tap(self, () => pass)
    )
  }

  world(place: World): World {
    const { client } = place.kinesis
    const store: Checkpoint.CheckpointStore["Service"] = {
      list: (group) => this.through(place.store.list(group)),
      create: (group, births) => this.through(place.store.create(group, births)),
      acquire: (group, shardId, owner) => this.through(place.store.acquire(group, shardId, owner)),
      advance: (group, write) => this.through(place.store.advance(group, write)),
      remove: (group, shardIds) => this.through(place.store.remove(group, shardIds))
    }
    const journal: Journal.Journal["Service"] = {
      ...place.journal,
      open: (...given) => this.through(place.journal.open(...given)),
      commit: (...given) => this.through(place.journal.commit(...given))
    }
    const getRecords: typeof client.getRecords = (iterator, limit) => this.through(client.getRecords(iterator, limit))
    return { ...place, store, journal, kinesis: { ...place.kinesis, client: { ...client, getRecords } } }
  }
}

const script = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9_999 }))), {
  minLength: 10,
  maxLength: 50
})

const keys = "abcdef"

/** Histories that once went wrong in the test or the code. */
const histories = [
  [2431, 10, 8977, 4, 5195, 7166, 7032, 9076, 1223, 3964],
  [1915, 8740, 2734, 6429, 2346, 7206, 1, 9848, 7058, 7563]
]

describe("any history of records, splits, merges, failures, crashes and zombies", () => {
  const run = (choices: ReadonlyArray<number>) =>
    Effect.gen(function* () {
      const place = yield* world({ shards: 2 })
      const sent: Array<string> = []
      const processes: Array<Process> = []
      const { worker } = recorder((id, tries) => (id.endsWith("3") && tries < 3 ? later : Effect.void))

      const begin = Effect.gen(function* () {
        const process = new Process()
        process.running = yield* start(process.world(place), worker, {
          checkpointInterval: "1 second",
          discoveryInterval: "1 second",
          maxOpenRecords: 8,
          batchSize: 4,
          shutdownTimeout: "500 millis"
        })
        processes.push(process)
        yield* Effect.forkChild(
          Effect.andThen(
            Effect.exit(process.running.consumer.join),
            Effect.sync(() => void (process.isOver = true))
          )
        )
      })
      const supervise = Effect.gen(function* () {
        yield* TestClock.adjust("1 second")
        for (const process of processes.filter(({ isOver }) => isOver)) yield* stop(process)
        if (processes.every(({ isFrozen }) => isFrozen)) yield* begin
      })
      const open = Effect.map(place.stream.shards, (shards) => shards.filter(({ closed }) => !closed))
      const put = (count: number, at: number) =>
        Effect.gen(function* () {
          const fresh = Array.from(
            { length: count },
            (_, index) => `${keys.charAt((at + index * 5) % 6)}${sent.length + index}`
          )
          sent.push(...fresh)
          yield* place.stream.put(...fresh.map((id) => noted(id)))
        })
      const act = (kind: number, value: number) =>
        Effect.gen(function* () {
          const shards = yield* open
          if (kind <= 2) yield* put(1 + (value % 6), value)
          if (kind === 3 && shards.length < 6) yield* place.stream.split(shards[value % shards.length]?.shardId ?? "")
          if (kind === 4) yield* Effect.ignore(mergeSome(shards, value))
          if (kind === 5 && processes.length < 4) yield* begin
          const process = processes[value % Math.max(1, processes.length)]
          if (kind === 6) process?.freeze()
          if (kind === 7) yield* process?.thaw() ?? Effect.void
          if (kind === 8 && process?.isFrozen === false) yield* stop(process)
          if (kind === 9) {
            const reason = (["Throttled", "Unavailable", "ExpiredIterator"] as const)[value % 3] ?? "Throttled"
            yield* place.kinesis.fault({ operation: "GetRecords" }, FakeKinesis.fail(reason))
          }
        })
      const mergeSome = (shards: ReadonlyArray<FakeKinesis.Shard>, value: number) => {
        const sorted = shards.toSorted((left, right) => (left.hashRange.start < right.hashRange.start ? -1 : 1))
        const index = value % Math.max(1, sorted.length - 1)
        return place.stream.merge(sorted[index]?.shardId ?? "", sorted[index + 1]?.shardId ?? "")
      }
      const stop = (process: Process) =>
        Effect.gen(function* () {
          processes.splice(processes.indexOf(process), 1)
          if (process.running !== undefined) yield* Effect.forkChild(process.running.stop)
          yield* TestClock.adjust("2 seconds")
        })

      const recorded = Effect.map(Stream.runCollect(place.journal.read(0, { worker: worker.name })), (entries) =>
        entries.map(({ id }) => id)
      )
      /** Shards that are closed and not at their end. */
      const unended = Effect.gen(function* () {
        const found = yield* rows(place)
        const closed = (yield* place.stream.shards).filter((shard) => shard.closed)
        return closed.filter(({ shardId }) => found.get(shardId)?.position._tag !== "End")
      })
      const history = Effect.gen(function* () {
        yield* begin
        for (const choice of choices) {
          yield* act(choice % 10, Math.floor(choice / 10))
          yield* TestClock.adjust(`${(choice % 7) * 150} millis`)
        }
        // Who is frozen now is dead.
        let found: ReadonlyArray<string> = []
        let open: ReadonlyArray<unknown> = [undefined]
        for (let rounds = 0; rounds < 300 && (found.length < sent.length || open.length > 0); rounds++) {
          yield* supervise
          found = yield* recorded
          open = yield* unended
        }
        assert.deepStrictEqual(open, [])
        assert.deepStrictEqual(found.toSorted(), sent.toSorted())
        for (const key of keys) {
          const ofKey = (ids: ReadonlyArray<string>) => ids.filter((id) => id.startsWith(key))
          assert.deepStrictEqual(ofKey(found), ofKey(sent))
        }
      })
      const cleanUp = Effect.gen(function* () {
        for (const process of processes) yield* process.thaw()
        yield* Effect.forEach([...processes], stop, { discard: true })
      })
      yield* Effect.ensuring(history, cleanUp)
    })

  it.effect.prop(
    "T4, T19, T30–T33: loses nothing, keeps the order of each key, and gives each record one outcome",
    [script],
    ([choices]) => run(choices),
    { arbitrary: { runs: 25 }, timeout: 60_000 }
  )

  for (const choices of histories) it.effect(`regression: such as ${choices.join(" ")}`, () => run(choices))
})
