/** The whole system on this machine: stream, Lambda behind its mapping, recommendation service, cache, journal, engine. */
import * as Engine from "@leat/recommender/recommender/Engine"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as RequestIntake from "@leat/recommender/RequestIntake"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisPublisher from "@leat/transport-kinesis/KinesisPublisher"
import { EmbeddedKinesis } from "@leat/transport-kinesis/testing"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { cached, serviceConfig } from "http-server/src/App.ts"

import * as JournalHome from "./JournalHome.ts"
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

/** `POST /requests` puts on the stream what the Lambda reads. */
const queue = RequestIntake.layer(KinesisPublisher.make({ stream: Lambda.stream, codec: RequestIntake.codec }))

const service = serviceConfig.pipe(
  Layer.provide([cached, queue]),
  Layer.provide([Engine.layerConfig, JournalHome.layer])
)

export const System = Lambda.layer.pipe(
  Layer.provideMerge(service),
  Layer.provideMerge(client),
  Layer.provideMerge(Layer.mergeAll(kinesis, RequestEvents.layerConfig))
)
