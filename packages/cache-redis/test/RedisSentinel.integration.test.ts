import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as CacheStoreSuite from "@leat/core/testing/CacheStoreSuite"
import * as CacheSuite from "@leat/core/testing/CacheSuite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { RedisSentinel } from "../../../scripts/redis-sentinel.ts"
import * as RedisStore from "../src/RedisStore.ts"

let watched: RedisSentinel
beforeAll(async () => {
  watched = await RedisSentinel.start()
})
afterAll(() => watched.stop())

const options = (): RedisStore.Options => ({
  mode: "sentinel",
  endpoints: watched.sentinels.map(({ host, port }) => ({ host, port })),
  sentinel: { master: watched.name }
})

// Where it isn't about time, a machine that is busy with other tests must not decide.
const layer = Layer.suspend(() => RedisStore.layer({ ...options(), timeout: "2 seconds" }))

CacheStoreSuite.suite("a primary that sentinels watch", layer, { clock: "server" })
CacheSuite.suite("a primary that sentinels watch", layer)

const entry = (key: string): CacheStore.Entry => ({ key, value: Buffer.from("[1]"), ttl: 600_000 })

// The last: afterwards the primary is another one.
describe("a failover", () => {
  it.live("with a sentinel down costs no read an error or much time, and the new primary is used by itself", () =>
    Effect.gen(function* () {
      const store = yield* RedisStore.make(options())
      const cache = yield* Cache.make({
        key: (id: number) => `failover:${id}`,
        codec: CacheCodec.ints(),
        load: (id) => Effect.succeed([id])
      }).pipe(Effect.provide(Layer.succeed(CacheStore.CacheStore, store)))
      yield* store.setMany([entry("failover:1")])
      yield* Effect.promise(() => Promise.all([watched.sentinels[0]?.kill(), watched.primary.kill()]))
      const killed = performance.now()
      let slow = 0
      for (;;) {
        const start = performance.now()
        const { source, value } = yield* cache.get(1)
        if (performance.now() - start > 100) slow++
        assert.deepStrictEqual(value, [1])
        if (source === "redis") break
        assert.isBelow(performance.now() - killed, 20_000, "never used again")
        yield* Effect.sleep(10)
      }
      assert.strictEqual(yield* Effect.promise(() => watched.master()), watched.replica.port)
      assert.isAtMost(slow, 1)
    }).pipe(Effect.scoped)
  )
})
