/** What the worker needs, whichever program runs it: a recommender, a cache, no journal. */
import * as CacheStore from "@leat/core/CacheStore"
import * as Journal from "@leat/core/Journal"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as Engine from "@leat/recommender/recommender/Engine"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

export const App = Recommendations.layer().pipe(
  Layer.provide([Engine.layer, CacheStore.layerMemory()]),
  Layer.provideMerge([RequestEvents.layer(RequestEvents.make()), Journal.layerNone, Logger.layer([])])
)
