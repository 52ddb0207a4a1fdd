/** The recommendation service over a Redis of its own, and one line for each question it is asked. */
import * as RedisStore from "@leat/cache-redis/RedisStore"
import * as Journal from "@leat/core/Journal"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as RecommenderApi from "@leat/recommender/RecommenderApi"
import * as HttpService from "@leat/transport-http/HttpService"
import * as Effect from "effect/Effect"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as Layer from "effect/Layer"

import * as Films from "./Films.ts"

/** Values are fresh for an hour; a memory keeps what it has seen, for when Redis doesn't answer. */
export const layer = (port: number): Layer.Layer<HttpService.HttpService, HttpServerError.ServeError> =>
  HttpService.layer(RecommenderApi.layer(), { port: 0 }).pipe(
    Layer.provide(Recommendations.layer({ memory: { maxEntries: 1_000 }, recovery: {} })),
    Layer.provide([RedisStore.layer({ port }), Films.layer, Journal.layerNone])
  )

/** Asks for a user, and says what came and how. */
export const ask = (url: string, user: number): Effect.Effect<void> =>
  Effect.promise(async () => {
    const before = Films.films.asked
    const start = performance.now()
    const response = await fetch(`${url}/recommend/cached/${user}?top_n=3`)
    const took = performance.now() - start
    const { recommendations } = (await response.json()) as { readonly recommendations: ReadonlyArray<number> }
    const source = response.headers.get("x-leat-source")
    const asked = Films.films.asked > before ? ", the recommender was asked" : ""
    console.log(
      `  user ${user}: ${response.status} [${recommendations.join(", ")}] from ${source} in ${Math.round(took)} ms${asked}`
    )
  })
