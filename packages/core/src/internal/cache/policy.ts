import type * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import type * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

import type { Options } from "../../Cache.ts"
import type { Refreshing } from "./freshness.ts"
import type { EntryFormat } from "./held.ts"

/** The options of a cache with their defaults; times in milliseconds. */
export interface Policy<K, A, E, R> {
  readonly key: (key: K) => string
  readonly load: (key: K) => Effect.Effect<A, E, R>
  readonly loadMany: ((keys: ReadonlyArray<K>) => Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>, never, R>) | undefined
  readonly fallback: ((key: K, cause: Cause.Cause<E>) => Effect.Effect<A | undefined, never, R>) | undefined
  readonly format: EntryFormat<A, E>
  /** Whether entries stand under the keys themselves. */
  readonly entries: boolean
  /** Whether entries stand beside plain values. */
  readonly beside: boolean
  readonly jitter: number
  readonly memory: { readonly ttl: number; readonly maxEntries: number; readonly maxBytes: number } | undefined
  readonly staleFor: number
  readonly throttle: number
  readonly refreshing: Refreshing
  /** Whether a hit may be due for a refresh at all. */
  readonly refreshes: boolean
  readonly storePatience: number
  readonly softTimeout: number
  readonly hardTimeout: { readonly after: number; readonly error: (key: K) => E } | undefined
  readonly negative: { readonly when: (error: E) => boolean; readonly ttl: number } | undefined
  readonly recovery: { readonly maxKeys: number; readonly perSecond: number } | undefined
}

const millis = (given: Duration.Input | undefined, otherwise: number): number =>
  given === undefined ? otherwise : Duration.toMillis(given)

export const make = <K, A, E, R>(options: Options<K, A, E, R>): Policy<K, A, E, R> => {
  const { hardTimeout, memory, negative, recovery } = options
  const entries = options.format === "entries"
  const staleFor = millis(options.staleFor, 0)
  const refreshing = { ahead: share(options.refreshAhead, 1), xfetch: Math.max(0, options.xfetch ?? 0) }
  return {
    key: options.key,
    load: options.load,
    loadMany: options.loadMany,
    fallback: options.fallback,
    format: {
      schema: options.schema ?? 1,
      value: options.codec,
      error: negative?.codec,
      ttl: millis(options.ttl, hour)
    },
    entries,
    beside: !entries && (staleFor > 0 || negative?.codec !== undefined),
    jitter: share(options.jitter, 0.1),
    memory: memory && {
      ttl: millis(memory.ttl, 0),
      maxEntries: memory.maxEntries ?? 10_000,
      maxBytes: memory.maxBytes ?? 32 * 1024 * 1024
    },
    staleFor,
    throttle: millis(options.throttle, 10_000),
    refreshing,
    refreshes: refreshing.ahead < 1 || refreshing.xfetch > 0,
    storePatience: millis(options.storePatience, 15),
    softTimeout: millis(options.softTimeout, Infinity),
    hardTimeout: hardTimeout && { after: Duration.toMillis(hardTimeout.after), error: hardTimeout.error },
    negative: negative && { when: negative.when, ttl: millis(negative.ttl, 60_000) },
    recovery: recovery && { maxKeys: recovery.maxKeys ?? 10_000, perSecond: recovery.perSecond ?? 500 }
  }
}

const hour = 3_600_000

const share = (given: number | undefined, otherwise: number): number => Math.min(1, Math.max(0, given ?? otherwise))
