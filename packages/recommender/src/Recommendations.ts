/**
 * Recommendations through the cache: read, else asked for and stored, one user at a time or a batch at once.
 *
 * **Guarantees.** A cache that is down, slow or filled with foreign bytes never fails a request: it is a miss. The only
 * error is the recommender's, and where it is down too the answer is the list of popular films, if that is known, and says
 * so. A batch costs one read and one write of the cache and one call of the recommender, and requests that come in
 * together share them.
 *
 * @since 0.1.0
 */
import type * as Cache from "@leat/core/Cache"
import type * as CacheStore from "@leat/core/CacheStore"
import { Fetching } from "@leat/core/Fetching"
import type * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"

import * as RecommendationCache from "./RecommendationCache.ts"
import type { Source } from "./RecommendationServed.ts"
import type { Recommender } from "./Recommender.ts"
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
    /**
     * Forgets what is cached for a user, here and in other processes, and what is being loaded: for these `top_n`, or for
     * all that may be asked for. Gives how many entries the store did not hear of.
     */
    readonly invalidate: (user_id: number, top_n?: ReadonlyArray<number>) => Effect.Effect<number>
    /** Loads what is not cached. */
    readonly warm: (requests: Iterable<RecommendRequest>) => Effect.Effect<Cache.WarmUp>
    readonly stats: Effect.Effect<Cache.Stats>
  }
>()("@leat/recommender/Recommendations") {}

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
  options: RecommendationCache.Options = {}
): Layer.Layer<Recommendations, never, Recommender | CacheStore.CacheStore> =>
  Layer.effect(
    Recommendations,
    Effect.gen(function* () {
      const { defaultTopN, maxTopN } = yield* RequestEvents
      const cache = yield* RecommendationCache.make(options)
      const service: Recommendations["Service"] = {
        forUser: (user_id, top_n = defaultTopN) =>
          Effect.map(cache.get({ user_id, top_n }), (cached) => toServed(user_id, top_n, cached)),
        prefetch: (requests) => {
          const asked = requests.map(({ top_n, user_id }) => ({ user_id, top_n: top_n ?? defaultTopN }))
          return prefetchWith(service, cache, defaultTopN, asked)
        },
        invalidate: (user_id, top_n = upTo(maxTopN)) => cache.invalidate(top_n.map((n) => ({ user_id, top_n: n }))),
        warm: cache.warm,
        stats: cache.stats
      }
      return service
    })
  )

const upTo = (most: number): ReadonlyArray<number> => Array.from({ length: most }, (_, index) => index + 1)

/**
 * As {@link layer}, as the environment says: see {@link "./RecommendationCache.ts"} for the variables.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  defaults: RecommendationCache.Defaults = {}
): Layer.Layer<Recommendations, Config.ConfigError, Recommender | CacheStore.CacheStore> =>
  Layer.unwrap(Effect.map(RecommendationCache.config(defaults), layer))

const toServed = (user_id: number, top_n: number, cached: Cache.Cached<Ranking>): Served => ({
  user_id,
  top_n,
  recommendations: cached.value,
  source: cached.source,
  age: cached.age
})

/** The requests of a batch, what the cache has for each, and what became of those it has not. */
class Prefetched {
  readonly requests: ReadonlyArray<RecommendRequest>
  readonly found: ReadonlyArray<Cache.Cached<Ranking> | undefined>
  /** By place, once they are loaded. */
  loaded: ReadonlyArray<Exit.Exit<Cache.Cached<Ranking>, RecommenderError> | undefined> | undefined
  /** The users and lengths whose failure was told. */
  readonly told = new Set<string>()
  next = 0

  constructor(requests: ReadonlyArray<RecommendRequest>, found: Prefetched["found"]) {
    this.requests = requests
    this.found = found
  }

  /** Where in the batch something is missing. */
  get places(): ReadonlyArray<number> {
    return this.found.flatMap((cached, place) => (cached === undefined ? [place] : []))
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
  cache: RecommendationCache.RecommendationCache,
  defaultTopN: number,
  requests: ReadonlyArray<RecommendRequest>
) =>
  Effect.flatMap(cache.lookup(requests), ({ found, load, missing }) => {
    const batch = new Prefetched(requests, found)
    const loaded = Deferred.makeUnsafe<void>()
    // A failure is told once: who asks again, as a retry does, is asking the recommender again.
    const take = (place: number, user_id: number, top_n: number): Effect.Effect<Served, RecommenderError> => {
      if (batch.loaded === undefined) return Effect.interrupt
      const exit = batch.loaded[place]
      if (exit !== undefined && Exit.isSuccess(exit)) return Exit.succeed(toServed(user_id, top_n, exit.value))
      const name = `${user_id}/${top_n}`
      if (exit === undefined || batch.told.has(name)) return service.forUser(user_id, top_n)
      batch.told.add(name)
      return Exit.failCause(exit.cause)
    }
    const services = Context.make(Recommendations, {
      ...service,
      forUser: (user_id, top_n = defaultTopN) => {
        const place = batch.find(user_id, top_n)
        if (place === -1) return service.forUser(user_id, top_n)
        const cached = found[place]
        if (cached !== undefined) return Exit.succeed(toServed(user_id, top_n, cached))
        return batch.loaded === undefined
          ? Effect.flatMap(Deferred.await(loaded), () => take(place, user_id, top_n))
          : take(place, user_id, top_n)
      }
    })
    if (missing === 0) return Exit.succeed(services)
    const loading = Effect.map(load, (exits) => void (batch.loaded = exits))
    // Hits must not wait for misses, so the load runs beside the handlers; a scope that closes early stops it.
    return Effect.flatMap(Scope.Scope, (scope) =>
      Effect.as(
        Effect.forkIn(Effect.ensuring(loading, Deferred.done(loaded, Exit.void)), scope),
        Context.add(services, Fetching, { places: batch.places, until: Deferred.await(loaded) })
      )
    )
  })
