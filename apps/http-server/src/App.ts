/** The recommendation service as layers: what `main.ts` launches and what other programs embed. */
import * as StoreConfig from "@leat/cache-redis/StoreConfig"
import * as CacheStore from "@leat/core/CacheStore"
import * as Journal from "@leat/core/Journal"
import * as Retention from "@leat/core/Retention"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as RecommendationCache from "@leat/recommender/RecommendationCache"
import * as Recommendations from "@leat/recommender/Recommendations"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as Recommender from "@leat/recommender/Recommender"
import * as Engine from "@leat/recommender/recommender/Engine"
import * as RecommenderApi from "@leat/recommender/RecommenderApi"
import * as Answer from "@leat/recommender/recommenderApi/Answer"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as RequestIntake from "@leat/recommender/RequestIntake"
import * as HttpService from "@leat/transport-http/HttpService"
import * as HttpTransport from "@leat/transport-http/HttpTransport"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

/** What the service is built on. */
export type Parts = Recommender.Recommender | Recommendations.Recommendations | CacheStore.CacheStore | Journal.Journal

const recommender = Effect.flatMap(Recommender.Recommender, (one) => one.recommend({ user_id: 1, top_n: 1 }))

const cache = Effect.flatMap(CacheStore.CacheStore, (store) => store.ready("500 millis")).pipe(
  Effect.filterOrFail(
    (ready) => ready,
    () => ({ message: "the cache does not answer" })
  )
)

// One look at what waits parked: it asks the store, and nothing where no journal is kept.
const journalAnswers = Effect.flatMap(Journal.Journal, ({ durable, parked }) =>
  durable ? parked(recommendations.name, { limit: 1 }) : Effect.void
)

const surroundings: HttpService.Options<Parts> = {
  openApi: RecommenderApi.openApi,
  checks: { recommender },
  watched: { cache, journal: journalAnswers }
}

// The same bounds as on the stream, however the event is wrapped.
const events = Layer.unwrap(
  Effect.map(RequestEvents.RequestEvents, ({ codec }) =>
    HttpTransport.layer(recommendations, { codec, statusOf: Answer.statusPath })
  )
)

// The contract, and the worker that Kinesis feeds elsewhere: `POST /events` takes the same events.
const routes = Layer.mergeAll(RecommenderApi.layer(), RecommenderApi.layerRequests(), events)

/** The service at an address of the caller's, on parts of the caller's. */
export const service = (
  options: HttpService.Options<Parts> = {}
): Layer.Layer<HttpService.HttpService, HttpServerError.ServeError, Parts> =>
  HttpService.layer(routes, { ...surroundings, ...options })

/** The service at `HOST` and `PORT`. */
export const serviceConfig: Layer.Layer<
  HttpService.HttpService,
  HttpServerError.ServeError | Config.ConfigError,
  Parts
> = HttpService.layerConfig(routes, surroundings)

// A memory that always asks the store needs nobody to tell it what to forget.
const backplane = Layer.unwrap(
  Effect.map(RecommendationCache.memoryServes, (serves) => (serves ? StoreConfig.layerBackplane : Layer.empty))
)

/** The cache of the environment over a recommender of the caller's. */
export const cached: Layer.Layer<
  Recommendations.Recommendations | CacheStore.CacheStore,
  Config.ConfigError,
  Recommender.Recommender
> = Recommendations.layerConfig({ memoryEntries: 10_000, longRunning: true }).pipe(
  Layer.provide(backplane),

  Layer.provideMerge(StoreConfig.layerConfig({ withoutEndpoint: "memory" }))
)

/** `KINESIS_STREAM`: accepted requests go to this stream; without it none are accepted. The SDK is loaded for it alone. */
const queue: Layer.Layer<never, Config.ConfigError> = Layer.unwrap(
  Effect.map(Config.option(Config.NonEmptyString("KINESIS_STREAM")), (stream) =>
    Option.isNone(stream) ? Layer.empty : Layer.unwrap(Effect.promise(() => kinesis(stream.value)))
  )
)

const kinesis = async (stream: string): Promise<Layer.Layer<never, Config.ConfigError>> => {
  const [KinesisClient, KinesisPublisher] = await Promise.all([
    import("@leat/transport-kinesis/KinesisClient"),
    import("@leat/transport-kinesis/KinesisPublisher")
  ])
  return RequestIntake.layer(KinesisPublisher.make({ stream, codec: RequestIntake.codec })).pipe(
    Layer.provide(KinesisClient.layerConfig)
  )
}

const journal = Retention.layerConfig.pipe(Layer.provideMerge(JournalConfig.layerConfig({ withoutUrl: "none" })))

const announce = Layer.effectDiscard(
  Effect.flatMap(HttpService.HttpService, ({ url }) =>
    Effect.logInfo(`recommendations at ${url}, documented at ${url}/docs`)
  )
)

// Read first, so that a wrong variable stops the start before the engine trains.
const checked = Layer.effectDiscard(Config.all([HttpService.address, RecommendationCache.config()]))

/** The whole program from its environment: the engine in this process, the cache, the service. */
export const App = announce.pipe(
  Layer.provide(serviceConfig),
  Layer.provide([cached, queue, journal]),
  Layer.provide(Engine.layerConfig),
  Layer.provide(RequestEvents.layerConfig),
  Layer.provide(checked)
)
