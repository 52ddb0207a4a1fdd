import { assert, describe, it } from "@effect/vitest"
import * as Background from "@leat/core/Background"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as Deadline from "@leat/core/Deadline"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { told, world } from "./World.ts"

const seconds = (count: number) => TestClock.adjust(count * 1_000)

/** Lets fibers and the end of the turn come, without any time passing. */
const turn = Effect.callback<void>((resume) => {
  const after = (turns: number): void => {
    if (turns === 0) resume(Effect.void)
    else setImmediate(() => after(turns - 1))
  }
  after(6)
})

describe("a memory", () => {
  it.effect("with a time of its own serves without asking the store, then asks again", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make({ memory: { ttl: "10 seconds" } })
      assert.strictEqual(yield* told(cache.get(1)), "origin 1")
      state.reads = 0
      assert.strictEqual(yield* told(cache.get(1)), "memory 1")
      assert.deepStrictEqual(
        [yield* cache.peekMany([1])].flat().map((one) => one?.source),
        ["memory"]
      )
      assert.strictEqual(state.reads, 0)
      yield* seconds(10)
      assert.deepInclude(yield* cache.get(1), { source: "redis", age: 10_000 })
      assert.strictEqual(state.reads, 1)
    })
  )

  it.effect("without one always asks the store, and shelters from its outage until a value's own time ends", () =>
    Effect.gen(function* () {
      const { inner, make, state } = yield* world
      const cache = yield* make({ memory: {} })
      yield* cache.get(1)
      assert.strictEqual(yield* told(cache.get(1)), "redis 1")
      yield* inner.setMany([{ key: "k:1", value: Buffer.from("[9]"), ttl: 50_000 }])
      assert.strictEqual(yield* told(cache.get(1)), "redis 9", "another program's value is seen at once")
      yield* cache.invalidate([1])
      yield* seconds(1)
      yield* cache.get(1)
      state.store = "down"
      assert.strictEqual(yield* told(cache.get(1)), "memory 1")
      assert.strictEqual(yield* told(cache.get(2)), "origin 2")
      assert.strictEqual(yield* told(cache.get(2)), "memory 2")
      assert.deepStrictEqual(
        (yield* cache.peekMany([1, 2, 3])).map((one) => one?.source),
        ["memory", "memory", undefined]
      )
      yield* seconds(100)
      assert.strictEqual(yield* told(cache.get(1)), "origin 1")
    })
  )

  it.effect("believes a plain value of unknown age for five minutes of an outage at most", () =>
    Effect.gen(function* () {
      const { inner, make, state } = yield* world
      const cache = yield* make({ memory: {}, ttl: "1 hour" })
      yield* inner.setMany([{ key: "k:1", value: Buffer.from("[9]"), ttl: 3_000_000 }])
      assert.deepInclude(yield* cache.get(1), { source: "redis", age: undefined })
      state.store = "down"
      yield* seconds(299)
      assert.strictEqual(yield* told(cache.get(1)), "memory 9")
      yield* seconds(2)
      assert.strictEqual(yield* told(cache.get(1)), "origin 1")
    })
  )

  it.effect("keeps its bounds, the least recently used goes first", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make({ memory: { ttl: "1 hour", maxEntries: 3 } })
      for (const id of [1, 2, 3, 1, 4]) yield* cache.get(id)
      state.reads = 0
      for (const id of [1, 3, 4]) assert.strictEqual(yield* told(cache.get(id)), `memory ${id}`)
      assert.strictEqual(state.reads, 0)
      assert.strictEqual(yield* told(cache.get(2)), "redis 2")
      assert.strictEqual((yield* cache.stats).memory.entries, 3)
      const small = yield* make({ memory: { ttl: "1 hour", maxBytes: 30 } })
      for (const id of [1, 2, 3, 4, 5, 6, 7, 8]) yield* small.get(id)
      assert.isAtMost((yield* small.stats).memory.bytes, 30)
    })
  )
})

describe("a stale value", () => {
  for (const format of ["plain", "entries"] as const) {
    it.effect(`is served where the origin fails, for so long and no longer (${format})`, () =>
      Effect.gen(function* () {
        const { make, state } = yield* world
        const cache = yield* make({ format, staleFor: "100 seconds", throttle: "10 seconds" })
        yield* cache.get(1)
        yield* seconds(120)
        state.load = () => Effect.fail("down")
        state.loads = 0
        assert.deepInclude(yield* cache.get(1), { source: "stale", age: 120_000 })
        assert.strictEqual(yield* told(cache.get(1)), "stale 1")
        assert.strictEqual(state.loads, 1, "the origin is left alone for a while")
        assert.strictEqual(yield* told(cache.get(2)), "down")
        yield* seconds(11)
        assert.strictEqual(yield* told(cache.get(1)), "stale 1")
        assert.strictEqual(state.loads, 3)
        assert.deepStrictEqual(
          (yield* cache.getMany([1, 2])).map((exit) => exit._tag),
          ["Success", "Failure"]
        )
        yield* seconds(100)
        assert.strictEqual(yield* told(cache.get(1)), "down")
        state.load = (id) => Effect.succeed([id, 2])
        assert.strictEqual(yield* told(cache.get(1)), "origin 1/2")
      })
    )
  }

  for (const format of ["plain", "entries"] as const) {
    it.effect(`of before an invalidation is not served, wherever it was found (${format})`, () =>
      Effect.gen(function* () {
        const { make, state } = yield* world
        const cache = yield* make({ format, staleFor: "100 seconds", memory: {} })
        yield* cache.get(1)
        yield* seconds(110)
        const { load } = yield* cache.lookup([1])
        yield* cache.invalidate([1])
        state.load = () => Effect.fail("down")
        assert.strictEqual(yield* told(cache.get(1)), "down")
        assert.strictEqual((yield* load)[0]?._tag, "Failure")
      })
    )
  }

  it.effect("is served when the origin is slow; the load goes on and is kept", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make({ staleFor: "100 seconds", softTimeout: "50 millis" })
      yield* cache.get(1)
      yield* seconds(110)
      state.load = () => Effect.delay(Effect.succeed([1, 2]), "1 second")
      const reading = yield* Effect.forkChild(told(cache.get(1)))
      yield* turn
      yield* TestClock.adjust(49)
      assert.isUndefined(reading.pollUnsafe())
      yield* TestClock.adjust(1)
      assert.strictEqual(yield* Fiber.join(reading), "stale 1")
      yield* seconds(1)
      assert.strictEqual(yield* told(cache.get(1)), "redis 1/2")
      assert.strictEqual(state.loads, 2)
    })
  )
})

describe("a refresh", () => {
  it.effect("begins past its share of the time, once for all hits, and is waited for by nobody", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make({ format: "entries", refreshAhead: 0.8 })
      yield* cache.get(1)
      yield* seconds(79)
      yield* cache.get(1)
      assert.strictEqual(state.loads, 1)
      yield* seconds(2)
      state.load = () => Effect.delay(Effect.succeed([1, 2]), "1 second")
      const hits = yield* Effect.all(
        Array.from({ length: 10 }, () => told(cache.get(1))),
        { concurrency: "unbounded" }
      )
      assert.isTrue(hits.every((hit) => hit === "redis 1"))
      assert.deepStrictEqual(
        (yield* cache.peekMany([1])).map((one) => one?.value),
        [[1]]
      )
      yield* seconds(1)
      assert.strictEqual(yield* told(cache.get(1)), "redis 1/2")
      assert.deepStrictEqual([state.loads, (yield* cache.stats).refreshes], [2, 1])
    })
  )

  it.effect("that fails costs nobody anything, and is not tried again at once", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make({ format: "entries", refreshAhead: 0.5, throttle: "10 seconds" })
      yield* cache.get(1)
      yield* seconds(60)
      state.load = () => Effect.fail("down")
      for (let i = 0; i < 5; i++) assert.strictEqual(yield* told(cache.get(1)), "redis 1")
      assert.strictEqual(state.loads, 2)
      yield* seconds(11)
      yield* cache.get(1)
      assert.strictEqual(state.loads, 3)
    })
  )

  it.effect("of what memory said looks into the store first: another process may have done it", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const [mine, other] = [
        yield* make({ format: "entries", refreshAhead: 0.5, memory: { ttl: "1 hour" } }),
        yield* make({ format: "entries" })
      ]
      yield* mine.get(1)
      yield* seconds(60)
      yield* other.putMany([{ key: 1, value: [1, 9], loadedAt: 60_000 }])
      assert.strictEqual(yield* told(mine.get(1)), "memory 1")
      yield* turn
      assert.strictEqual(yield* told(mine.get(1)), "memory 1/9")
      assert.strictEqual(state.loads, 1)
    })
  )

  it.effect("by XFetch begins before the end with the probability of the paper", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      // A load takes 10 s, so at 20 s before the end a read refreshes with e^(−2).
      state.load = () => Effect.delay(Effect.succeed([1]), "10 seconds")
      const cache = yield* make({ format: "entries", xfetch: 1 })
      let refreshed = 0
      const trials = 400
      for (let trial = 0; trial < trials; trial++) {
        const loading = yield* Effect.forkChild(cache.get(trial))
        yield* turn
        yield* seconds(10)
        yield* Fiber.join(loading)
        yield* seconds(70)
        const before = state.loads
        yield* cache.get(trial)
        if (state.loads > before) refreshed++
        yield* seconds(10)
      }
      assert.closeTo(refreshed / trials, Math.exp(-2), 0.05)
    }).pipe(Random.withSeed("xfetch"))
  )

  it.effect("is waited for where a transport says so, as before a Lambda's answer", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const background = yield* Background.make
      const cache = yield* make({ format: "entries", refreshAhead: 0.5 }).pipe(
        Effect.provideService(Background.Background, background)
      )
      yield* cache.get(1)
      yield* seconds(60)
      state.load = () => Effect.delay(Effect.succeed([1, 2]), "1 second")
      yield* cache.get(1)
      assert.strictEqual(background.pending() > 0, true)
      const drained = yield* Effect.forkChild(background.drain)
      yield* seconds(1)
      yield* Fiber.join(drained)
      assert.strictEqual(yield* told(cache.get(1)), "redis 1/2")
    })
  )
})

describe("a store that is slow", () => {
  it.effect("is waited for 15 ms, then the origin is asked; its late answer is nobody's", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make()
      yield* cache.get(1)
      state.store = 200
      const reading = yield* Effect.forkChild(told(cache.get(1)))
      yield* turn
      yield* TestClock.adjust(14)
      assert.strictEqual(state.loads, 1)
      yield* TestClock.adjust(1)
      yield* turn
      assert.strictEqual(yield* Fiber.join(reading), "origin 1")
      assert.strictEqual((yield* cache.stats).storeLate, 1)
      state.store = "mute"
      const mute = yield* Effect.forkChild(told(cache.get(2)))
      yield* turn
      yield* TestClock.adjust(15)
      yield* turn
      assert.strictEqual(yield* Fiber.join(mute), "origin 2")
    })
  )
})

describe("a load", () => {
  it.effect("that takes too long fails with the loader's own error, alone or among many", () =>
    Effect.gen(function* () {
      const { loadMany, make, state } = yield* world
      const cache = yield* make({ loadMany, hardTimeout: { after: "1 second", error: () => "down" as const } })
      state.load = () => Effect.never
      const [one, many] = [yield* Effect.forkChild(told(cache.get(1))), yield* Effect.forkChild(cache.getMany([2, 3]))]
      yield* turn
      yield* seconds(1)
      assert.strictEqual(yield* Fiber.join(one), "down")
      assert.deepStrictEqual(
        (yield* Fiber.join(many)).map((exit) => exit._tag),
        ["Failure", "Failure"]
      )
    })
  )

  it.effect("of many keys in one turn is one call, as is their read", () =>
    Effect.gen(function* () {
      const { loadMany, make, state } = yield* world
      const cache = yield* make({ loadMany })
      state.store = 1
      state.load = (id) => Effect.delay(Effect.succeed([id]), 20)
      const reads = yield* Effect.forkChild(
        Effect.all(
          Array.from({ length: 101 }, (_, id) => cache.get(id)),
          { concurrency: "unbounded" }
        )
      )
      yield* turn
      yield* TestClock.adjust(1)
      yield* turn
      yield* TestClock.adjust(20)
      assert.strictEqual((yield* Fiber.join(reads)).length, 101)
      // Who comes first finds nobody and waits for nobody.
      assert.strictEqual(state.reads, 2)
      assert.strictEqual(state.loadMany, 1)
      // What is written behind the answers.
      yield* TestClock.adjust(1)
      assert.strictEqual(state.loads, 101)
    })
  )

  it.effect("of a batch has the time of whoever has the most", () =>
    Effect.gen(function* () {
      const { make } = yield* world
      let left = 0
      const cache = yield* make({
        load: () => Effect.map(Deadline.remaining, (millis) => ((left = millis), [1]))
      })
      yield* Deadline.within("5 seconds")(cache.get(1))
      assert.strictEqual(left, 5_000)
    })
  )

  it.effect("that dies, or answers for fewer than it was asked, is a defect of those it owes", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      state.load = () => Effect.die("a bug")
      const cache = yield* make({ staleFor: "1 hour", fallback: () => Effect.succeed([0]) })
      assert.strictEqual(yield* told(cache.get(1)), "Die")
      const short = yield* make({ loadMany: () => Effect.succeed([Exit.succeed([7])]) })
      assert.deepStrictEqual(
        (yield* short.getMany([8, 9])).map((exit) => exit._tag),
        ["Success", "Failure"]
      )
    })
  )

  it.effect("of a batch stops with the last who waits for any of it", () =>
    Effect.gen(function* () {
      const { loadMany, make, state } = yield* world
      let stopped = 0
      state.load = () => Effect.onInterrupt(Effect.never, () => Effect.sync(() => void stopped++))
      const cache = yield* make({ loadMany })
      const batch = yield* Effect.forkChild(cache.getMany([1, 2, 3]), { startImmediately: true })
      yield* turn
      const joined = yield* Effect.forkChild(cache.get(2), { startImmediately: true })
      yield* turn
      yield* Fiber.interrupt(batch)
      assert.strictEqual(stopped, 0)
      yield* Fiber.interrupt(joined)
      assert.strictEqual(stopped, 3)
    })
  )
})

describe("what isn't there", () => {
  const negative = { when: (error: string) => error === "none", ttl: "10 seconds" } as const

  it.effect("is not asked for again for a while, and fails as the origin said", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      state.load = () => Effect.fail("none")
      const cache = yield* make({ negative })
      for (let i = 0; i < 3; i++) assert.strictEqual(yield* told(cache.get(1)), "none")
      assert.deepStrictEqual(
        (yield* cache.getMany([1])).map((exit) => exit._tag),
        ["Failure"]
      )
      assert.strictEqual(state.loads, 1)
      yield* seconds(10)
      state.load = () => Effect.succeed([5])
      assert.strictEqual(yield* told(cache.get(1)), "origin 5")
    })
  )

  for (const format of ["plain", "entries"] as const) {
    it.effect(`is known to other processes where its error can be written (${format})`, () =>
      Effect.gen(function* () {
        const { make, state } = yield* world
        const codec = CacheCodec.json(Schema.Literals(["down", "none"]))
        const options = { format, negative: { ...negative, codec } } as const
        const [mine, other] = [yield* make(options), yield* make({ ...options, fallback: () => Effect.succeed([0]) })]
        state.load = () => Effect.fail("none")
        assert.strictEqual(yield* told(mine.get(1)), "none")
        assert.strictEqual(yield* told(other.get(1)), "negative 0")
        assert.strictEqual(state.loads, 1)
        yield* mine.invalidate([1])
        yield* seconds(1)
        state.load = () => Effect.succeed([5])
        assert.strictEqual(yield* told(mine.get(1)), "origin 5")
        assert.strictEqual(yield* told(other.get(1)), "negative 0", "it was not told")
        yield* seconds(10)
        assert.strictEqual(yield* told(other.get(1)), "redis 5")
      })
    )
  }
})

describe("a fallback", () => {
  it.effect(
    "stands in where nothing is kept, is not kept itself, and gives way to the error where it has nothing",
    () =>
      Effect.gen(function* () {
        const { make, state } = yield* world
        state.load = () => Effect.fail("down")
        const cache = yield* make({ fallback: (id) => Effect.succeed(id === 2 ? undefined : [0]) })
        assert.strictEqual(yield* told(cache.get(1)), "fallback 0")
        assert.strictEqual(yield* told(cache.get(2)), "down")
        const broken = yield* make({ fallback: () => Effect.die("a bug") })
        assert.strictEqual(yield* told(broken.get(3)), "down")
        state.load = (id) => Effect.succeed([id])
        assert.strictEqual(yield* told(cache.get(1)), "origin 1")
        assert.strictEqual((yield* cache.stats).hits.fallback, 1)
      })
  )
})

describe("writes that an outage held back", () => {
  it.effect("are made up for when it is over: the last of each key, none past its time, so many a second", () =>
    Effect.gen(function* () {
      const { inner, make, state } = yield* world
      const cache = yield* make({ recovery: { perSecond: 20 } })
      state.store = "down"
      for (let id = 0; id < 5; id++) yield* cache.get(id)
      yield* cache.putMany([{ key: 0, value: [0, 7], loadedAt: 0 }])
      yield* seconds(5)
      state.store = 0
      yield* TestClock.adjust(100)
      yield* TestClock.adjust(100)
      const some = (yield* inner.getMany(["k:0", "k:1", "k:2", "k:3", "k:4"])).filter((bytes) => bytes !== undefined)
      assert.isAtMost(some.length, 4)
      yield* seconds(1)
      const all = yield* inner.getMany(["k:0", "k:1", "k:2", "k:3", "k:4"])
      assert.deepStrictEqual(
        all.map((bytes) => Buffer.from(bytes ?? []).toString()),
        ["[0,7]", "[1]", "[2]", "[3]", "[4]"]
      )
      assert.strictEqual((yield* cache.stats).recovered, 5)
      assert.strictEqual((yield* cache.stats).writesLost, 0)
    })
  )

  it.effect("are bounded; an invalidation among them takes what was stored before it along", () =>
    Effect.gen(function* () {
      const { inner, make, state } = yield* world
      const cache = yield* make({ recovery: { maxKeys: 3 } })
      yield* cache.get(1)
      state.store = "down"
      yield* seconds(1)
      assert.strictEqual(yield* cache.invalidate([1]), 1)
      yield* cache.get(2)
      yield* cache.get(3)
      yield* cache.get(4)
      assert.strictEqual((yield* cache.stats).writesLost, 1, "the oldest went")
      yield* cache.invalidate([1])
      state.store = 0
      yield* seconds(2)
      const found = yield* inner.getMany(["k:1", "k:2", "k:3", "k:4"])
      assert.deepStrictEqual(
        found.map((bytes) => bytes !== undefined),
        [false, false, true, true]
      )
    })
  )

  it.effect("are lost, and counted, where nothing is made up for", () =>
    Effect.gen(function* () {
      const { make, state } = yield* world
      const cache = yield* make()
      state.store = "down"
      yield* cache.get(1)
      yield* cache.putMany([{ key: 2, value: [2], loadedAt: 0 }])
      assert.strictEqual((yield* cache.stats).writesLost, 2)
    })
  )
})

describe("a warm-up", () => {
  it.effect("loads what isn't there, chunk by chunk, and spreads the ends", () =>
    Effect.gen(function* () {
      const { inner, loadMany, make, state } = yield* world
      const cache = yield* make({ loadMany, jitter: 0.1 })
      yield* cache.get(7)
      state.load = (id) => (id === 13 ? Effect.fail("down") : Effect.succeed([id]))
      assert.deepStrictEqual(yield* cache.warm(Array.from({ length: 250 }, (_, id) => id)), {
        present: 1,
        loaded: 248,
        failed: 1
      })
      assert.strictEqual(state.loadMany, 3)
      const ends = new Set<number>()
      for (let tenth = 0; tenth <= 10; tenth++) {
        yield* seconds(tenth === 0 ? 90 : 1)
        const left = yield* inner.getMany(Array.from({ length: 250 }, (_, id) => `k:${id}`))
        ends.add(left.filter((bytes) => bytes !== undefined).length)
      }
      assert.isAbove(ends.size, 8)
    }).pipe(Random.withSeed("warm"))
  )
})

describe("two versions of a program", () => {
  it.effect("read each other's plain values and entries, and no others' shape", () =>
    Effect.gen(function* () {
      const { inner, make } = yield* world
      const [plain, entries, next] = [
        yield* make(),
        yield* make({ format: "entries" }),
        yield* make({ format: "entries", schema: 2 })
      ]
      yield* plain.get(1)
      assert.deepInclude(yield* entries.get(1), { source: "redis", age: undefined })
      yield* entries.get(2)
      yield* seconds(5)
      assert.deepInclude(yield* plain.get(2), { source: "redis", age: 5_000 })
      assert.strictEqual(yield* told(next.get(2)), "origin 2")
      assert.strictEqual((yield* next.stats).decodeErrors, 1)
      yield* inner.setMany([{ key: "k:3", value: Buffer.from([0xc5, 0x10, 1]), ttl: 10_000 }])
      assert.strictEqual(yield* told(plain.get(3)), "origin 3")
    })
  )
})
