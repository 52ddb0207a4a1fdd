/** The worker at a path: `POST /requests`. */
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as HttpService from "@leat/transport-http/HttpService"
import * as HttpTransport from "@leat/transport-http/HttpTransport"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { App } from "./App.ts"

const route = HttpTransport.layer(recommendations, { path: "/requests" })

const Program = HttpService.layer(route, { port: 0 }).pipe(Layer.provide(App))

/** Serves, posts each body and says what came back; the server ends with it. */
export const ask = (bodies: ReadonlyArray<string>): Promise<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const { url } = yield* HttpService.HttpService
    return yield* Effect.forEach(bodies, (body) => Effect.promise(() => post(`${url}/requests`, body)))
  }).pipe(Effect.provide(Program), Effect.runPromise)

const post = async (url: string, body: string): Promise<string> => {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body })
  return `${response.status} ${await response.text()}`
}
