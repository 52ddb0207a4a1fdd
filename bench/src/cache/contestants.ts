/** Caches over one Redis, each used as its own documentation has it. All keep lists of 20 ids for an hour. */
import KeyvRedis from "@keyv/redis"
import * as RedisStore from "@leat/cache-redis/RedisStore"
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import { BentoCache, bentostore } from "bentocache"
import { memoryDriver } from "bentocache/drivers/memory"
import { redisDriver } from "bentocache/drivers/redis"
import { Cacheable } from "cacheable"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import { Redis } from "ioredis"
import { Keyv } from "keyv"

export type Ids = ReadonlyArray<number>

/** Asks the origin; slow, or at once. */
export type Load = (user: number) => Promise<Ids>

/** Read-through, over memory alone or over Redis alone; a batch in the best way there is. */
export interface Contestant {
  readonly get: (user: number) => Promise<Ids>
  readonly batch: (users: ReadonlyArray<number>) => Promise<ReadonlyArray<Ids | undefined>>
  readonly close: () => Promise<void>
}

export type Level = "memory" | "redis"

export type Make = (port: number, level: Level, load: Load) => Promise<Contestant>

const hour = 3_600_000

export const keyOf = (user: number): string => `rec:user:${user}:top20`

/** What one writes by hand, without a single flight. Its memory is a `Map`. */
const byHand: Make = async (port, level, load) => {
  const redis = new Redis(port)
  const map = new Map<number, Ids>()
  const fill = async (user: number): Promise<Ids> => {
    const ids = await load(user)
    if (level === "memory") map.set(user, ids)
    else await redis.setex(keyOf(user), 3_600, JSON.stringify(ids))
    return ids
  }
  const parse = (text: string | null): Ids | undefined => (text === null ? undefined : (JSON.parse(text) as Ids))
  return {
    get: async (user) =>
      level === "memory"
        ? (map.get(user) ?? (await fill(user)))
        : (parse(await redis.get(keyOf(user))) ?? (await fill(user))),
    batch: async (users) =>
      level === "memory" ? users.map((user) => map.get(user)) : (await redis.mget(users.map(keyOf))).map(parse),
    close: async () => redis.disconnect()
  }
}

const leat: Make = async (port, level, load) => {
  const scope = Scope.makeUnsafe()
  const made = Cache.make({
    key: keyOf,
    codec: CacheCodec.ints({ max: 1_000_000, maxLength: 100 }),
    load: (user: number) => Effect.promise(() => load(user)),
    ...(level === "memory" ? { memory: { ttl: hour } } : {})
  })
  const store = Layer.buildWithScope(Layer.merge(RedisStore.layer({ port }), Logger.layer([])), scope)
  const cache = await Effect.runPromise(
    Effect.flatMap(store, (services) => Scope.provide(Effect.provideContext(made, services), scope))
  )
  return {
    get: async (user) => (await Effect.runPromise(cache.get(user))).value,
    batch: async (users) => (await Effect.runPromise(cache.peekMany(users))).map((found) => found?.value),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

const bentocache: Make = async (port, level, load) => {
  const redis = new Redis(port)
  const store = bentostore()
  const bento = new BentoCache({
    default: "films",
    stores: {
      films:
        level === "memory"
          ? store.useL1Layer(memoryDriver({ maxItems: 100_000 }))
          : store.useL2Layer(redisDriver({ connection: redis }))
    }
  })
  const get = (user: number): Promise<Ids> => bento.getOrSet({ key: keyOf(user), ttl: hour, factory: () => load(user) })
  return {
    get,
    // It has no call for many.
    batch: (users) => Promise.all(users.map((user) => bento.get<Ids>({ key: keyOf(user) }))),
    close: async () => {
      await bento.disconnectAll()
      redis.disconnect()
    }
  }
}

const cacheable: Make = async (port, level, load) => {
  const store = level === "memory" ? undefined : new KeyvRedis(`redis://127.0.0.1:${port}`)
  const cache = new Cacheable({ ttl: hour, ...(store === undefined ? {} : { primary: new Keyv({ store }) }) })
  return {
    get: async (user) => {
      const ids = await cache.getOrSet<Ids>(keyOf(user), () => load(user), { ttl: hour })
      if (ids === undefined) throw new Error("cacheable gave nothing")
      return ids
    },
    batch: (users) => cache.getMany<Ids>(users.map(keyOf)),
    close: () => cache.disconnect()
  }
}

export const reference = "ioredis by hand"

export type ContestantName = typeof reference | "Leat" | "bentocache" | "cacheable"

export const contestants: { readonly [name in ContestantName]: Make } = {
  [reference]: byHand,
  Leat: leat,
  bentocache,
  cacheable
}

export const names = Object.keys(contestants) as ReadonlyArray<ContestantName>
