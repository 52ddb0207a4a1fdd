/**
 * Runs the records of one document through a worker.
 *
 * @since 0.1.0
 */
import type { Journal, JournalError } from "@leat/core/Journal"
import type { Worker } from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import { fromRecords, partitionOf } from "../internal/deliveries.ts"
import * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import type { FailedRecord, FailureDocument } from "./FailureDocument.ts"
import { badOption } from "./LambdaFailureError.ts"
import type { LambdaFailureError } from "./LambdaFailureError.ts"
import * as RedriveReport from "./RedriveReport.ts"
import * as StreamRange from "./StreamRange.ts"

/**
 * How a document is redriven.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Records that go to the worker at once. Default 100, as a function gets them. */
  readonly batchSize?: number | undefined
}

/**
 * Runs the records of a document, in order, up to the first batch that is not settled.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(
  worker: Worker<R>,
  document: FailureDocument,
  options: Options = {}
): Effect.Effect<
  RedriveReport.DocumentReport,
  JournalError | KinesisError.KinesisError | LambdaFailureError,
  R | Journal | KinesisClient.KinesisClient
> =>
  Effect.gen(function* () {
    const client = yield* KinesisClient.KinesisClient
    const size = yield* whole("batchSize", options.batchSize, 100)
    const { batchSize, endSequenceNumber, shardId, startSequenceNumber, streamArn } = document.KinesisBatchInfo
    const partition = partitionOf(streamArn.split("/")[1] ?? "", shardId)
    const range = { streamArn, shardId, startSequenceNumber, endSequenceNumber }
    let report: RedriveReport.DocumentReport = {
      ...range,
      records: 0,
      outcomes: RedriveReport.none,
      gone: [],
      stopped: undefined
    }
    const pieces = carried(document) ?? StreamRange.read(client, { ...range, batchSize })
    yield* Stream.runForEachWhile(batches(pieces, size), (piece) => {
      if (piece._tag === "Gone") {
        report = { ...report, gone: [...report.gone, piece.gone] }
        return Effect.as(expired(piece.gone), true)
      }
      return Effect.map(batch(worker, partition, piece.records), (done) => {
        const { outcomes, records, stopped } = done
        report = {
          ...report,
          records: report.records + records,
          outcomes: RedriveReport.sum(report.outcomes, outcomes),
          stopped
        }
        return stopped === undefined
      })
    })
    return report
  })

/**
 * An option that counts from 1 on.
 *
 * @category constructors
 * @since 0.1.0
 */
export const whole = (
  name: string,
  value: number | undefined,
  otherwise: number
): Effect.Effect<number, LambdaFailureError> => {
  if (value === undefined) return Effect.succeed(otherwise)
  const isWhole = Number.isSafeInteger(value) && value >= 1
  return isWhole ? Effect.succeed(value) : Effect.fail(badOption(name, value, "an integer from 1 on"))
}

/** What a document carries need not be fetched, and doesn't expire. */
const carried = (document: FailureDocument): Stream.Stream<StreamRange.Piece> | undefined => {
  const records = document.payload?.Records ?? []
  return records.length === 0 ? undefined : Stream.succeed({ _tag: "Records", records: records.map(toRecord) })
}

const toRecord = ({ kinesis }: FailedRecord): KinesisClient.Record => ({
  sequenceNumber: kinesis.sequenceNumber,
  partitionKey: kinesis.partitionKey,
  data: Buffer.from(kinesis.data, "base64"),
  arrival: kinesis.approximateArrivalTimestamp * 1_000
})

const batches = <E>(pieces: Stream.Stream<StreamRange.Piece, E>, size: number): Stream.Stream<StreamRange.Piece, E> =>
  Stream.flatMap(pieces, (piece) =>
    piece._tag === "Gone" ? Stream.succeed(piece) : Stream.fromIterable(cut(piece.records, size))
  )

function* cut(records: ReadonlyArray<KinesisClient.Record>, size: number): Generator<StreamRange.Piece> {
  for (let from = 0; from < records.length; from += size) {
    yield { _tag: "Records", records: records.slice(from, from + size) }
  }
}

const batch = <R>(worker: Worker<R>, partition: string, records: ReadonlyArray<KinesisClient.Record>) => {
  // As the function got them: the journal knows a delivery that can't be read by its place alone.
  const deliveries = fromRecords(partition, records)
  return Effect.map(worker.process(deliveries), (result) => ({
    records: records.length,
    outcomes: RedriveReport.count(result.outcomes),
    stopped: RedriveReport.stoppedBy(
      deliveries.map((delivery) => delivery.position),
      result
    )
  }))
}

const expired = (gone: StreamRange.Gone): Effect.Effect<void> =>
  Effect.logError("Records expired before they were redriven", gone)
