/**
 * What AWS Lambda gave up on: the documents of an on-failure destination, and their redrive through a worker.
 *
 * **Guarantees.** A document's records run in order, from its first sequence number to its last, both included. Documents
 * of one shard run one after the other in the order of their first record, a shard after the shards that it came from,
 * other shards side by side. A letter leaves its source when all of its records are settled (handled, known, parked,
 * skipped), and for no other reason: where one fails, its letter stays and what is behind it on the shard waits. What can't
 * be read as a document stays and is reported. Records that expired are an error in the log and a range in the report.
 *
 * A crash between the last record and the acknowledgement runs the letter again. With a journal what was settled is then
 * a duplicate and handlers don't run again. The same holds for records of the range that the function had done: a
 * document names a range, and a batch that failed may have been done in part. **Without a journal all of it runs again.**
 *
 * **Gotchas.** A document without a payload (SQS, SNS, Kafka) says where records lie, not what they hold: redrive before
 * the stream's retention is over. A redrive reads the same shard as the live consumers, once a second. Records that event
 * filters had kept from the function are in the range as well: the worker sees them. New records of a key overtook the
 * failed ones when Lambda gave up; a redrive can't undo that. Park instead, with `FailurePolicy`, where it matters. Run
 * one redrive of a source at a time: two would share out a shard's documents between them.
 *
 * **Example** (What a queue holds)
 *
 * ```ts no-run
 * import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
 * import * as LambdaFailure from "@leat/transport-kinesis/LambdaFailure"
 * import * as Sqs from "@leat/transport-kinesis/lambdaFailure/Sqs"
 * import * as Effect from "effect/Effect"
 * import type { Worker } from "@leat/core/Worker"
 *
 * const queue = Sqs.source({ queueUrl: "https://sqs.eu-west-1.amazonaws.com/123456789012/given-up" })
 * export const redrive = (worker: Worker<never>) =>
 *   LambdaFailure.redriveAll(worker, queue).pipe(Effect.provide(KinesisClient.layerConfig))
 * ```
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @since 0.1.0
 */
import { Journal } from "@leat/core/Journal"
import type { JournalError } from "@leat/core/Journal"
import type { Worker } from "@leat/core/Worker"
import * as Effect from "effect/Effect"

import type * as KinesisClient from "./KinesisClient.ts"
import type * as KinesisError from "./KinesisError.ts"
import * as DocumentRedrive from "./lambdaFailure/DocumentRedrive.ts"
import type { FailureDestinationError } from "./lambdaFailure/FailureDestinationError.ts"
import type * as FailureDocument from "./lambdaFailure/FailureDocument.ts"
import * as FailureMessage from "./lambdaFailure/FailureMessage.ts"
import type * as FailureSource from "./lambdaFailure/FailureSource.ts"
import { LambdaFailureError } from "./lambdaFailure/LambdaFailureError.ts"
import type * as RedriveReport from "./lambdaFailure/RedriveReport.ts"
import * as SourceRedrive from "./lambdaFailure/SourceRedrive.ts"

export {
  /**
   * Why a message could not be read.
   *
   * @category errors
   * @since 0.1.0
   */
  LambdaFailureError
} from "./lambdaFailure/LambdaFailureError.ts"

/**
 * The document, as AWS writes it.
 *
 * @category models
 * @since 0.1.0
 */
export type Document = FailureDocument.FailureDocument

/**
 * What became of a document.
 *
 * @category models
 * @since 0.1.0
 */
export type DocumentReport = RedriveReport.DocumentReport

/**
 * What became of a letter.
 *
 * @category models
 * @since 0.1.0
 */
export type LetterReport = RedriveReport.LetterReport

/**
 * What became of a source.
 *
 * @category models
 * @since 0.1.0
 */
export type Report = RedriveReport.Report

/**
 * How a source is redriven.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = SourceRedrive.Options

/**
 * Reads a document out of the body of a message or the text of an object, with or without the envelope of SNS.
 *
 * @category constructors
 * @since 0.1.0
 */
export const parse = (body: string): Effect.Effect<Document, LambdaFailureError> =>
  Effect.flatMap(Effect.fromResult(FailureMessage.parse(body)), (message) => {
    if (message._tag === "Document") return Effect.succeed(message.document)
    const places = message.objects.map(({ bucket, key }) => `s3://${bucket}/${key}`).join(", ")
    return Effect.fail(
      new LambdaFailureError({
        reason: "Unresolved",
        member: "",
        message: `the message holds no document, it points at ${places}: read that, and give its text`,
        retryable: false
      })
    )
  })

/**
 * Runs the records of one document, in order, up to the first batch that is not settled.
 *
 * @category running
 * @since 0.1.0
 */
export const redrive = <R>(
  worker: Worker<R>,
  document: Document,
  options: DocumentRedrive.Options = {}
): Effect.Effect<
  DocumentReport,
  JournalError | KinesisError.KinesisError | LambdaFailureError,
  R | Journal | KinesisClient.KinesisClient
> => Effect.andThen(warned, DocumentRedrive.run(worker, document, options))

/**
 * Redrives what waits in a source, until it is empty or `limit` letters were taken.
 *
 * **Details**
 *
 * Fails when the source or the journal does; letters that were done with by then are out of the source.
 *
 * @category running
 * @since 0.1.0
 */
export const redriveAll = <R>(
  worker: Worker<R>,
  source: FailureSource.FailureSource,
  options: Options = {}
): Effect.Effect<
  Report,
  JournalError | FailureDestinationError | LambdaFailureError,
  R | Journal | KinesisClient.KinesisClient
> => Effect.andThen(warned, SourceRedrive.run(worker, source, options))

const warned = Effect.flatMap(Journal, ({ durable }) =>
  durable ? Effect.void : Effect.logWarning("A redrive without a journal: records that the function had done run again")
)
