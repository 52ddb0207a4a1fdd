import * as StoreConfig from "@leat/cache-redis/StoreConfig"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as RecommendationTelemetry from "@leat/recommender/RecommendationTelemetry"
import * as Http from "@leat/recommender/recommender/Http"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

/**
 * Everything the Lambda needs, from its environment: `RECOMMENDER_ENDPOINT`, `REDIS_ENDPOINT`, `REDIS_PORT`,
 * `REDIS_ENABLED`, `CACHE_TTL`, `TOP_N_MAX`, `DATABASE_URL`. What is missing or wrong fails the first invocation with its
 * name. Without `DATABASE_URL` it keeps no journal, and says at its start what it then does not promise.
 */
export const App = Recommendations.layerConfig().pipe(
  Layer.provide([Http.layerConfig(), StoreConfig.layerConfig({ withoutEndpoint: "fail" })]),
  Layer.provideMerge([
    RequestEvents.layerConfig,
    RecommendationTelemetry.layer(),
    JournalConfig.layerConfig({ withoutUrl: "none" })
  ]),
  Layer.provideMerge(Logger.layer([Logger.consoleJson]))
)
