/**
 * A read-through cache over a {@link CacheStore.CacheStore}.
 *
 * **Guarantees.** The error of a read is the loader's alone: what the store can't answer, or answers with bytes that are
 * no value, is a miss and is counted. One key has one read of the store and one load in flight in this process, however
 * many wait for it; it goes on until the last of them is interrupted. A value whose load began before an invalidation
 * is handed to those who already waited, but not stored. Nothing outlives the read that began it.
 *
 * **Gotchas.** A store that can't be asked is not written to either: a frozen store costs a read one timeout, not two.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

import type { CacheCodec } from "./CacheCodec.ts"
import * as CacheStore from "./CacheStore.ts"
import { CacheFlights } from "./internal/cacheFlights.ts"
import type { Flight } from "./internal/cacheFlights.ts"
import { CacheShelf } from "./internal/cacheShelf.ts"

/**
 * Where a value came from. `memory` and `redis` are hits of the store, by where it keeps its bytes: in this process or
 * outside.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = "memory" | "redis" | "stale" | "origin" | "fallback" | "negative"

/**
 * A value and where it came from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cached<A> {
  readonly value: A
  readonly source: Source
  /** Milliseconds since it was loaded; `undefined` when the stored bytes don't say. */
  readonly age: number | undefined
}

/**
 * A value to write, and when its load began (epoch milliseconds).
 *
 * @category models
 * @since 0.1.0
 */
export interface Put<K, A> {
  readonly key: K
  readonly value: A
  readonly loadedAt: number
}

/**
 * What a cache did since it was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  /** Keys found, by source. */
  readonly hits: { readonly [source in Exclude<Source, "origin">]: number }
  /** Keys looked for and not found, for whatever reason. */
  readonly misses: number
  /** Reads that waited for another's. They are neither hits nor misses. */
  readonly joined: number
  /** Calls the store failed, by reason. */
  readonly storeErrors: { readonly [reason in CacheStore.CacheStoreError["reason"]]: number }
  /** Keys found with bytes that are no value. */
  readonly decodeErrors: number
  /** Values that should have been stored and were not. */
  readonly writesLost: number
}

/**
 * A read-through cache. See the head of the module for its guarantees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cache<K, A, E = never, R = never> {
  /** The stored value, else the loaded one. */
  readonly get: (key: K) => Effect.Effect<Cached<A>, E, R>
  /** What is stored now, in one read; the answer at `i` belongs to `keys[i]`. Loads nothing. */
  readonly peekMany: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Cached<A> | undefined>>
  /** Stores what was loaded elsewhere, in one write. */
  readonly putMany: (entries: ReadonlyArray<Put<K, A>>) => Effect.Effect<void>
  /** Forgets the keys, and what is being loaded for them; gives how many the store did not hear of. */
  readonly invalidate: (keys: ReadonlyArray<K>) => Effect.Effect<number>
  readonly stats: Effect.Effect<Stats>
}

/**
 * What a cache is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<K, A, E, R> {
  /** The store's key of a key. Two keys with one store key are one key. */
  readonly key: (key: K) => string
  readonly codec: CacheCodec<A>
  /** How long a value is served. Default 1 hour. */
  readonly ttl?: Duration.Input | undefined
  /**
   * The share of `ttl`, 0 to 1, by which it is shortened at random, so that what was stored together doesn't expire
   * together. Default 0.1: between 90 % and 100 % of `ttl`.
   */
  readonly jitter?: number | undefined
  /** Asks the origin. */
  readonly load: (key: K) => Effect.Effect<A, E, R>
}

/**
 * Makes a cache over the {@link CacheStore.CacheStore} in the context.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, A, E = never, R = never>(
  options: Options<K, A, E, R>
): Effect.Effect<Cache<K, A, E, R>, never, CacheStore.CacheStore> =>
  Effect.map(CacheStore.CacheStore, (store): Cache<K, A, E, R> => {
    const shelf = new CacheShelf<K, A>(store, options)
    const flights = new CacheFlights<Cached<A>, E>()

    const readThrough = Effect.fnUntraced(function* (key: K, flight: Flight) {
      const found = yield* shelf.read([flight.name])
      const hit = found?.[0]
      if (hit !== undefined) return hit
      // Before the load: an invalidation while it runs must win.
      const loadedAt = yield* Clock.currentTimeMillis
      const value = yield* options.load(key)
      if (found === undefined) shelf.lost(1)
      else if (flight.valid) yield* shelf.write([{ key, value, loadedAt }])
      return { value, source: "origin", age: 0 } satisfies Cached<A>
    })

    return {
      get: (key) => Effect.suspend(() => flights.join(options.key(key), (flight) => readThrough(key, flight))),
      peekMany: (keys) => Effect.suspend(() => shelf.peek(shelf.names(keys))),
      putMany: (entries) => Effect.suspend(() => shelf.write(entries)),
      invalidate: (keys) =>
        Effect.suspend(() => {
          const names = shelf.names(keys)
          for (const name of names) flights.forget(name)
          return shelf.invalidate(names)
        }),
      stats: Effect.sync(() => shelf.stats(flights.joined))
    }
  })
