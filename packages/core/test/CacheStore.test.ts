import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as CacheStore from "../src/CacheStore.ts"
import * as CacheStoreSuite from "../src/testing/CacheStoreSuite.ts"

CacheStoreSuite.suite("memory", CacheStore.layerMemory(), { clock: "test" })

describe("the memory store", () => {
  const entry = (key: string, bytes = 10): CacheStore.Entry => ({ key, value: new Uint8Array(bytes), ttl: 1_000 })

  const kept = Effect.fnUntraced(function* (keys: ReadonlyArray<string>) {
    const { getMany } = yield* CacheStore.CacheStore
    const found = yield* getMany(keys)
    return keys.filter((_, i) => found[i] !== undefined)
  })

  it.effect("keeps the entries read last when there are too many", () =>
    Effect.gen(function* () {
      const { getMany, setMany } = yield* CacheStore.CacheStore
      yield* setMany([entry("a"), entry("b"), entry("c")])
      yield* getMany(["a"])
      yield* setMany([entry("d")])
      assert.deepStrictEqual(yield* kept(["a", "b", "c", "d"]), ["a", "c", "d"])
    }).pipe(Effect.provide(CacheStore.layerMemory({ maxEntries: 3 })))
  )

  it.effect("keeps the entries read last when they are too large", () =>
    Effect.gen(function* () {
      const { setMany } = yield* CacheStore.CacheStore
      yield* setMany([entry("a", 400), entry("b", 400), entry("c", 400)])
      assert.deepStrictEqual(yield* kept(["a", "b", "c"]), ["b", "c"])
      yield* setMany([entry("d", 2_000)])
      assert.deepStrictEqual(yield* kept(["b", "c", "d"]), ["b", "c"])
    }).pipe(Effect.provide(CacheStore.layerMemory({ maxBytes: 1_000 })))
  )
})
