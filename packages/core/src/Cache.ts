/**
 * A read-through cache: bounded memory, then a {@link CacheStore.CacheStore}, then the origin.
 *
 * **Guarantees.** The error of a read is the loader's alone: what the store can't answer, or answers with bytes that are
 * no value, is a miss and is counted. One key has one read of the store and one load in flight in this process, however
 * many wait for it; it goes on until the last of them is interrupted. Reads and loads that begin in the same turn of the
 * event loop share one call. A value whose load began before an invalidation is handed to those who already waited, but
 * not kept. A value is served as fresh for `ttl` at most, and past it only where `staleFor` says so.
 *
 * **Whose time.** Work that nobody waits for (a write behind an answer, a refresh) goes to the {@link "./Background.ts"}:
 * by default it ends with the scope of the cache, behind Lambda before the answer.
 *
 * **Gotchas.** Values in the format `plain` don't say when they were loaded: their age is known only where this process
 * loaded them and keeps them in memory. A store that can't be asked is not written to either: a frozen store costs a read
 * one timeout, not two.
 *
 * @since 0.1.0
 */
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"

import * as Background from "./Background.ts"
import { CacheBackplane } from "./CacheBackplane.ts"
import type { CacheCodec } from "./CacheCodec.ts"
import * as CacheStore from "./CacheStore.ts"
import { Deadline } from "./Deadline.ts"
import * as policies from "./internal/cache/policy.ts"
import { ReadThrough } from "./internal/cache/readThrough.ts"

/**
 * Where a value came from. `memory` and `redis` are hits: of this process's memory or of the store, whatever it is called.
 * `stale` is past its time, served because the origin gave nothing better. `origin` was loaded for this read; `fallback`
 * is what stands in for an origin that failed, `negative` what stands in for a value that the origin says isn't there.
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
  /** Milliseconds since its load began; `undefined` when nobody knows. */
  readonly age: number | undefined
}

/**
 * A value to keep, and when its load began (epoch milliseconds).
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
 * What one read of a batch found, and how to get the rest.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lookup<A, E, R> {
  /** The answer at `i` belongs to key `i`; `undefined` is a miss. */
  readonly found: ReadonlyArray<Cached<A> | undefined>
  /** How many are missing. */
  readonly missing: number
  /** Gets what is missing, as a `get` of each would, in one load: an exit at each place where `found` has nothing. */
  readonly load: Effect.Effect<ReadonlyArray<Exit.Exit<Cached<A>, E> | undefined>, never, R>
}

/**
 * What a warm-up did, in keys.
 *
 * @category models
 * @since 0.1.0
 */
export interface WarmUp {
  readonly present: number
  readonly loaded: number
  readonly failed: number
}

/**
 * What a cache did since it was made, in keys unless it says otherwise.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  /** Found, by source. */
  readonly hits: { readonly [source in Exclude<Source, "origin">]: number }
  /** Looked for and not found fresh, for whatever reason. */
  readonly misses: number
  /** Reads that waited for another's. They are neither hits nor misses. */
  readonly joined: number
  /** Asked from the origin. */
  readonly loads: number
  /** Of them, those it failed. */
  readonly loadErrors: number
  /** Of the loads, those that nobody waited for. */
  readonly refreshes: number
  /** Calls the store failed, by reason. */
  readonly storeErrors: { readonly [reason in CacheStore.CacheStoreError["reason"]]: number }
  /** Calls of the store that were not waited for to their end. */
  readonly storeLate: number
  /** Found with bytes that are no value. */
  readonly decodeErrors: number
  /** Writes that the store should have had and did not get. */
  readonly writesLost: number
  /** Writes and invalidations that an outage had held back and the store got after it. */
  readonly recovered: number
  /** Invalidations told to other caches that did not go out. */
  readonly untold: number
  /** Keys that other caches said they forgot. */
  readonly told: number
  /** What the memory holds now. */
  readonly memory: { readonly entries: number; readonly bytes: number }
}

/**
 * A read-through cache. See the head of the module for its guarantees.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cache<K, A, E = never, R = never> {
  /** The kept value, else the loaded one. */
  readonly get: (key: K) => Effect.Effect<Cached<A>, E, R>
  /** The same for many at once: one read, one load. The exit at `i` belongs to `keys[i]`. */
  readonly getMany: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Exit.Exit<Cached<A>, E>>, never, R>
  /** One read, and the load of what it misses apart: for who can go on with the hits meanwhile. */
  readonly lookup: (keys: ReadonlyArray<K>) => Effect.Effect<Lookup<A, E, R>, never, R>
  /** What is kept now, in one read; the answer at `i` belongs to `keys[i]`. Loads nothing. */
  readonly peekMany: (keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Cached<A> | undefined>, never, R>
  /** Keeps what was loaded elsewhere, in one write that is waited for: what a batch job warms a cache with. */
  readonly putMany: (entries: ReadonlyArray<Put<K, A>>) => Effect.Effect<void>
  /** Loads what is not kept, in chunks of 100, one after the other. */
  readonly warm: (keys: Iterable<K>) => Effect.Effect<WarmUp, never, R>
  /**
   * Forgets the keys here, in the store and in the caches on the same backplane, and what is being loaded for them; gives
   * how many the store did not hear of. Where writes are recovered, it hears of them later.
   */
  readonly invalidate: (keys: ReadonlyArray<K>) => Effect.Effect<number>
  readonly stats: Effect.Effect<Stats>
}

/**
 * The memory in front of the store.
 *
 * @category models
 * @since 0.1.0
 */
export interface Memory {
  /**
   * How long a value is served from memory without asking the store. Default 0: the store is always asked, and memory is
   * what remains when it doesn't answer, until the value's own time ends. Other processes' writes are seen so much later.
   */
  readonly ttl?: Duration.Input | undefined
  /** Most entries kept; the least recently used goes first. Default 10,000. */
  readonly maxEntries?: number | undefined
  /** Most bytes kept, by the size of the stored bytes and keys. Default 32 MiB. */
  readonly maxBytes?: number | undefined
}

/**
 * When the origin's error is an answer: there is no such value.
 *
 * @category models
 * @since 0.1.0
 */
export interface Negative<E> {
  readonly when: (error: E) => boolean
  /** How long the origin isn't asked again. Default 1 minute. */
  readonly ttl?: Duration.Input | undefined
  /** How the error is written for other processes; without it this one alone remembers, in its memory. */
  readonly codec?: CacheCodec<E> | undefined
}

/**
 * Writes and invalidations that could not reach the store are made up for when it is back: the last of each key, bounded,
 * none past its time.
 *
 * @category models
 * @since 0.1.0
 */
export interface Recovery {
  /** Most keys remembered; the oldest goes first. Default 10,000. */
  readonly maxKeys?: number | undefined
  /** Keys written a second, so that a store that has just come back isn't run over. Default 500. */
  readonly perSecond?: number | undefined
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
  /** How long a value is fresh. Default 1 hour. */
  readonly ttl?: Duration.Input | undefined
  /**
   * The share of `ttl`, 0 to 1, by which it is shortened at random, so that what was stored together doesn't expire
   * together. Default 0.1: between 90 % and 100 % of `ttl`.
   */
  readonly jitter?: number | undefined
  /** Asks the origin. */
  readonly load: (key: K) => Effect.Effect<A, E, R>
  /** Asks the origin for many at once; the exit at `i` belongs to `keys[i]`. Default: {@link load} for each, side by side. */
  readonly loadMany?: ((keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>, never, R>) | undefined
  /**
   * What stands under a key: `plain`, the codec's bytes and nothing else, which other programs can read and write; or
   * `entries`, with a header that says when the value was loaded. Who reads entries takes plain values too, and what
   * `plain` has to say beyond the value (a stale copy, a negative entry) stands under a key of its own, `{key}:entry`.
   * Default `plain`.
   */
  readonly format?: "plain" | "entries" | undefined
  /** The number of the value's shape, 0 to 65,535: entries of another one are misses. Default 1. */
  readonly schema?: number | undefined
  /** The memory in front of the store. Default: none. */
  readonly memory?: Memory | undefined
  /** How long past its time a value may be served when the origin fails or is slow. Default 0: never. */
  readonly staleFor?: Duration.Input | undefined
  /** How long a stale value is served after the origin failed until it is asked again. Default 10 s. */
  readonly throttle?: Duration.Input | undefined
  /** The share of its time, 0 to 1, after which a hit is loaded anew while it is served. Default: never. */
  readonly refreshAhead?: number | undefined
  /**
   * β of XFetch, for keys that many processes share and read often: near its end a value is loaded anew by chance, by one
   * of them. 1 is usual; more is sooner. Default: never.
   */
  readonly xfetch?: number | undefined
  /** How long a `get` waits for the store before it asks the origin. Default 15 ms. A batch waits for the store's own time. */
  readonly storePatience?: Duration.Input | undefined
  /** How long a read waits for the origin where it has a stale value; the load goes on, and is kept. Default: to its end. */
  readonly softTimeout?: Duration.Input | undefined
  /** How long a load may take, and what it fails with then. Default: as long as it likes. */
  readonly hardTimeout?: { readonly after: Duration.Input; readonly error: (key: K) => E } | undefined
  readonly negative?: Negative<E> | undefined
  /** What stands in where the origin failed and nothing is kept; `undefined`: nothing does. */
  readonly fallback?: ((key: K, cause: Cause.Cause<E>) => Effect.Effect<A | undefined, never, R>) | undefined
  /** Makes up for writes after an outage. Default: they are lost, and counted. */
  readonly recovery?: Recovery | undefined
}

/**
 * Makes a cache over the {@link CacheStore.CacheStore} in the context, on its {@link CacheBackplane}, if it has one.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <K, A, E = never, R = never>(
  options: Options<K, A, E, R>
): Effect.Effect<Cache<K, A, E, R>, never, CacheStore.CacheStore | Scope.Scope> =>
  Effect.gen(function* () {
    const engine = new ReadThrough<K, A, E, R>(policies.make(options), {
      store: yield* CacheStore.CacheStore,
      backplane: yield* CacheBackplane,
      background: yield* Background.scoped,
      clock: yield* Clock.Clock,
      random: yield* Random.Random,
      fork: Effect.runForkWith(Context.add(yield* Effect.context(), Deadline, Infinity))
    })
    yield* engine.invalidation.listen
    return engine.toCache()
  })
