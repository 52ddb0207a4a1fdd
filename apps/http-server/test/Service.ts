/** The whole service in this process, before a recommender at some address. */
import * as CacheStore from "@leat/core/CacheStore"
import * as Journal from "@leat/core/Journal"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as Http from "@leat/recommender/recommender/Http"
import * as HttpService from "@leat/transport-http/HttpService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import * as App from "../src/App.ts"

export interface Service {
  readonly port: number
  readonly inFlight: () => number
  /** What it logged. */
  readonly logged: ReadonlyArray<string>
}

export const start = (
  recommender: string,
  store: Layer.Layer<CacheStore.CacheStore> = CacheStore.layerMemory(),
  options: HttpService.Bounds = {}
) =>
  Effect.gen(function* () {
    const logged: Array<string> = []
    const logger = Logger.make(({ message }) => void logged.push(String(message)))
    const parts = Recommendations.layer().pipe(
      Layer.provideMerge([store, Journal.layerNone]),
      Layer.provideMerge(Http.layer({ endpoint: recommender }))
    )
    const context = yield* Layer.build(
      App.service({ ...options, port: 0 }).pipe(Layer.provide(parts), Layer.provide(Logger.layer([logger])))
    )
    const { inFlight, port } = Context.get(context, HttpService.HttpService)
    const service: Service = { port, inFlight, logged }
    return service
  })
