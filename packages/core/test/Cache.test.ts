import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/testing/TestClock"

import * as Cache from "../src/Cache.ts"
import * as CacheCodec from "../src/CacheCodec.ts"
import * as CacheStore from "../src/CacheStore.ts"
import * as CacheSuite from "../src/testing/CacheSuite.ts"

CacheSuite.suite("memory", CacheStore.layerMemory())

const codec = CacheCodec.ints({ max: 1_000, maxLength: 10 })
const key = (id: number): string => `rec:${id}`

/** A store with one answer for everything it is asked, which notes what it was given. */
const layerStore = (
  answer: Effect.Effect<Uint8Array | undefined, CacheStore.CacheStoreError>,
  written: Array<CacheStore.Entry> = []
) =>
  Layer.succeed(CacheStore.CacheStore, {
    name: "redis",
    getMany: (keys) => Effect.map(answer, (bytes) => keys.map(() => bytes)),
    setMany: (entries) =>
      Effect.andThen(
        answer,
        Effect.sync(() => void written.push(...entries))
      ),
    invalidate: () => Effect.asVoid(answer),
    ready: () => Effect.succeed(true)
  })

const down = layerStore(Effect.fail(new CacheStore.CacheStoreError({ reason: "Timeout", message: "no reply" })))

describe("a store that can't be asked", () => {
  it.effect("is a miss, is counted, and is not written to", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make({ key, codec, load: (id) => Effect.succeed([id]) })
      assert.deepStrictEqual(yield* cache.get(1), { value: [1], source: "origin", age: 0 })
      assert.deepStrictEqual(yield* cache.peekMany([1, 2]), [undefined, undefined])
      yield* cache.putMany([{ key: 1, value: [1], loadedAt: 0 }])
      assert.strictEqual(yield* cache.invalidate([1, 2, 3]), 3)
      const { storeErrors, misses, writesLost } = yield* cache.stats
      // One get, one peek, one put, one invalidate: the get did not write after it could not read.
      assert.deepStrictEqual(storeErrors, { Timeout: 4, Closed: 0, Open: 0, Server: 0, Auth: 0 })
      assert.deepStrictEqual({ misses, writesLost }, { misses: 3, writesLost: 2 })
    }).pipe(Effect.provide(down))
  )
})

describe("bytes that are no value", () => {
  it.effect("are a miss, are counted, and are replaced", () => {
    const written: Array<CacheStore.Entry> = []
    return Effect.gen(function* () {
      const cache = yield* Cache.make({ key, codec, load: (id) => Effect.succeed([id]) })
      assert.strictEqual((yield* cache.get(7)).source, "origin")
      assert.deepStrictEqual(
        written.map((entry) => [entry.key, String(entry.value)]),
        [["rec:7", "[7]"]]
      )
      assert.strictEqual((yield* cache.stats).decodeErrors, 1)
    }).pipe(Effect.provide(layerStore(Effect.succeed(Buffer.from("[1001]")), written)))
  })
})

describe("the time to live", () => {
  const ttls = Effect.fnUntraced(function* (options: { readonly jitter?: number }) {
    const written: Array<CacheStore.Entry> = []
    const cache = yield* Cache.make({
      key,
      codec,
      ttl: "1000 seconds",
      ...options,
      load: () => Effect.succeed([])
    }).pipe(Effect.provide(layerStore(Effect.succeed(undefined), written)))
    yield* cache.putMany(Array.from({ length: 10_000 }, (_, id) => ({ key: id, value: [], loadedAt: 0 })))
    return written.map((entry) => entry.ttl)
  }, Random.withSeed("ttl"))

  it.effect("is shortened by up to a tenth, evenly, and never lengthened", () =>
    Effect.gen(function* () {
      const spread = yield* ttls({})
      assert.isTrue(spread.every((ttl) => ttl > 900_000 && ttl <= 1_000_000))
      for (let tenth = 0; tenth < 10; tenth++) {
        const from = 900_000 + tenth * 10_000
        const share = spread.filter((ttl) => ttl > from && ttl <= from + 10_000).length / spread.length
        assert.closeTo(share, 0.1, 0.015)
      }
    })
  )

  it.effect("is exact without jitter", () =>
    Effect.gen(function* () {
      assert.isTrue((yield* ttls({ jitter: 0 })).every((ttl) => ttl === 1_000_000))
    })
  )

  it.effect("ends a hit", () =>
    Effect.gen(function* () {
      const cache = yield* Cache.make({ key, codec, ttl: "1 minute", load: (id) => Effect.succeed([id]) })
      yield* cache.get(1)
      yield* TestClock.adjust("50 seconds")
      assert.strictEqual((yield* cache.get(1)).source, "memory")
      yield* TestClock.adjust("11 seconds")
      assert.strictEqual((yield* cache.get(1)).source, "origin")
    }).pipe(Effect.provide(CacheStore.layerMemory()))
  )
})

describe("an invalidation that the store did not hear of", () => {
  it.effect("still keeps what this process was loading out of the store", () => {
    const written: Array<CacheStore.Entry> = []
    const lost = Effect.fail(new CacheStore.CacheStoreError({ reason: "Closed", message: "lost" }))
    const deaf = Layer.effect(
      CacheStore.CacheStore,
      Effect.map(CacheStore.CacheStore, (store) => ({ ...store, invalidate: () => lost }))
    ).pipe(Layer.provide(layerStore(Effect.succeed(undefined), written)))
    return Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const cache = yield* Cache.make({ key, codec, load: (id) => Effect.as(Deferred.await(gate), [id]) })
      const reader = yield* Effect.forkChild(cache.get(1), { startImmediately: true })
      assert.strictEqual(yield* cache.invalidate([1]), 1)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual((yield* Fiber.join(reader)).value, [1])
      assert.deepStrictEqual(written, [])
    }).pipe(Effect.provide(deaf))
  })
})

describe("a load that begins before an invalidation", () => {
  it.effect("says so to the store: the time is taken before the load, not after", () => {
    const written: Array<CacheStore.Entry> = []
    return Effect.gen(function* () {
      yield* TestClock.adjust(5_000)
      const cache = yield* Cache.make({
        key,
        codec,
        load: (id) => Effect.as(TestClock.adjust(300), [id])
      })
      yield* cache.get(1)
      assert.strictEqual(written[0]?.ifLoadedAfter, 5_000)
    }).pipe(Effect.provide(layerStore(Effect.succeed(undefined), written)))
  })
})
