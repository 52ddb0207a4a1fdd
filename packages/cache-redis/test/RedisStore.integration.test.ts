import { assert, describe, it } from "@effect/vitest"
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as Deadline from "@leat/core/Deadline"
import * as CacheStoreSuite from "@leat/core/testing/CacheStoreSuite"
import * as CacheSuite from "@leat/core/testing/CacheSuite"
import * as Clock from "effect/Clock"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { Redis } from "ioredis"
import { inject } from "vitest"

import * as RedisStore from "../src/RedisStore.ts"

const { url } = inject("redis")

const environment = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { REDIS_ENDPOINT: url } }))
const store = RedisStore.layerConfig.pipe(Layer.provide(environment))

CacheStoreSuite.suite("Redis", store, { clock: "server" })
CacheSuite.suite("Redis", store)

/** Another program on the same Redis. */
const stranger = Effect.acquireRelease(
  Effect.sync(() => new Redis(url)),
  (client) => Effect.sync(() => client.disconnect())
)

const lists = Cache.make({
  key: (id: string) => id,
  codec: CacheCodec.ints({ max: 1_000_000, maxLength: 100 }),
  load: () => Effect.succeed<ReadonlyArray<number>>([7])
})

const freshKey = Effect.sync(() => `rec:user:${globalThis.crypto.randomUUID()}:top20`)

describe("the values under the contract's keys", () => {
  it.live("are JSON that another program can read, and expire", () =>
    Effect.gen(function* () {
      const other = yield* stranger
      const key = yield* freshKey
      const cache = yield* lists
      yield* cache.putMany([{ key, value: [1, 2, 3], loadedAt: yield* Clock.currentTimeMillis }])
      assert.strictEqual(yield* Effect.promise(() => other.get(key)), "[1,2,3]")
      const ttl = yield* Effect.promise(() => other.pttl(key))
      assert.isTrue(ttl > 3_200_000 && ttl <= 3_600_000, `${ttl}`)
    }).pipe(Effect.scoped, Effect.provide(store))
  )

  it.live("may be written by another program: that is a hit", () =>
    Effect.gen(function* () {
      const other = yield* stranger
      const key = yield* freshKey
      yield* Effect.promise(() => other.setex(key, 60, "[ 5, 6,\n 7 ]"))
      const cache = yield* lists
      assert.deepStrictEqual(yield* cache.get(key), { value: [5, 6, 7], source: "redis", age: undefined })
    }).pipe(Effect.scoped, Effect.provide(store))
  )

  it.live("may be poisoned, or of another type: that is a counted miss, and mended", () =>
    Effect.gen(function* () {
      const other = yield* stranger
      const key = yield* freshKey
      const hash = yield* freshKey
      yield* Effect.promise(() => other.setex(key, 60, '["DROP TABLE"]'))
      yield* Effect.promise(() => other.hset(hash, "a", "1"))
      const cache = yield* lists
      assert.deepStrictEqual(yield* cache.get(key), { value: [7], source: "origin", age: 0 })
      assert.strictEqual((yield* cache.get(key)).source, "redis")
      assert.strictEqual((yield* cache.get(hash)).source, "origin")
      assert.strictEqual((yield* cache.get(hash)).source, "redis")
      const { decodeErrors, misses } = yield* cache.stats
      assert.deepStrictEqual({ decodeErrors, misses }, { decodeErrors: 1, misses: 2 })
    }).pipe(Effect.scoped, Effect.provide(store))
  )

  it.live("survive a server that forgot its scripts", () =>
    Effect.gen(function* () {
      const other = yield* stranger
      const key = yield* freshKey
      const { getMany, setMany } = yield* CacheStore.CacheStore
      yield* setMany([{ key, value: Buffer.from("1"), ttl: 60_000 }])
      yield* Effect.promise(() => other.script("FLUSH"))
      yield* setMany([{ key, value: Buffer.from("2"), ttl: 60_000 }])
      assert.deepStrictEqual((yield* getMany([key])).map(String), ["2"])
    }).pipe(Effect.scoped, Effect.provide(store))
  )

  it.live("are not asked for when the deadline has passed", () =>
    Effect.gen(function* () {
      const { getMany } = yield* CacheStore.CacheStore
      const error = yield* Effect.flip(getMany(["a"]).pipe(Effect.provideService(Deadline.Deadline, 0)))
      assert.strictEqual(error.reason, "Timeout")
    }).pipe(Effect.provide(store))
  )
})
