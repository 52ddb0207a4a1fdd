import { BatchProcessor, EventType, processPartialResponse } from "@aws-lambda-powertools/batch"
import { parser } from "@aws-lambda-powertools/batch/parser"
import { Base64Encoded } from "@aws-lambda-powertools/parser/helpers"
import { KinesisDataStreamRecord, KinesisDataStreamRecordPayload } from "@aws-lambda-powertools/parser/schemas/kinesis"

import type { Make } from "../Program.ts"
import * as PerRecord from "./perRecord.ts"
import { RecommendationRequest } from "./requestZod.ts"

/** A record after Powertools' parser has put the payload in place of the base64 text. */
interface ParsedRecord {
  readonly kinesis: { readonly data: RecommendationRequest }
}

const makeWith =
  (processorOf: () => BatchProcessor): Make =>
  async (surroundings) => {
    const service = PerRecord.make(surroundings)
    const processor = processorOf()
    const serveRecord = (record: ParsedRecord) => service.serve(record.kinesis.data)
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

/** Powertools with its parser as its documentation shows it: it extends the record schema anew for every record. */
export const makeDocumented = makeWith(
  () =>
    new BatchProcessor(EventType.KinesisDataStreams, {
      parser,
      innerSchema: RecommendationRequest,
      transformer: "base64"
    })
)

/** The same with the extended record schema built once and handed over whole. */
export const makeExtended = makeWith(
  () =>
    new BatchProcessor(EventType.KinesisDataStreams, {
      parser,
      schema: KinesisDataStreamRecord.extend({
        kinesis: KinesisDataStreamRecordPayload.extend({ data: Base64Encoded(RecommendationRequest) })
      })
    })
)
