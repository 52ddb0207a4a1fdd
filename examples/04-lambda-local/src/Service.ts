/** The recommendation service that the function calls: the real routes around the real engine, on a free port. */
import * as CacheStore from "@leat/core/CacheStore"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as Engine from "@leat/recommender/recommender/Engine"
import * as RecommenderApi from "@leat/recommender/RecommenderApi"
import * as HttpService from "@leat/transport-http/HttpService"
import * as Layer from "effect/Layer"

export const layer = HttpService.layer(RecommenderApi.layer(), { port: 0 }).pipe(
  Layer.provide(Recommendations.layer()),
  Layer.provide([Engine.layer, CacheStore.layerMemory()])
)
