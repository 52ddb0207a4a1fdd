/**
 * What a {@link Cache.Cache} must do over any {@link CacheStore.CacheStore}, as tests.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

import * as Cache from "../Cache.ts"
import * as CacheCodec from "../CacheCodec.ts"
import * as CacheStore from "../CacheStore.ts"

/**
 * Runs the suite. Every test builds the store anew and uses keys of its own, so a server may be shared.
 *
 * @category constructors
 * @since 0.1.0
 */
export const suite = <E>(name: string, layer: Layer.Layer<CacheStore.CacheStore, E>): void => {
  const must: Must = (sentence, body) =>
    it.live(sentence, () => Effect.flatMap(counted, body).pipe(Effect.provide(layer)))
  describe(`Cache on ${name}`, () => {
    describe("reads through", () => readsThrough(must))
    describe("has one load in flight a key", () => {
      singleFlight(must)
      slowStop(must)
    })
    describe("reads and writes batches", () => batches(must))
    describe("after an invalidation", () => invalidation(must))
  })
}

/** The store of the test, and how often it was read and written. */
interface World {
  readonly store: CacheStore.CacheStore["Service"]
  readonly calls: { reads: number; writes: number }
}

type Must = (
  sentence: string,
  body: (world: World) => Effect.Effect<void, CacheStore.CacheStoreError, Scope.Scope>
) => void

const counted: Effect.Effect<World, never, CacheStore.CacheStore> = Effect.map(CacheStore.CacheStore, (store) => {
  const calls = { reads: 0, writes: 0 }
  const counting = CacheStore.CacheStore.of({
    ...store,
    getMany: (keys) => Effect.suspend(() => (calls.reads++, store.getMany(keys))),
    setMany: (entries) => Effect.suspend(() => (calls.writes++, store.setMany(entries)))
  })
  return { store: counting, calls }
})

const makeOn = <E = never>(
  { store }: World,
  load: (id: number) => Effect.Effect<ReadonlyArray<number>, E>
): Effect.Effect<Cache.Cache<number, ReadonlyArray<number>, E>, never, Scope.Scope> => {
  const prefix = `suite:${globalThis.crypto.randomUUID()}:`
  return Cache.make({
    key: (id: number) => `${prefix}${id}`,
    codec: CacheCodec.ints({ maxLength: 100 }),
    load
  }).pipe(Effect.provideService(CacheStore.CacheStore, store))
}

const readsThrough = (must: Must): void => {
  must("loads what is not stored and stores it", (world) =>
    Effect.gen(function* () {
      let loads = 0
      const cache = yield* makeOn(world, (id) => Effect.sync(() => (loads++, [id, 2])))
      assert.deepStrictEqual(yield* cache.get(1), { value: [1, 2], source: "origin", age: 0 })
      const again = yield* cache.get(1)
      assert.deepStrictEqual(again.value, [1, 2])
      assert.oneOf(again.source, ["memory", "redis"])
      assert.strictEqual(loads, 1)
      const { hits, misses } = yield* cache.stats
      assert.deepStrictEqual([hits.memory + hits.redis, misses], [1, 1])
    })
  )

  must("fails with the loader's error, which is not stored", (world) =>
    Effect.gen(function* () {
      let loads = 0
      const cache = yield* makeOn(world, () =>
        Effect.suspend(() => (++loads === 1 ? Effect.fail<"down">("down") : Effect.succeed([1])))
      )
      assert.deepStrictEqual(yield* Effect.exit(cache.get(1)), Exit.fail<"down">("down"))
      assert.strictEqual((yield* Effect.orDie(cache.get(1))).source, "origin")
      assert.strictEqual(world.calls.writes, 1)
    })
  )
}

const singleFlight = (must: Must): void => {
  must("for 1,000 readers: one read of the store, one load, one write", (world) =>
    Effect.gen(function* () {
      let loads = 0
      const cache = yield* makeOn(world, (id) =>
        Effect.delay(
          Effect.sync(() => (loads++, [id])),
          20
        )
      )
      const found = yield* Effect.all(
        Array.from({ length: 1_000 }, () => cache.get(1)),
        { concurrency: "unbounded" }
      )
      assert.isTrue(found.every(({ value }) => value[0] === 1))
      assert.deepStrictEqual({ ...world.calls, loads }, { reads: 1, writes: 1, loads: 1 })
      assert.strictEqual((yield* cache.stats).joined, 999)
    })
  )

  must("which every reader sees fail", (world) =>
    Effect.gen(function* () {
      const cache = yield* makeOn(world, () => Effect.delay(Effect.fail("down" as const), 20))
      const exits = yield* Effect.all(
        Array.from({ length: 10 }, () => Effect.exit(cache.get(1))),
        { concurrency: "unbounded" }
      )
      assert.isTrue(exits.every((exit) => Exit.isFailure(exit) && Cause.squash(exit.cause) === "down"))
    })
  )

  must("which goes on when one of several readers is interrupted", (world) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const began = yield* Deferred.make<void>()
      const cache = yield* makeOn(world, (id) =>
        Effect.as(Effect.andThen(Deferred.succeed(began, undefined), Deferred.await(gate)), [id])
      )
      const first = yield* Effect.forkChild(cache.get(1))
      yield* Deferred.await(began)
      const second = yield* Effect.forkChild(cache.get(1), { startImmediately: true })
      yield* Fiber.interrupt(first)
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual((yield* Fiber.join(second)).value, [1])
    })
  )

  must("which stops with its last reader, and the next reader starts another", (world) =>
    Effect.gen(function* () {
      let stopped = 0
      let loads = 0
      const began = yield* Deferred.make<void>()
      const cache = yield* makeOn(world, (id) =>
        Effect.suspend(() =>
          ++loads === 1
            ? Effect.onInterrupt(Effect.andThen(Deferred.succeed(began, undefined), Effect.never), () =>
                Effect.sync(() => void stopped++)
              )
            : Effect.succeed([id])
        )
      )
      const readers = [yield* Effect.forkChild(cache.get(1)), yield* Effect.forkChild(cache.get(1))]
      yield* Deferred.await(began)
      yield* Fiber.interruptAll(readers)
      assert.deepStrictEqual([loads, stopped], [1, 1])
      assert.deepStrictEqual((yield* cache.get(1)).value, [1])
    })
  )
}

const slowStop = (must: Must): void => {
  must("which nobody joins while it is being stopped", (world) =>
    Effect.gen(function* () {
      let loads = 0
      const began = yield* Deferred.make<void>()
      const stopping = yield* Deferred.make<void>()
      const cache = yield* makeOn(world, (id) =>
        Effect.suspend(() =>
          ++loads === 1
            ? Effect.onInterrupt(Effect.andThen(Deferred.succeed(began, undefined), Effect.never), () =>
                Effect.andThen(Deferred.succeed(stopping, undefined), Effect.sleep(30))
              )
            : Effect.succeed([id])
        )
      )
      const reader = yield* Effect.forkChild(cache.get(1))
      yield* Deferred.await(began)
      const interruption = yield* Effect.forkChild(Fiber.interrupt(reader))
      yield* Deferred.await(stopping)
      assert.deepStrictEqual((yield* cache.get(1)).value, [1])
      yield* Fiber.join(interruption)
    })
  )
}

const batches = (must: Must): void => {
  must("in one call of the store each, loading nothing", (world) =>
    Effect.gen(function* () {
      const cache = yield* makeOn(world, () => Effect.die("loaded"))
      const ids = Array.from({ length: 100 }, (_, i) => i)
      const loadedAt = yield* Clock.currentTimeMillis
      assert.isTrue((yield* cache.peekMany(ids)).every((found) => found === undefined))
      yield* cache.putMany(ids.filter((id) => id % 2 === 0).map((id) => ({ key: id, value: [id], loadedAt })))
      const found = yield* cache.peekMany(ids)
      assert.deepStrictEqual(
        found.map((cached) => cached?.value[0]),
        ids.map((id) => (id % 2 === 0 ? id : undefined))
      )
      assert.deepStrictEqual(world.calls, { reads: 2, writes: 1 })
    })
  )

  must("of nothing without asking for anything", (world) =>
    Effect.gen(function* () {
      const cache = yield* makeOn(world, () => Effect.die("loaded"))
      assert.deepStrictEqual(yield* cache.peekMany([]), [])
      yield* cache.putMany([])
      assert.strictEqual(yield* cache.invalidate([]), 0)
    })
  )
}

const invalidation = (must: Must): void => {
  must("loads again", (world) =>
    Effect.gen(function* () {
      let loads = 0
      const cache = yield* makeOn(world, () => Effect.sync(() => [++loads]))
      yield* cache.get(1)
      assert.strictEqual(yield* cache.invalidate([1]), 0)
      assert.deepStrictEqual(yield* cache.get(1), { value: [2], source: "origin", age: 0 })
    })
  )

  must("what was being loaded is given to who waited, but neither stored nor joined", (world) =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const began = yield* Deferred.make<void>()
      let loads = 0
      const cache = yield* makeOn(world, () =>
        Effect.suspend(() =>
          ++loads === 1
            ? Effect.as(Effect.andThen(Deferred.succeed(began, undefined), Deferred.await(gate)), [111])
            : Effect.succeed([222])
        )
      )
      const before = yield* Effect.forkChild(cache.get(1))
      yield* Deferred.await(began)
      yield* cache.invalidate([1])
      yield* Effect.sleep(2)
      assert.deepStrictEqual((yield* cache.get(1)).value, [222])
      yield* Deferred.succeed(gate, undefined)
      assert.deepStrictEqual((yield* Fiber.join(before)).value, [111])
      assert.deepStrictEqual((yield* cache.peekMany([1]))[0]?.value, [222])
    })
  )

  must("what was loaded elsewhere before it is not stored", (world) =>
    Effect.gen(function* () {
      const cache = yield* makeOn(world, () => Effect.die("loaded"))
      const loadedAt = yield* Clock.currentTimeMillis
      yield* cache.invalidate([1])
      yield* cache.putMany([{ key: 1, value: [1], loadedAt }])
      assert.deepStrictEqual(yield* cache.peekMany([1]), [undefined])
    })
  )
}
