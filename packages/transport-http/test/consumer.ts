/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import { Event, Journal, Worker } from "@leat/core"
import { HttpService, HttpTransport } from "@leat/transport-http"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

const Greeted = Event.make("Greeted", {
  payload: Schema.Struct({ name: Schema.String }),
  key: (payload) => payload.name,
  id: (payload) => payload.name
})
const greeter = Worker.make("greeter", { events: [Greeted], handle: { Greeted: () => Effect.void } })
const App = HttpService.layer(HttpTransport.layer(greeter), { port: 0 }).pipe(Layer.provide(Journal.layerMemory))

const status = await Effect.gen(function* () {
  const { url } = yield* HttpService.HttpService
  const request = { method: "POST", headers: { "content-type": "application/json" }, body: '{"name":"ann"}' }
  return yield* Effect.promise(() => fetch(url + "/events", request).then((response) => response.status))
}).pipe(Effect.provide(App), Effect.runPromise)

console.log(status === 202 ? "ok" : "answered " + status)
