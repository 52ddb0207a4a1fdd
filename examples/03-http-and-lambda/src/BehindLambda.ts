/** The same worker as a function of a Kinesis stream. */
import type * as Envelope from "@leat/core/Envelope"
import * as Publisher from "@leat/core/Publisher"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as KinesisLambda from "@leat/transport-kinesis/KinesisLambda"
import * as LambdaEvent from "@leat/transport-kinesis/LambdaEvent"
import * as Layer from "effect/Layer"

import { App } from "./App.ts"

/** Invokes the function with one record for each body and says what it published and what it answered. */
export const ask = async (bodies: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  // A stream has nobody waiting for a reply: what a handler returns is published.
  const published: Array<Envelope.Envelope> = []
  const handler = KinesisLambda.make(recommendations, Layer.merge(App, Publisher.layerMemory(published)))
  const answers: Array<string> = []
  for (const [index, data] of bodies.entries()) {
    const event = LambdaEvent.make({ data, partitionKey: "user", sequenceNumber: String(index + 1) })
    answers.push(JSON.stringify(await handler(event, LambdaEvent.context())))
  }
  await handler.close()
  return [...published.map(({ data }) => JSON.stringify(data)), ...answers]
}
