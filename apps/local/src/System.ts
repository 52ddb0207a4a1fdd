/** The whole system on this machine: stream, Lambda behind its mapping, recommendation service, cache, engine. */
import * as Engine from "@leat/recommender/recommender/Engine"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { cached, serviceConfig } from "http-server/src/App.ts"

import * as Lambda from "./Lambda.ts"

const kinesisPort = Config.schema(
  Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 65_535 })),
  "KINESIS_PORT"
).pipe(Config.withDefault(4567))

const kinesis = Layer.unwrap(
  Effect.map(kinesisPort, (port) => EmbeddedKinesis.layer({ port, streams: [{ name: Lambda.stream, shards: 2 }] }))
)

const client = Layer.unwrap(
  Effect.map(EmbeddedKinesis.EmbeddedKinesis, ({ endpoint }) => KinesisClient.layer({ endpoint }))
)

const service = serviceConfig.pipe(Layer.provide(cached), Layer.provide(Engine.layerConfig))

export const System = Lambda.layer.pipe(
  Layer.provideMerge(Layer.mergeAll(client, service)),
  Layer.provideMerge(Layer.mergeAll(kinesis, RequestEvents.layerConfig))
)
