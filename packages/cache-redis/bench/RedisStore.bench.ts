/* oxlint-disable no-console, no-await-in-loop -- a bench prints, and measured things must not overlap */
/**
 * A batch of 100 cached lists of 20 ids, read and written: this package beside bare ioredis, on a Redis of its own.
 * `node packages/cache-redis/bench/RedisStore.bench.ts`
 *
 * CPU time of this process in µs a key, rounds in random turns; median and least.
 */
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Redis } from "ioredis"

import { RedisServer } from "../../../scripts/redis-server.ts"
import * as RedisStore from "../src/RedisStore.ts"

const batch = 100
const users = Array.from({ length: 20 * batch }, (_, user) => user)
const listOf = (user: number): ReadonlyArray<number> =>
  Array.from({ length: 20 }, (_, i) => 1 + ((user * 7_919 + i * 104_729) % 60_000))
const keyOf = (user: number): string => `rec:user:${user}:top20`
const batches = Array.from({ length: users.length / batch }, (_, i) => users.slice(i * batch, (i + 1) * batch))
const keys = batches.map((some) => some.map(keyOf))
const lists = batches.map((some) => some.map(listOf))

const server = await RedisServer.start()
const redis = new Redis(server.port)
class Films extends Context.Service<Films, Cache.Cache<number, ReadonlyArray<number>>>()(
  "@leat/cache-redis/bench/RedisStore.bench/Films"
) {}
const films = Layer.effect(
  Films,
  Cache.make({
    key: keyOf,
    codec: CacheCodec.ints({ max: 1_000_000, maxLength: 100 }),
    load: () => Effect.succeed<ReadonlyArray<number>>([])
  })
)
const runtime = ManagedRuntime.make(Layer.provideMerge(films, RedisStore.layer({ port: server.port })))
const store = await runtime.runPromise(CacheStore.CacheStore)
const cache = await runtime.runPromise(Films)
const encoded = lists.map((some) => some.map((list) => Buffer.from(JSON.stringify(list))))
const entries = keys.map((some, b) =>
  some.map((key, i) => ({ key, value: encoded[b]?.[i] ?? Buffer.of(), ttl: 3_600_000 - i, ifLoadedAfter: 1 }))
)
const loadedAt = await runtime.runPromise(Clock.currentTimeMillis)
const puts = batches.map((some, b) => some.map((key, i) => ({ key, value: lists[b]?.[i] ?? [], loadedAt })))

const setexPipeline = async (b: number): Promise<unknown> => {
  const pipeline = redis.pipeline()
  for (const [i, key] of (keys[b] ?? []).entries()) pipeline.setex(key, 3_600, JSON.stringify(lists[b]?.[i]))
  return pipeline.exec()
}

const contenders: ReadonlyArray<readonly [string, (b: number) => Promise<unknown>]> = [
  ["read: ioredis mget", (b) => redis.mget(keys[b] ?? [])],
  ["read: ioredis mgetBuffer", (b) => redis.mgetBuffer(keys[b] ?? [])],
  [
    "read: ioredis mget + JSON.parse",
    async (b) => (await redis.mget(keys[b] ?? [])).map((text) => JSON.parse(text ?? ""))
  ],
  ["read: RedisStore.getMany", (b) => Effect.runPromise(store.getMany(keys[b] ?? []))],
  ["read: Cache.peekMany (decoded)", (b) => Effect.runPromise(cache.peekMany(batches[b] ?? []))],
  ["write: ioredis SETEX pipeline", setexPipeline],
  ["write: RedisStore.setMany (fenced)", (b) => Effect.runPromise(store.setMany(entries[b] ?? []))],
  ["write: Cache.putMany (encoded, fenced)", (b) => Effect.runPromise(cache.putMany(puts[b] ?? []))]
]

for (let b = 0; b < batches.length; b++) await setexPipeline(b)
const measured = new Map<string, Array<number>>(contenders.map(([name]) => [name, []]))
const rounds = 20
const turns = 5
for (let round = 0; round < rounds; round++) {
  for (const [name, run] of contenders.toSorted(() => Math.random() - 0.5)) {
    const start = process.cpuUsage()
    for (let turn = 0; turn < turns; turn++) for (let b = 0; b < batches.length; b++) await run(b)
    const { user, system } = process.cpuUsage(start)
    if (round >= 4) measured.get(name)?.push((user + system) / (turns * users.length))
  }
}
for (const [name, all] of measured) {
  const sorted = all.toSorted((a, b) => a - b)
  const [least = 0] = sorted
  const median = sorted[sorted.length >> 1] ?? 0
  console.log(`${name.padEnd(42)} ${median.toFixed(2).padStart(6)} µs a key, least ${least.toFixed(2)}`)
}
const { hits, misses, storeErrors } = await runtime.runPromise(cache.stats)
console.log(JSON.stringify({ hits: hits.redis, misses, storeErrors }))

await runtime.dispose()
redis.disconnect()
await server.stop()
