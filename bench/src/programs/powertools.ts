import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch"

import type { KinesisEventRecord, Make } from "../Program.ts"
import * as PerRecord from "./perRecord.ts"

/**
 * AWS Lambda Powertools at its best: its batch processor with the records side by side, and zod in the record handler
 * instead of its own parser.
 */
export const make: Make = async (surroundings) => {
  const service = PerRecord.make(surroundings)
  const processor = new BatchProcessor(EventType.KinesisDataStreams)
  const serveRecord = async (record: KinesisEventRecord) => service.serve(service.decode(record.kinesis.data))
  return {
    handler: (event, context) =>
      processPartialResponse(event, serveRecord, processor, {
        context,
        processInParallel: true,
        throwOnFullBatchFailure: false
      }),
    close: service.close
  }
}
