/**
 * The cache of rankings: what stands where, for how long, and what stands in for what.
 *
 * | variable               | default   |                                                                               |
 * | ---------------------- | --------- | ----------------------------------------------------------------------------- |
 * | `CACHE_TTL`            | 3600      | whole seconds from 1 that a ranking is fresh                                  |
 * | `CACHE_FORMAT`         | `json`    | `json`: the array of ids, which other programs can read; `binary`: an entry that says its age, a third of the size |
 * | `CACHE_STALE`          | 0         | seconds past its time that a ranking may be served while the recommender is down or slow |
 * | `CACHE_MEMORY_ENTRIES` | the app's | rankings kept in this process; 0: none                                        |
 * | `CACHE_MEMORY_TTL`     | 0         | milliseconds that one of them is served without asking the store; 0: only while the store doesn't answer |
 * | `CACHE_REFRESH_AHEAD`  | none      | the share of its time, as 0.8, after which a ranking of known age is loaded anew while it is served |
 * | `FALLBACK`             | `popular` | what is answered when the recommender is down: `popular`, the popular films, or `none`, its error |
 *
 * @since 0.1.0
 */
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import type * as CacheStore from "@leat/core/CacheStore"
import * as Cause from "effect/Cause"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

import * as Popular from "./Popular.ts"
import { largestTopN } from "./RecommendationRequested.ts"
import { Recommender } from "./Recommender.ts"
import type { Ranking, RecommenderError, RecommendRequest } from "./Recommender.ts"

/**
 * A cache of rankings.
 *
 * @category models
 * @since 0.1.0
 */
export type RecommendationCache = Cache.Cache<RecommendRequest, Ranking, RecommenderError>

/**
 * How rankings are cached.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default 1 hour, shortened by up to a tenth at random. */
  readonly ttl?: Duration.Input | undefined
  /** Default `json`. */
  readonly format?: "json" | "binary" | undefined
  /** How long past its time a ranking may be served while the recommender is down or slow. Default 0: never. */
  readonly staleFor?: Duration.Input | undefined
  /** Rankings kept in this process. Default: none. */
  readonly memory?: Cache.Memory | undefined
  /** The share of its time, 0 to 1, after which a ranking of known age is loaded anew. Default: never. */
  readonly refreshAhead?: number | undefined
  /** Default `popular`. */
  readonly fallback?: "popular" | "none" | undefined
  /** Whether writes and invalidations that the store did not get are made up for. Default: they are lost, and counted. */
  readonly recovery?: Cache.Recovery | undefined
}

/**
 * What an app sets where the environment doesn't.
 *
 * @category models
 * @since 0.1.0
 */
export interface Defaults {
  /** Rankings kept in this process. Default 0. */
  readonly memoryEntries?: number | undefined
  /** Whether the process lives on when the work is done, so that it can make up for lost writes. Default false. */
  readonly longRunning?: boolean | undefined
}

/**
 * The cache key of a request: a contract with other programs on the same Redis.
 *
 * ```ts
 * import * as RecommendationCache from "@leat/recommender/RecommendationCache"
 *
 * RecommendationCache.key({ user_id: 123, top_n: 20 }) // => "rec:user:123:top20"
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const key = (request: RecommendRequest): string => `rec:user:${request.user_id}:top${request.top_n}`

/**
 * A cache over the store and the recommender in the context.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<RecommendationCache, never, Recommender | CacheStore.CacheStore | Scope.Scope> {
  const recommender = yield* Recommender
  const popular = options.fallback === "none" ? Popular.none : yield* Popular.make
  return yield* Cache.make<RecommendRequest, Ranking, RecommenderError>({
    key,
    ...formatOf(options.format ?? "json"),
    ttl: options.ttl ?? Duration.hours(1),
    memory: options.memory,
    staleFor: options.staleFor,
    // A miss should be answered in 100 ms; what is stale is better than what is late.
    softTimeout: "80 millis",
    refreshAhead: options.refreshAhead,
    recovery: options.recovery,
    load: (request) => Effect.tap(recommender.recommend(bare(request)), () => popular.learn),
    loadMany: (requests) =>
      Effect.tap(recommender.recommendMany(requests.map(bare)), (exits) =>
        exits.some(Exit.isSuccess) ? popular.learn : Effect.void
      ),
    fallback: ({ top_n }, cause) => (isOutage(cause) ? popular.top(top_n) : noFallback)
  })
})

/** Without what else a caller's request may hold: this goes over the wire. */
const bare = ({ top_n, user_id }: RecommendRequest): RecommendRequest => ({ user_id, top_n })

const noFallback = Effect.succeed(undefined)

/** What a recommender refuses, or answers wrongly, is a fault that must be seen. */
const isOutage = (cause: Cause.Cause<RecommenderError>): boolean =>
  Option.match(Cause.findErrorOption(cause), { onNone: () => false, onSome: ({ retryable }) => retryable })

const formatOf = (
  format: "json" | "binary"
): Pick<Cache.Options<RecommendRequest, Ranking, never, never>, "codec" | "format"> => {
  const json = CacheCodec.ints({ max: Number.MAX_SAFE_INTEGER, maxLength: largestTopN })
  if (format === "json") return { codec: json, format: "plain" }
  const binary = CacheCodec.packedInts({ max: Number.MAX_SAFE_INTEGER, maxLength: largestTopN })
  // What was written before the format changed is still a hit.
  return { codec: CacheCodec.orElse(binary, json), format: "entries" }
}

const int = (name: string, minimum: number, otherwise: number): Config.Config<number> =>
  Config.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum: 2 ** 31 - 1 })), name).pipe(
    Config.withDefault(otherwise)
  )

const oneOf = <const Values extends ReadonlyArray<string>>(
  name: string,
  values: Values,
  otherwise: Values[number]
): Config.Config<Values[number]> => Config.schema(Schema.Literals(values), name).pipe(Config.withDefault(otherwise))

/**
 * `CACHE_TTL`.
 *
 * @category config
 * @since 0.1.0
 */
export const ttl: Config.Config<Duration.Duration> = Config.map(int("CACHE_TTL", 1, 3_600), Duration.seconds)

const memoryTtl = int("CACHE_MEMORY_TTL", 0, 0)

/**
 * Whether rankings may be served from memory without asking the store, which other processes write to.
 *
 * @category config
 * @since 0.1.0
 */
export const memoryServes: Config.Config<boolean> = Config.map(memoryTtl, (millis) => millis > 0)

/**
 * The variables above.
 *
 * @category config
 * @since 0.1.0
 */
export const config = (defaults: Defaults = {}): Config.Config<Options> =>
  Config.all({
    ttl,
    format: oneOf("CACHE_FORMAT", ["json", "binary"], "json"),
    staleFor: Config.map(int("CACHE_STALE", 0, 0), Duration.seconds),
    entries: int("CACHE_MEMORY_ENTRIES", 0, defaults.memoryEntries ?? 0),
    memoryTtl: Config.map(memoryTtl, Duration.millis),
    refreshAhead: Config.schema(
      Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 })),
      "CACHE_REFRESH_AHEAD"
    ).pipe(Config.withDefault(undefined)),
    fallback: oneOf("FALLBACK", ["popular", "none"], "popular")
  }).pipe(
    Config.map(({ entries, fallback, format, memoryTtl: servedFor, refreshAhead, staleFor, ttl: fresh }) => ({
      ttl: fresh,
      format,
      staleFor,
      refreshAhead,
      fallback,
      memory: entries === 0 ? undefined : { maxEntries: entries, ttl: servedFor },
      recovery: defaults.longRunning === true ? {} : undefined
    }))
  )
