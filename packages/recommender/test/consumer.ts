/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import { CacheStore } from "@leat/core"
import { EngineRecommender, Recommendations } from "@leat/recommender"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const App = Recommendations.layer().pipe(Layer.provide([EngineRecommender.layer, CacheStore.layerMemory()]))

// Trains the engine in a thread whose program comes out of the tarball.
const sources = await Effect.gen(function* () {
  const { forUser } = yield* Recommendations.Recommendations
  return [(yield* forUser(1, 5)).source, (yield* forUser(1, 5)).source].join()
}).pipe(Effect.provide(App), Effect.runPromise)

console.log(sources === "origin,memory" ? "ok" : sources)
