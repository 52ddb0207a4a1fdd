/** Hello world: an event, a worker, a transport. */
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import * as Worker from "@leat/core/Worker"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const name = Schema.Struct({ name: Schema.String })
const Met = Event.make("Met", { payload: name, key: (met) => met.name, id: (met) => met.name })
const greeter = Worker.make("greeter", {
  events: [Met],
  handle: { Met: (met) => Console.log(`Hello, ${met.name}!`) }
})
const deliveries = Delivery.ofEvent(Met, [{ name: "Ann" }, { name: "Bob" }, { name: "Ann" }])
const delivered = MemoryTransport.run(greeter, deliveries).pipe(Effect.provide(Journal.layerMemory))

for (const { outcome } of await Effect.runPromise(delivered)) console.log(outcome._tag)
