import { afterAll, assert, beforeAll, describe, it } from "@effect/vitest"
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as CacheStoreSuite from "@leat/core/testing/CacheStoreSuite"
import * as CacheSuite from "@leat/core/testing/CacheSuite"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"

import { RedisCluster } from "../../../scripts/redis-cluster.ts"
import { tell } from "../../../scripts/redis-server.ts"
import { slotOf } from "../src/internal/cluster/slots.ts"
import * as RedisStore from "../src/RedisStore.ts"

let cluster: RedisCluster
beforeAll(async () => {
  cluster = await RedisCluster.start()
})
afterAll(() => cluster.stop())

/** One node is enough to find the others. */
const options = (): RedisStore.Options => ({
  mode: "cluster",
  endpoints: cluster.nodes.slice(0, 1).map(({ host, port }) => ({ host, port }))
})

/** Where it isn't about time, a machine that is busy with other tests must not decide. */
const patient = (): RedisStore.Options => ({ ...options(), timeout: "2 seconds" })

const layer = Layer.suspend(() => RedisStore.layer(patient()))

CacheStoreSuite.suite("a cluster", layer, { clock: "server" })
CacheSuite.suite("a cluster", layer)

const minute = 60_000
const entry = (key: string, text = "[1]"): CacheStore.Entry => ({ key, value: Buffer.from(text), ttl: 10 * minute })
const keys = Array.from({ length: 100 }, (_, i) => `cluster:${i}`)

const present = (found: ReadonlyArray<Uint8Array | undefined>) => found.filter((bytes) => bytes !== undefined).length

const calls = Effect.fnUntraced(function* (command: string) {
  const stats = yield* Effect.promise(() =>
    Promise.all(cluster.nodes.map(({ port }) => tell(port, "INFO", "commandstats")))
  )
  return stats.map((text) => Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(text)?.[1] ?? 0))
})

describe("a batch on a cluster", () => {
  it.live("goes to all nodes, and comes back in its order", () =>
    Effect.gen(function* () {
      const store = yield* RedisStore.make(patient())
      const before = yield* calls("mget")
      yield* store.setMany(keys.map((key, i) => entry(key, `[${i}]`)))
      const found = yield* store.getMany(keys)
      assert.deepStrictEqual(
        found.map(String),
        keys.map((_, i) => `[${i}]`)
      )
      const after = yield* calls("mget")
      assert.isTrue(after.every((count, node) => count > (before[node] ?? 0)))
    }).pipe(Effect.scoped)
  )

  it.live("survives nodes that forgot their scripts", () =>
    Effect.gen(function* () {
      const store = yield* RedisStore.make(patient())
      yield* Effect.promise(() => Promise.all(cluster.nodes.map(({ port }) => tell(port, "SCRIPT", "FLUSH"))))
      yield* store.setMany(keys.map((key) => entry(key)))
      assert.strictEqual(present(yield* store.getMany(keys)), 100)
      yield* store.invalidate(keys, yield* Clock.currentTimeMillis)
      assert.strictEqual(present(yield* store.getMany(keys)), 0)
    }).pipe(Effect.scoped)
  )
})

describe("a slot that moves", () => {
  it.live("is followed during the move and after it, without an error or a wrong value", () =>
    Effect.gen(function* () {
      const store = yield* RedisStore.make(patient())
      const mine = Array.from({ length: 40 }, (_, i) => `{moving}${i}`)
      const slot = slotOf("{moving}")
      yield* store.setMany(mine.map((key, i) => entry(key, `[${i}]`)))
      const errors: Array<string> = []
      const done = { reads: 0, writes: 0, unwritten: 0 }
      const run = { going: true }
      const reading = Effect.gen(function* () {
        while (run.going) {
          // Keys of one slot in one command while it moves: some here, some there.
          const found = yield* store
            .getMany([...mine, ...keys])
            .pipe(Effect.tapError(({ message }) => Effect.sync(() => errors.push(`read: ${message}`))))
          for (const [i, bytes] of found.slice(0, 40).entries()) {
            if (bytes !== undefined) assert.strictEqual(String(bytes), `[${i}]`)
          }
          done.reads++
          yield* Effect.sleep(2)
        }
      })
      const writing = Effect.gen(function* () {
        while (run.going) {
          const at = (yield* Clock.currentTimeMillis) + 1
          const written = store.setMany(mine.map((key, i) => ({ ...entry(key, `[${i}]`), ifLoadedAfter: at })))
          yield* Effect.match(written, {
            onSuccess: () => done.writes++,
            // A script needs value and fence on one node, which is nowhere the case while the slot is on its way.
            onFailure: ({ message }) =>
              /^(TRYAGAIN|MOVED)/.test(message) ? done.unwritten++ : errors.push(`write: ${message}`)
          })
          yield* Effect.sleep(2)
        }
      })
      const running = yield* Effect.forkChild(Effect.all([reading, writing], { concurrency: 2 }))
      yield* Effect.sleep(50)
      const from = yield* Effect.promise(() => cluster.owner(slot))
      for (const to of [(from + 1) % 3, (from + 2) % 3, from]) {
        yield* Effect.promise(() =>
          cluster.moveSlot(slot, to, () => new Promise((resolve) => setTimeout(resolve, 150)))
        )
        yield* Effect.sleep(50)
      }
      run.going = false
      yield* Fiber.join(running)
      assert.isAbove(done.reads, 50)
      assert.isAbove(done.writes, 10)
      assert.isAtMost(done.unwritten, 3)
      assert.deepStrictEqual(errors, [])
      const found = yield* store.getMany(mine)
      assert.deepStrictEqual(
        found.map(String),
        mine.map((_, i) => `[${i}]`)
      )
      const redirections = yield* Effect.promise(() =>
        Promise.all(cluster.nodes.map(({ port }) => tell(port, "INFO", "errorstats")))
      )
      assert.isTrue(
        redirections.some((text) => text.includes("errorstat_MOVED")),
        "MOVED was seen"
      )
      assert.isTrue(
        redirections.some((text) => text.includes("errorstat_ASK")),
        "ASK was seen"
      )
    }).pipe(Effect.scoped)
  )
})

describe("a node of a cluster that hangs", () => {
  it.live("costs its keys three timeouts and then nothing, and the others' none", () =>
    Effect.gen(function* () {
      const store = yield* RedisStore.make(options())
      const cache = yield* Cache.make({
        key: (id: number) => `hang:${id}`,
        codec: CacheCodec.ints(),
        load: (id) => Effect.succeed([id])
      }).pipe(Effect.provide(Layer.succeed(CacheStore.CacheStore, store)))
      yield* store.setMany(keys.map((key) => entry(key)))
      const victims = cluster.nodes.slice(1, 2)
      for (const node of victims) node.freeze()
      const thaw = Effect.sync(() => {
        for (const node of victims) node.thaw()
      })
      yield* Effect.addFinalizer(() => thaw)
      const took: Array<number> = []
      for (let i = 0; i < 20; i++) {
        const start = performance.now()
        const found = yield* store.getMany(keys)
        took.push(performance.now() - start)
        assert.isAbove(present(found), 50)
        assert.isBelow(present(found), 100)
      }
      assert.isAtMost(took.filter((millis) => millis > 60).length, 3, took.map(Math.round).join(" "))
      assert.isTrue(
        (yield* Effect.forEach(
          Array.from({ length: 30 }, (_, i) => i),
          cache.get
        )).every(({ value }) => value.length === 1)
      )
      yield* thaw
      const start = performance.now()
      while (present(yield* store.getMany(keys)) < 100 && performance.now() - start < 5_000) yield* Effect.sleep(20)
      assert.strictEqual(present(yield* store.getMany(keys)), 100)
    }).pipe(Effect.scoped)
  )
})

describe("a cluster that is not there", () => {
  it.live("delays neither the layer nor a read, and leaves nothing", () =>
    Effect.gen(function* () {
      const start = performance.now()
      const store = yield* RedisStore.make({ mode: "cluster", endpoints: [{ host: "127.0.0.1", port: 1 }] })
      assert.isBelow(performance.now() - start, 400)
      const error = yield* Effect.flip(store.getMany(keys))
      assert.strictEqual(error.reason, "Closed")
      assert.isFalse(yield* store.ready("10 millis"))
    }).pipe(Effect.scoped)
  )
})
