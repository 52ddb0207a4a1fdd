import withMiddleware from "@middy/core"

import type { KinesisEvent, Make } from "../Program.ts"
import * as PerRecord from "./perRecord.ts"

/** What the middleware finds: the event, and how each of its records ended. */
interface Settled {
  readonly event: KinesisEvent
  response: unknown
}

const partialFailures = {
  after: (request: Settled) => {
    const results: unknown = request.response
    const isRejected = (_: unknown, index: number) => Array.isArray(results) && results[index]?.status === "rejected"
    request.response = {
      batchItemFailures: request.event.Records.filter(isRejected).map(({ kinesis }) => ({
        itemIdentifier: kinesis.sequenceNumber
      }))
    }
  }
}

/**
 * Middy with zod: all records side by side, and a small middleware that turns the rejected ones into `batchItemFailures`
 * (it does what `@middy/event-batch-response` does for this event).
 */
export const make: Make = async (surroundings) => {
  const service = PerRecord.make(surroundings)
  const handler = withMiddleware()
    .use(partialFailures)
    .handler((event: KinesisEvent) =>
      Promise.allSettled(event.Records.map(async ({ kinesis }) => service.serve(service.decode(kinesis.data))))
    )
  return {
    handler: (event, context) => handler(event, context),
    close: service.close
  }
}
