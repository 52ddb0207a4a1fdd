/* oxlint-disable no-console -- a bench prints */
/**
 * One connection or several: 100 reads of one key each in flight, over 1, 2, 4, 8 and 100 connections of ioredis, and through
 * `RedisStore` one by one and gathered as `Cache.get` does. `node packages/cache-redis/bench/Connections.bench.ts`
 *
 * Wall time and CPU of this process, rounds in turn, medians.
 */
import * as CacheStore from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import { Redis } from "ioredis"

import { RedisServer } from "../../../scripts/redis-server.ts"
import * as RedisStore from "../src/RedisStore.ts"

const inFlight = 100
const turns = 100
const rounds = 15
const keys = Array.from({ length: inFlight }, (_, i) => `rec:user:${i}:top20`)

const server = await RedisServer.start()
const runtime = ManagedRuntime.make(RedisStore.layer({ port: server.port }))
const store = await runtime.runPromise(CacheStore.CacheStore)
const pools = new Map(
  [1, 2, 4, 8, 100].map((size) => [size, Array.from({ length: size }, () => new Redis(server.port))])
)
const [first] = pools.get(1) ?? []
for (const key of keys) await first?.set(key, JSON.stringify(Array.from({ length: 20 }, (_, i) => i * 977)))

const contenders: ReadonlyArray<readonly [string, () => Promise<unknown>]> = [
  ...[...pools].map(
    ([size, pool]) =>
      [
        `ioredis, ${size} connection${size === 1 ? "" : "s"}`,
        () => Promise.all(keys.map(async (key, i) => await pool[i % size]?.get(key)))
      ] as const
  ),
  ["RedisStore, 1 connection", () => Promise.all(keys.map((key) => Effect.runPromise(store.getMany([key]))))],
  ["RedisStore, 1 connection, gathered", () => Effect.runPromise(store.getMany(keys))]
]

const seen = new Map(contenders.map(([name]) => [name, { wall: [] as Array<number>, cpu: [] as Array<number> }]))
for (let round = -2; round < rounds; round++) {
  for (const [name, run] of contenders) {
    const start = performance.now()
    const cpu = process.cpuUsage()
    for (let turn = 0; turn < turns; turn++) await run()
    const { system, user } = process.cpuUsage(cpu)
    if (round < 0) continue
    seen.get(name)?.wall.push((performance.now() - start) / turns)
    seen.get(name)?.cpu.push((user + system) / turns / inFlight)
  }
}
const median = (values: ReadonlyArray<number>): number => values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0
for (const [name, { cpu, wall }] of seen) {
  const perSecond = (inFlight * 1_000) / median(wall)
  console.log(
    `${name.padEnd(36)} ${median(wall).toFixed(2)} ms a hundred, ${(perSecond / 1_000).toFixed(0)}k reads/s, ${median(cpu).toFixed(1)} µs CPU a read`
  )
}

await runtime.dispose()
for (const pool of pools.values()) for (const redis of pool) redis.disconnect()
await server.stop()
