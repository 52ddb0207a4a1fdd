/**
 * What every {@link CacheStore.CacheStore} must do, as tests.
 *
 * **Example** (A test file of an implementation)
 *
 * ```ts no-run
 * import * as CacheStore from "@leat/core/CacheStore"
 * import * as CacheStoreSuite from "@leat/core/testing/CacheStoreSuite"
 *
 * CacheStoreSuite.suite("memory", CacheStore.layerMemory(), { clock: "test" })
 * ```
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"

import * as CacheStore from "../CacheStore.ts"

/**
 * What an implementation promises.
 *
 * @category models
 * @since 0.1.0
 */
export interface Promises {
  /** Whose clock ends a time to live: the test's own, or a server's, for which the suite really waits. */
  readonly clock: "test" | "server"
}

/**
 * Runs the suite. Every test builds the store anew and uses keys of its own, so a server may be shared.
 *
 * @category constructors
 * @since 0.1.0
 */
export const suite = <E>(name: string, layer: Layer.Layer<CacheStore.CacheStore, E>, promises: Promises): void => {
  const must: Must = (sentence, body) => {
    const run = promises.clock === "test" ? it.effect : it.live
    run(sentence, () =>
      Effect.gen(function* () {
        const prefix = `suite:${globalThis.crypto.randomUUID()}:`
        yield* body({ store: yield* CacheStore.CacheStore, key: (id) => `${prefix}${id}`, pass: passing(promises) })
      }).pipe(Effect.provide(layer))
    )
  }
  describe(`CacheStore on ${name}`, () => {
    describe("reads and writes", () => readsAndWrites(must))
    describe("keeps any bytes", () => keepsAnyBytes(must))
    describe("forgets in time", () => forgetsInTime(must))
    describe("an invalidation", () => invalidation(must, promises))
  })
}

interface World {
  readonly store: CacheStore.CacheStore["Service"]
  readonly key: (id: string | number) => string
  /** Lets so many milliseconds pass on the store's clock. */
  readonly pass: (millis: number) => Effect.Effect<void>
}

type Must = (sentence: string, body: (world: World) => Effect.Effect<void, CacheStore.CacheStoreError>) => void

const passing =
  (promises: Promises): World["pass"] =>
  (millis) =>
    promises.clock === "test" ? TestClock.adjust(millis) : Effect.sleep(millis)

const minute = 60_000
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const entry = (key: string, text: string, ttl = minute): CacheStore.Entry => ({ key, value: bytes(text), ttl })

const readTexts = Effect.fnUntraced(function* (store: World["store"], keys: ReadonlyArray<string>) {
  const found = yield* store.getMany(keys)
  return found.map((value) => (value === undefined ? undefined : new TextDecoder().decode(value)))
})

const readsAndWrites = (must: Must): void => {
  must("gives back what was written", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one")])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["one"])
    })
  )

  must("answers in the order of the keys, a miss as undefined", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one"), entry(key("b"), "two")])
      const found = yield* readTexts(store, [key("b"), key("none"), key("a")])
      assert.deepStrictEqual(found, ["two", undefined, "one"])
    })
  )

  must("answers a key that is asked for twice twice", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one")])
      assert.deepStrictEqual(yield* readTexts(store, [key("a"), key("a")]), ["one", "one"])
    })
  )

  must("keeps the last value written, in a later batch and in the same", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one"), entry(key("a"), "two")])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["two"])
      yield* store.setMany([entry(key("a"), "three")])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["three"])
    })
  )

  must("takes empty batches", ({ store }) =>
    Effect.gen(function* () {
      yield* store.setMany([])
      yield* store.invalidate([], 0)
      assert.deepStrictEqual(yield* store.getMany([]), [])
    })
  )

  must("takes batches of 1,000 keys", ({ store, key }) =>
    Effect.gen(function* () {
      const keys = Array.from({ length: 1_000 }, (_, i) => key(i))
      yield* store.setMany(keys.map((name, i) => entry(name, String(i))))
      assert.deepStrictEqual(
        yield* readTexts(store, keys),
        keys.map((_, i) => String(i))
      )
      yield* store.invalidate(keys, yield* Clock.currentTimeMillis)
      assert.deepStrictEqual(
        yield* readTexts(store, keys),
        keys.map(() => undefined)
      )
    })
  )

  must("says within the time given that it is ready", ({ store }) =>
    Effect.gen(function* () {
      assert.isTrue(yield* store.ready("5 seconds"))
    })
  )
}

const keepsAnyBytes = (must: Must): void => {
  must("every byte, line ends and zeros included", ({ store, key }) =>
    Effect.gen(function* () {
      const all = Uint8Array.from({ length: 256 }, (_, i) => i)
      yield* store.setMany([{ key: key("all"), value: all, ttl: minute }])
      const [found] = yield* store.getMany([key("all")])
      assert.deepStrictEqual([...(found ?? [])], [...all])
    })
  )

  must("an empty value, which is not a miss", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("empty"), "")])
      assert.deepStrictEqual(yield* readTexts(store, [key("empty")]), [""])
    })
  )

  must("a value of 1 MiB", ({ store, key }) =>
    Effect.gen(function* () {
      const value = new Uint8Array(1024 * 1024).fill(0xa5)
      yield* store.setMany([{ key: key("large"), value, ttl: minute }])
      const [found] = yield* store.getMany([key("large")])
      assert.strictEqual(found?.length, value.length)
      assert.isTrue(found?.every((byte) => byte === 0xa5))
    })
  )

  must("under keys of any letters", ({ store, key }) =>
    Effect.gen(function* () {
      const keys = ["é", "日本", "🎬", "a b", "{tag}", "}{", 'quo"te', "line\r\nend"].map(key)
      yield* store.setMany(keys.map((name) => entry(name, name)))
      assert.deepStrictEqual(yield* readTexts(store, keys), keys)
    })
  )

  must("as they were when they were written", ({ store, key }) =>
    Effect.gen(function* () {
      const value = bytes("before")
      yield* store.setMany([{ key: key("a"), value, ttl: minute }])
      value.fill(0)
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["before"])
    })
  )
}

const forgetsInTime = (must: Must): void => {
  must("each entry at the end of its own time", ({ store, key, pass }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("short"), "one", 40), entry(key("long"), "two")])
      yield* pass(80)
      assert.deepStrictEqual(yield* readTexts(store, [key("short"), key("long")]), [undefined, "two"])
    })
  )

  must("counts the time of an entry from its last write", ({ store, key, pass }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one", 40)])
      yield* store.setMany([entry(key("a"), "two", minute)])
      yield* pass(80)
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["two"])
    })
  )

  must("takes a fraction of a millisecond", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one", 3_596_400.25)])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["one"])
    })
  )

  must("forgets at once what has no time to live, and the rest of the batch stays", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one")])
      yield* store.setMany([entry(key("a"), "two", 0), entry(key("b"), "three")])
      assert.deepStrictEqual(yield* readTexts(store, [key("a"), key("b")]), [undefined, "three"])
    })
  )
}

const invalidation = (must: Must, promises: Promises): void => {
  must("forgets the keys it names and no others", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.setMany([entry(key("a"), "one"), entry(key("b"), "two")])
      yield* store.invalidate([key("a"), key("none")], yield* Clock.currentTimeMillis)
      assert.deepStrictEqual(yield* readTexts(store, [key("a"), key("b")]), [undefined, "two"])
    })
  )

  must("beats a write that was loaded before it, or in the same millisecond", ({ store, key }) =>
    Effect.gen(function* () {
      const at = (yield* Clock.currentTimeMillis) + 1_000
      yield* store.invalidate([key("a"), key("b")], at)
      yield* store.setMany([
        { ...entry(key("a"), "old"), ifLoadedAfter: at - 1 },
        { ...entry(key("b"), "old"), ifLoadedAfter: at },
        { ...entry(key("c"), "other"), ifLoadedAfter: at - 1 }
      ])
      assert.deepStrictEqual(yield* readTexts(store, [key("a"), key("b"), key("c")]), [undefined, undefined, "other"])
    })
  )

  must("gives way to a write that was loaded after it", ({ store, key }) =>
    Effect.gen(function* () {
      const at = yield* Clock.currentTimeMillis
      yield* store.invalidate([key("a")], at)
      yield* store.setMany([{ ...entry(key("a"), "new"), ifLoadedAfter: at + 1 }])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["new"])
    })
  )

  must("gives way to a write that doesn't say when it was loaded", ({ store, key }) =>
    Effect.gen(function* () {
      yield* store.invalidate([key("a")], yield* Clock.currentTimeMillis)
      yield* store.setMany([entry(key("a"), "given")])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["given"])
    })
  )

  must("is not undone by an older one that comes later", ({ store, key }) =>
    Effect.gen(function* () {
      const at = yield* Clock.currentTimeMillis
      yield* store.invalidate([key("a")], at)
      yield* store.invalidate([key("a")], at - 500)
      yield* store.setMany([{ ...entry(key("a"), "old"), ifLoadedAfter: at - 100 }])
      assert.deepStrictEqual(yield* readTexts(store, [key("a")]), [undefined])
    })
  )

  if (promises.clock === "test") {
    must("is forgotten itself when no load can be that old", ({ store, key, pass }) =>
      Effect.gen(function* () {
        const at = yield* Clock.currentTimeMillis
        yield* store.invalidate([key("a")], at)
        yield* pass(CacheStore.fence + 1)
        yield* store.setMany([{ ...entry(key("a"), "ancient"), ifLoadedAfter: at }])
        assert.deepStrictEqual(yield* readTexts(store, [key("a")]), ["ancient"])
      })
    )
  } else {
    it.skip("is forgotten itself when no load can be that old: needs the test's clock", () => {})
  }
}
