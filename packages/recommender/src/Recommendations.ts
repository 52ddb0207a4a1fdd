/**
 * Recommendations through the cache: read, else asked for and stored, one user at a time or a batch at once.
 *
 * **Guarantees.** A cache that is down, slow or filled with foreign bytes never fails a request: it is a miss. The only
 * error is the recommender's. A batch costs one read and one write of the cache and one call of the recommender.
 *
 * @since 0.1.0
 */
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import type * as CacheStore from "@leat/core/CacheStore"
import { Fetching } from "@leat/core/Fetching"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"

import { largestTopN } from "./RecommendationRequested.ts"
import type { Source } from "./RecommendationServed.ts"
import { Recommender } from "./Recommender.ts"
import type { Ranking, RecommenderError, RecommendRequest } from "./Recommender.ts"
import { RequestEvents } from "./RequestEvents.ts"

/**
 * A ranking and where it came from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Served {
  readonly user_id: number
  readonly top_n: number
  readonly recommendations: Ranking
  readonly source: Source
  /** Age of a cached ranking in milliseconds, where it is known. */
  readonly age: number | undefined
}

/**
 * Cached recommendations.
 *
 * @category services
 * @since 0.1.0
 */
export class Recommendations extends Context.Service<
  Recommendations,
  {
    readonly forUser: (user_id: number, top_n?: number) => Effect.Effect<Served, RecommenderError>
    /**
     * Reads the cache for all requests at once and begins to load what it misses; gives a `Recommendations` that answers
     * hits without waiting and misses when they are loaded. What was loaded is stored when the scope closes.
     */
    readonly prefetch: (
      requests: ReadonlyArray<{ readonly user_id: number; readonly top_n?: number }>
    ) => Effect.Effect<Context.Context<Recommendations>, never, Scope.Scope>
    /** Forgets what is cached for a user and these `top_n`. */
    readonly invalidate: (user_id: number, top_n: ReadonlyArray<number>) => Effect.Effect<void>
    readonly stats: Effect.Effect<Cache.Stats>
  }
>()("@leat/recommender/Recommendations") {}

/**
 * The cache key of a request: a contract with other programs on the same Redis.
 *
 * ```ts
 * import * as Recommendations from "@leat/recommender/Recommendations"
 *
 * Recommendations.cacheKey({ user_id: 123, top_n: 20 }) // => "rec:user:123:top20"
 * ```
 *
 * @category getters
 * @since 0.1.0
 */
export const cacheKey = (request: RecommendRequest): string => `rec:user:${request.user_id}:top${request.top_n}`

/**
 * How long a ranking is served from the cache.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default 1 hour, shortened by up to a tenth at random. */
  readonly ttl?: Duration.Input | undefined
}

/**
 * For a worker's `prepare`: see {@link Recommendations}.
 *
 * @category combinators
 * @since 0.1.0
 */
export const prefetch = (
  requests: ReadonlyArray<{ readonly user_id: number; readonly top_n?: number }>
): Effect.Effect<Context.Context<Recommendations>, never, Recommendations | Scope.Scope> =>
  Effect.flatMap(Recommendations, (recommendations) => recommendations.prefetch(requests))

/**
 * Recommendations over the cache store and the recommender.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  options: Options = {}
): Layer.Layer<Recommendations, never, Recommender | CacheStore.CacheStore> =>
  Layer.effect(
    Recommendations,
    Effect.gen(function* () {
      const recommender = yield* Recommender
      const { defaultTopN } = yield* RequestEvents
      const cache = yield* Cache.make({
        key: cacheKey,
        codec: CacheCodec.ints({ max: Number.MAX_SAFE_INTEGER, maxLength: largestTopN }),
        ttl: options.ttl ?? Duration.hours(1),
        load: recommender.recommend
      })
      const service: Recommendations["Service"] = {
        forUser: (user_id, top_n = defaultTopN) =>
          Effect.map(cache.get({ user_id, top_n }), (cached) => toServed(user_id, top_n, cached)),
        prefetch: (requests) => {
          const asked = requests.map(({ top_n, user_id }) => ({ user_id, top_n: top_n ?? defaultTopN }))
          return prefetchWith(service, recommender, cache, defaultTopN, asked)
        },
        invalidate: (user_id, top_n) => Effect.asVoid(cache.invalidate(top_n.map((n) => ({ user_id, top_n: n })))),
        stats: cache.stats
      }
      return service
    })
  )

/**
 * `CACHE_TTL`: whole seconds from 1, by default 3600.
 *
 * @category config
 * @since 0.1.0
 */
export const ttl: Config.Config<Duration.Duration> = Config.schema(
  Schema.Int.check(Schema.isGreaterThan(0)),
  "CACHE_TTL"
).pipe(Config.withDefault(3_600), Config.map(Duration.seconds))

/**
 * As {@link layer}, with {@link ttl} from the environment.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<Recommendations, Config.ConfigError, Recommender | CacheStore.CacheStore> =
  Layer.unwrap(Effect.map(ttl, (found) => layer({ ttl: found })))

const toServed = (user_id: number, top_n: number, cached: Cache.Cached<Ranking>): Served => ({
  user_id,
  top_n,
  recommendations: cached.value,
  source: cached.source,
  age: cached.age
})

type RankingCache = Cache.Cache<RecommendRequest, Ranking, RecommenderError>

/** A request that the cache missed. `exit` is there once it was loaded. */
interface Missed {
  readonly request: RecommendRequest
  exit: Exit.Exit<Served, RecommenderError> | undefined
  told: boolean
}

/** The requests of a batch, what the cache has for each, and by cache key what it has not. */
class Prefetched {
  readonly requests: ReadonlyArray<RecommendRequest>
  readonly found: ReadonlyArray<Cache.Cached<Ranking> | undefined>
  readonly missed = new Map<string, Missed>()
  /** Where in the batch something is missing. */
  readonly places: Array<number> = []
  next = 0

  constructor(requests: ReadonlyArray<RecommendRequest>, found: ReadonlyArray<Cache.Cached<Ranking> | undefined>) {
    this.requests = requests
    this.found = found
    for (let place = 0; place < requests.length; place++) {
      const request = requests[place]
      if (request === undefined || found[place] !== undefined) continue
      this.places.push(place)
      const name = cacheKey(request)
      // Without what else a caller's request may hold: this one goes over the wire.
      const { top_n, user_id } = request
      if (!this.missed.has(name)) this.missed.set(name, { request: { user_id, top_n }, exit: undefined, told: false })
    }
  }

  /**
   * Where a request stands in the batch; -1 for one that isn't in it.
   *
   * Fast path: handlers ask in the order of the batch, so the next place is looked at first, and the search goes on from
   * there. It saves a map entry a record.
   */
  find(user_id: number, top_n: number): number {
    const { requests } = this
    for (let step = 0; step < requests.length; step++) {
      const place = (this.next + step) % requests.length
      const request = requests[place]
      if (request === undefined || request.user_id !== user_id || request.top_n !== top_n) continue
      this.next = place + 1
      return place
    }
    return -1
  }
}

const prefetchWith = (
  service: Recommendations["Service"],
  recommender: Recommender["Service"],
  cache: RankingCache,
  defaultTopN: number,
  requests: ReadonlyArray<RecommendRequest>
) =>
  Effect.flatMap(cache.peekMany(requests), (found) => {
    const batch = new Prefetched(requests, found)
    const loaded = Deferred.makeUnsafe<void>()
    // A failure is told once: who asks again, as a retry does, is asking the recommender again.
    const take = (missed: Missed): Effect.Effect<Served, RecommenderError> => {
      const { exit, request, told } = missed
      if (exit === undefined) return Effect.interrupt
      if (Exit.isSuccess(exit)) return exit
      if (told) return service.forUser(request.user_id, request.top_n)
      missed.told = true
      return exit
    }
    const services = Context.make(Recommendations, {
      ...service,
      forUser: (user_id, top_n = defaultTopN) => {
        const place = batch.find(user_id, top_n)
        if (place === -1) return service.forUser(user_id, top_n)
        const cached = found[place]
        if (cached !== undefined) return Exit.succeed(toServed(user_id, top_n, cached))
        const missed = batch.missed.get(cacheKey({ user_id, top_n }))
        if (missed === undefined) return service.forUser(user_id, top_n)
        return missed.exit === undefined ? Effect.flatMap(Deferred.await(loaded), () => take(missed)) : take(missed)
      }
    })
    if (batch.missed.size === 0) return Exit.succeed(services)
    const misses = [...batch.missed.values()]
    // Hits must not wait for misses, so the load runs beside the handlers; a scope that closes early stops it.
    return Effect.flatMap(Scope.Scope, (scope) =>
      Effect.as(
        Effect.forkIn(
          Effect.ensuring(load(recommender, cache, misses, scope), Deferred.done(loaded, Exit.void)),
          scope
        ),
        Context.add(services, Fetching, { places: batch.places, until: Deferred.await(loaded) })
      )
    )
  })

const load = Effect.fnUntraced(function* (
  recommender: Recommender["Service"],
  cache: RankingCache,
  misses: ReadonlyArray<Missed>,
  scope: Scope.Scope
) {
  // Before the load: an invalidation while it runs must win.
  const loadedAt = yield* Clock.currentTimeMillis
  const exits = yield* recommender.recommendMany(misses.map((miss) => miss.request))
  const puts: Array<Cache.Put<RecommendRequest, Ranking>> = []
  misses.forEach((miss, index) => {
    const exit = exits[index]
    if (exit === undefined) return
    miss.exit = Exit.map(exit, (value) => toServed(miss.request.user_id, miss.request.top_n, origin(value)))
    if (Exit.isSuccess(exit)) puts.push({ key: miss.request, value: exit.value, loadedAt })
  })
  if (puts.length > 0) yield* Scope.addFinalizer(scope, cache.putMany(puts))
})

const origin = (value: Ranking): Cache.Cached<Ranking> => ({ value, source: "origin", age: 0 })
