/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import { Delivery, Event, Journal, MemoryTransport, Worker } from "@leat/core"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Greeted = Event.make("Greeted", {
  payload: Schema.Struct({ name: Schema.String }),
  key: (payload) => payload.name,
  id: (payload) => payload.name
})
const greeted: Array<string> = []
const greeter = Worker.make("greeter", {
  events: [Greeted],
  handle: { Greeted: (payload) => Effect.sync(() => void greeted.push(payload.name)) }
})
await MemoryTransport.run(greeter, Delivery.ofEvent(Greeted, [{ name: "ann" }, { name: "ann" }])).pipe(
  Effect.provide(Journal.layerMemory),
  Effect.runPromise
)

console.log(greeted.join() === "ann" ? "ok" : "handled " + greeted.join())
