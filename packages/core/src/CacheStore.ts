/**
 * Where cached bytes live: the port behind {@link "./Cache.ts"}, batch first.
 *
 * A store never owns the truth. It may lose an entry at any time, it must not serve one past its time to live, and
 * {@link CacheStore.Service.invalidate} must win over a write whose value was loaded before it.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as boundedMemory from "./internal/cache/boundedMemory.ts"
import { BoundedMemory } from "./internal/cache/boundedMemory.ts"

/**
 * The store could not answer. A cache counts it and goes on without the store.
 *
 * @category errors
 * @since 0.1.0
 */
export class CacheStoreError extends Schema.TaggedError<CacheStoreError>()("CacheStoreError", {
  reason: Schema.Literals(["Timeout", "Closed", "Open", "Server", "Auth"]),
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {
  /** A store error never fails the work that met it, so it never asks for a retry. */
  get retryable(): boolean {
    return false
  }
}

/**
 * One value to write.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly key: string
  readonly value: Uint8Array
  /** Milliseconds until the store forgets it. */
  readonly ttl: number
  /** Epoch milliseconds at which loading began: an invalidation at or after it refuses the write. */
  readonly ifLoadedAfter?: number | undefined
}

/**
 * A cache store.
 *
 * @category services
 * @since 0.1.0
 */
export class CacheStore extends Context.Service<
  CacheStore,
  {
    /** What a hit here is called in a result and in metrics: `memory`, `redis`. */
    readonly name: string
    /** One round trip. The answer at `i` belongs to `keys[i]`; `undefined` is a miss. */
    readonly getMany: (
      keys: ReadonlyArray<string>
    ) => Effect.Effect<ReadonlyArray<Uint8Array | undefined>, CacheStoreError>
    /** One round trip. Later entries of one key win. */
    readonly setMany: (entries: ReadonlyArray<Entry>) => Effect.Effect<void, CacheStoreError>
    /** Forgets the keys and refuses writes loaded at or before `at` (epoch milliseconds) for {@link fence}. */
    readonly invalidate: (keys: ReadonlyArray<string>, at: number) => Effect.Effect<void, CacheStoreError>
    /** Waits until the store can answer, at most so long; never fails. */
    readonly ready: (within: Duration.Input) => Effect.Effect<boolean>
  }
>()("@leat/core/CacheStore") {}

/**
 * How long an invalidation is remembered, in milliseconds: longer than any load takes.
 *
 * @category constants
 * @since 0.1.0
 */
export const fence: number = boundedMemory.fence

/**
 * Bounds of {@link layerMemory}.
 *
 * @category models
 * @since 0.1.0
 */
export interface MemoryOptions {
  /** Most entries kept; the least recently used goes first. Default 100,000. */
  readonly maxEntries?: number | undefined
  /** Most bytes of keys and values kept. Default 64 MiB. */
  readonly maxBytes?: number | undefined
}

/**
 * A store in this process: bounded, least recently used out first, lost when the process ends.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (options: MemoryOptions = {}): Layer.Layer<CacheStore> =>
  Layer.effect(
    CacheStore,
    Effect.map(Clock.Clock, (clock) => {
      const { maxBytes = 64 * 1024 * 1024, maxEntries = 100_000 } = options
      const memory = new BoundedMemory<Uint8Array>(maxEntries, maxBytes)
      return CacheStore.of({
        name: "memory",
        getMany: (keys) =>
          Effect.sync(() => {
            const now = clock.currentTimeMillisUnsafe()
            return keys.map((key) => memory.get(key, now))
          }),
        setMany: (entries) =>
          Effect.sync(() => {
            const now = clock.currentTimeMillisUnsafe()
            for (const { ifLoadedAfter, key, ttl, value } of entries) {
              // A copy: the caller may go on writing to its bytes, and a few of them may hold a whole socket buffer alive.
              const copy = new Uint8Array(value)
              memory.set(key, { value: copy, expires: now + ttl, bytes: copy.length + key.length, ifLoadedAfter }, now)
            }
          }),
        invalidate: (keys, at) =>
          Effect.sync(() => {
            const now = clock.currentTimeMillisUnsafe()
            for (const key of keys) memory.invalidate(key, at, now)
          }),
        ready: () => Effect.succeed(true)
      })
    })
  )
