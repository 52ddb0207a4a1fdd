/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import { Event, Journal, Worker } from "@leat/core"
import { KinesisLambda, LambdaEvent } from "@leat/transport-kinesis"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

const Greeted = Event.make("Greeted", {
  payload: Schema.Struct({ name: Schema.String }),
  key: (payload) => payload.name,
  id: (payload) => payload.name
})
const greeter = Worker.make("greeter", { events: [Greeted], handle: { Greeted: () => Effect.void } })
const handler = KinesisLambda.make(greeter, Layer.merge(Journal.layerNone, Logger.layer([])))
const event = LambdaEvent.make({ data: '{"name":"ann"}' }, { data: "{nope" })
const { batchItemFailures } = await handler(event, LambdaEvent.context())
await handler.close()

console.log(batchItemFailures[0]?.itemIdentifier === "2" ? "ok" : "reported " + JSON.stringify(batchItemFailures))
