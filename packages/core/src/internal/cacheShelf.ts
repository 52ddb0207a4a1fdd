import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

import type { Cached, Options, Put, Stats } from "../Cache.ts"
import type { CacheCodec } from "../CacheCodec.ts"
import type { CacheStore, CacheStoreError, Entry } from "../CacheStore.ts"

/** A store that is spoken to in keys and values instead of names and bytes, never fails, and counts what happened. */
export class CacheShelf<K, A> {
  readonly store: CacheStore["Service"]
  readonly key: (key: K) => string
  readonly codec: CacheCodec<A>
  readonly hit: "memory" | "redis"
  readonly ttl: number
  readonly jitter: number
  readonly storeErrors = { Timeout: 0, Closed: 0, Open: 0, Server: 0, Auth: 0 }
  hits = 0
  misses = 0
  decodeErrors = 0
  writesLost = 0

  constructor(store: CacheStore["Service"], options: Omit<Options<K, A, never, never>, "load">) {
    this.store = store
    this.key = options.key
    this.codec = options.codec
    this.hit = store.name === "memory" ? "memory" : "redis"
    this.ttl = Duration.toMillis(options.ttl ?? Duration.hours(1))
    this.jitter = Math.min(1, Math.max(0, options.jitter ?? 0.1))
  }

  names(keys: ReadonlyArray<K>): ReadonlyArray<string> {
    return keys.map((key) => this.key(key))
  }

  /** `undefined`: the store did not answer. */
  read(names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Cached<A> | undefined> | undefined> {
    return Effect.match(this.store.getMany(names), {
      onFailure: (error) => {
        this.failed(error)
        this.misses += names.length
        return undefined
      },
      onSuccess: (found) => this.decode(found)
    })
  }

  peek(names: ReadonlyArray<string>): Effect.Effect<ReadonlyArray<Cached<A> | undefined>> {
    return Effect.map(this.read(names), (found) => found ?? names.map(() => undefined))
  }

  // The hot path of a batch: one loop and one object a hit, no effect a key (see bench/Cache.bench.ts).
  decode(found: ReadonlyArray<Uint8Array | undefined>): ReadonlyArray<Cached<A> | undefined> {
    const { codec, hit } = this
    let hits = 0
    const values = found.map((bytes): Cached<A> | undefined => {
      const value = bytes === undefined ? undefined : codec.decode(bytes)
      if (value === undefined) {
        if (bytes !== undefined) this.decodeErrors++
        return undefined
      }
      hits++
      return { value, source: hit, age: undefined }
    })
    this.hits += hits
    this.misses += found.length - hits
    return values
  }

  write(puts: ReadonlyArray<Put<K, A>>): Effect.Effect<void> {
    return Effect.withFiber((fiber) => {
      const random = fiber.getRef(Random.Random)
      const entries: Array<Entry> = []
      for (const { key, value, loadedAt } of puts) {
        const ttl = this.ttl * (1 - this.jitter * random.nextDoubleUnsafe())
        entries.push({ key: this.key(key), value: this.codec.encode(value), ttl, ifLoadedAfter: loadedAt })
      }
      return Effect.match(this.store.setMany(entries), {
        onFailure: (error) => {
          this.failed(error)
          this.lost(entries.length)
        },
        onSuccess: () => {}
      })
    })
  }

  /** Gives how many names the store did not hear of. */
  invalidate(names: ReadonlyArray<string>): Effect.Effect<number> {
    return Effect.match(
      Effect.flatMap(Clock.currentTimeMillis, (at) => this.store.invalidate(names, at)),
      {
        onFailure: (error) => {
          this.failed(error)
          return names.length
        },
        onSuccess: () => 0
      }
    )
  }

  failed(error: CacheStoreError): void {
    this.storeErrors[error.reason]++
  }

  lost(writes: number): void {
    this.writesLost += writes
  }

  stats(joined: number): Stats {
    const { hit, hits, misses, decodeErrors, writesLost } = this
    return {
      hits: { memory: 0, redis: 0, stale: 0, fallback: 0, negative: 0, [hit]: hits },
      misses,
      joined,
      storeErrors: { ...this.storeErrors },
      decodeErrors,
      writesLost
    }
  }
}
