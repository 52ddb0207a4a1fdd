import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"

export type Ids = ReadonlyArray<number>

/** A store in memory that can be slow, down or mute, and an origin likewise; both count. */
export const world = Effect.gen(function* () {
  const inner = yield* Effect.provide(CacheStore.CacheStore, CacheStore.layerMemory())
  const state = {
    reads: 0,
    writes: 0,
    /** What the store does with a call: answers after so long, fails, or never says anything. */
    store: 0 as number | "down" | "mute",
    loads: 0,
    loadMany: 0,
    running: new Map<number, number>(),
    /** The most loads of one key at once. */
    most: 0,
    load: (id: number): Effect.Effect<Ids, "down" | "none"> => Effect.succeed([id])
  }
  const error = new CacheStore.CacheStoreError({ reason: "Closed", message: "down" })
  const call = <A>(
    effect: Effect.Effect<A, CacheStore.CacheStoreError>
  ): Effect.Effect<A, CacheStore.CacheStoreError> =>
    Effect.suspend(() => {
      if (state.store === "down") return Effect.fail(error)
      if (state.store === "mute") return Effect.never
      return state.store === 0 ? effect : Effect.delay(effect, state.store)
    })
  const store = CacheStore.CacheStore.of({
    name: "redis",
    getMany: (keys) => Effect.suspend(() => (state.reads++, call(inner.getMany(keys)))),
    setMany: (entries) => Effect.suspend(() => (state.writes++, call(inner.setMany(entries)))),
    invalidate: (keys, at) => call(inner.invalidate(keys, at)),
    ready: () => Effect.sync(() => state.store !== "down" && state.store !== "mute")
  })
  const load = (id: number): Effect.Effect<Ids, "down" | "none"> =>
    Effect.suspend(() => {
      state.loads++
      const now = (state.running.get(id) ?? 0) + 1
      state.running.set(id, now)
      state.most = Math.max(state.most, now)
      return Effect.ensuring(
        state.load(id),
        Effect.sync(() => state.running.set(id, (state.running.get(id) ?? 1) - 1))
      )
    })
  const loadMany = (ids: ReadonlyArray<number>) =>
    Effect.suspend(() => {
      state.loadMany++
      return Effect.forEach(ids, (id) => Effect.exit(load(id)), { concurrency: "unbounded" })
    })
  const make = (
    options: Partial<Cache.Options<number, Ids, "down" | "none", never>> = {}
  ): Effect.Effect<Cache.Cache<number, Ids, "down" | "none">, never, Scope.Scope> =>
    Cache.make<number, Ids, "down" | "none">({
      key: (id) => `k:${id}`,
      codec: CacheCodec.ints(),
      ttl: "100 seconds",
      jitter: 0,
      load,
      ...options
    }).pipe(Effect.provideService(CacheStore.CacheStore, store))
  return { state, store, inner, make, loadMany }
})

/** A result in a word: the source and the ids, or the error. */
export const told = (get: Effect.Effect<Cache.Cached<Ids>, "down" | "none">): Effect.Effect<string> =>
  Effect.map(Effect.exit(get), (exit) => {
    if (Exit.isSuccess(exit)) return `${exit.value.source} ${exit.value.value.join("/")}`
    const reasons = exit.cause.reasons.map((one) => (one._tag === "Fail" ? one.error : one._tag))
    return reasons.join(",")
  })
