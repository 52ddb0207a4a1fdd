import * as StoreConfig from "@leat/cache-redis/StoreConfig"
import * as Journal from "@leat/core/Journal"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as RecommendationTelemetry from "@leat/recommender/RecommendationTelemetry"
import * as Http from "@leat/recommender/recommender/Http"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

/**
 * Everything the Lambda needs, from its environment: `RECOMMENDER_ENDPOINT`, `REDIS_ENDPOINT`, `REDIS_PORT`,
 * `REDIS_ENABLED`, `CACHE_TTL`, `TOP_N_MAX`. What is missing or wrong fails the first invocation with its name.
 */
export const App = Recommendations.layerConfig.pipe(
  Layer.provide([Http.layerConfig(), StoreConfig.layerConfig({ withoutEndpoint: "fail" })]),
  Layer.provideMerge([RequestEvents.layerConfig, RecommendationTelemetry.layer(), Journal.layerNone]),
  Layer.provideMerge(Logger.layer([Logger.consoleJson]))
)
