/**
 * A worker as an AWS Lambda function of a Kinesis stream.
 *
 * **Guarantees.** The response names the lowest sequence number that is not settled, or nothing when all are: Lambda
 * sends everything from there on again (`ReportBatchItemFailures`), so nothing is lost and a key's order is kept. The
 * layers are built once for each execution environment; a build that failed is tried again by the next invocation.
 * Nothing starts later than half a second before the function would be killed. Telemetry is written before the response.
 *
 * A record that can never succeed and heads a batch of which others succeeded is thrown instead: Lambda finds nothing in
 * front of it to cut off, and would give up the whole rest of the batch with it. A thrown error bisects, at no cost of
 * retries, until the record is alone; then it is reported, and goes to the on-failure destination alone. With `FailurePolicy.permanent: "halt"` it is
 * always reported: who halts wants the shard to wait.
 *
 * **Gotchas.** The mapping must have `FunctionResponseTypes: [ReportBatchItemFailures]`,
 * `BisectBatchOnFunctionError` and an on-failure destination:
 * after its retries AWS drops a record otherwise. `ParallelizationFactor` above 1 keeps the order of a partition key only.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
 * @since 0.1.0
 */
import * as Deadline from "@leat/core/Deadline"
import type { Delivery } from "@leat/core/Delivery"
import { FailurePolicy } from "@leat/core/FailurePolicy"
import * as Guarantees from "@leat/core/Guarantees"
import type { Journal } from "@leat/core/Journal"
import type { Provides } from "@leat/core/MissingServices"
import * as Outcome from "@leat/core/Outcome"
import type { Promises } from "@leat/core/Transport"
import type { Worker } from "@leat/core/Worker"
import * as WorkerEvent from "@leat/core/WorkerEvent"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as LambdaEnvironment from "./internal/LambdaEnvironment.ts"
import type { LambdaContext, LambdaEvent, LambdaRecord, LambdaResponse } from "./LambdaEvent.ts"
import * as SequenceNumber from "./SequenceNumber.ts"

/**
 * What this transport promises. Lambda's event does not say how often a record came before.
 *
 * @category constants
 * @since 0.1.0
 */
export const promises: Promises = { redelivers: true, ordersKeys: true, countsAttempts: false }

/**
 * The function to export; `close` releases the layers, for tests and local runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface KinesisLambda {
  (event: LambdaEvent, context: LambdaContext): Promise<LambdaResponse>
  readonly close: () => Promise<void>
}

/**
 * Makes the function out of a worker and the layers it needs.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R, Provided, E>(
  worker: Worker<R>,
  layer: Layer.Layer<Provided, E> & Provides<R | Journal, Provided>
): KinesisLambda => {
  // `Provides` has checked it; the compiler can't carry that through the conditional type.
  const environment = LambdaEnvironment.make<R | Journal, E>(
    layer as Layer.Layer<R | Journal, E>,
    announce(worker.name)
  )
  const handler = async (event: LambdaEvent, context: LambdaContext): Promise<LambdaResponse> => {
    const records = recordsOf(event)
    if (records.length === 0) return allSettled
    const run = await environment.get()
    // A reference needs no provider: `Exclude<R, never>` is R, which the compiler can't see for a generic R.
    return run(respond(worker, records, context) as Effect.Effect<LambdaResponse, PoisonRecord, R | Journal>)
  }
  return Object.assign(handler, { close: environment.close })
}

/**
 * The first record of a batch can never succeed: thrown so that Lambda bisects the batch.
 *
 * @category errors
 * @since 0.1.0
 */
export class PoisonRecord extends Schema.TaggedError<PoisonRecord>()("PoisonRecord", {
  sequenceNumber: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

const announce = (name: string) =>
  Effect.flatMap(Effect.context<Journal>(), (services) =>
    Effect.logInfo(`worker ${name} behind Lambda: ${Guarantees.describe(services).join("; ")}`)
  )

const allSettled: LambdaResponse = { batchItemFailures: [] }

const recordsOf = (event: LambdaEvent): ReadonlyArray<LambdaRecord> => {
  const records: unknown = (event as Partial<LambdaEvent> | null)?.Records
  if (!Array.isArray(records))
    throw new TypeError("not a Kinesis event: `Records` is missing; is the trigger a Kinesis stream?")
  const [first] = records as ReadonlyArray<Partial<LambdaRecord> | null>
  if (records.length > 0 && typeof first?.kinesis?.sequenceNumber !== "string") {
    throw new TypeError(
      "not a Kinesis event: a record has no `kinesis.sequenceNumber`; is the trigger a Kinesis stream?"
    )
  }
  return records as ReadonlyArray<LambdaRecord>
}

const respond = Effect.fnUntraced(function* <R>(
  worker: Worker<R>,
  records: ReadonlyArray<LambdaRecord>,
  context: LambdaContext
) {
  const deadline = (yield* Clock.currentTimeMillis) + context.getRemainingTimeInMillis()
  const result = yield* worker.process(deliveriesOf(records)).pipe(
    Effect.provideService(Deadline.Deadline, deadline),
    // Reported, not thrown: a thrown error would bisect the batch, which mends no journal.
    Effect.catchTag("JournalError", (error) => Effect.as(Effect.logError("the journal failed", error), undefined))
  )
  yield* WorkerEvent.flush
  if (result === undefined) return nothingSettled(records)
  const poison = poisonAtHead(records, result)
  if (poison !== undefined && (yield* FailurePolicy).permanent !== "halt") return yield* poison
  return toResponse(records, result)
})

const poisonAtHead = (
  records: ReadonlyArray<LambdaRecord>,
  { outcomes, settledPrefix }: Outcome.BatchResult
): PoisonRecord | undefined => {
  const [head] = outcomes
  const [first] = records
  if (settledPrefix > 0 || records.length === 1 || first === undefined) return undefined
  if (head?._tag !== "Failed" || head.retryable) return undefined
  // Where nothing succeeds the records are not at fault, and bisecting would try each of them alone.
  if (!outcomes.some((outcome) => Outcome.isSettled(outcome))) return undefined
  const { sequenceNumber } = first.kinesis
  const message = `record ${sequenceNumber} can't be handled and heads its batch: ${Outcome.reason(head) ?? ""}`
  return new PoisonRecord({ sequenceNumber, message, retryable: false })
}

const nothingSettled = (records: ReadonlyArray<LambdaRecord>): LambdaResponse =>
  failure(SequenceNumber.lowest(records.map((record) => record.kinesis.sequenceNumber)))

const toResponse = (records: ReadonlyArray<LambdaRecord>, result: Outcome.BatchResult): LambdaResponse => {
  if (result.settledPrefix === records.length) return allSettled
  const unsettled = records.filter((_, index) => {
    const outcome = result.outcomes[index]
    return outcome === undefined || !Outcome.isSettled(outcome)
  })
  return failure(SequenceNumber.lowest(unsettled.map((record) => record.kinesis.sequenceNumber)))
}

const failure = (sequenceNumber: string | undefined): LambdaResponse =>
  sequenceNumber === undefined ? allSettled : { batchItemFailures: [{ itemIdentifier: sequenceNumber }] }

/** Records of one batch are of one shard, so its name is cut out of an id once. */
const deliveriesOf = (records: ReadonlyArray<LambdaRecord>): ReadonlyArray<Delivery> => {
  const deliveries: Array<Delivery> = []
  let shard = shardOf(records[0]?.eventID ?? "")
  for (const record of records) {
    if (!isOf(record.eventID, shard)) shard = shardOf(record.eventID)
    deliveries.push(toDelivery(record, shard))
  }
  return deliveries
}

const toDelivery = (record: LambdaRecord, partition: string): Delivery => {
  const { approximateArrivalTimestamp, data, partitionKey, sequenceNumber } = record.kinesis
  const bytes = typeof data === "string" ? Buffer.from(data, "base64") : nothing
  return {
    partition,
    position: sequenceNumber,
    partitionKey,
    attempt: 1,
    arrival: approximateArrivalTimestamp * 1_000,
    bytes,
    fault: faultOf(data, bytes)
  }
}

const nothing = new Uint8Array()

const colon = 0x3a

const isOf = (eventID: string, shard: string): boolean =>
  eventID.startsWith(shard) && (eventID.length === shard.length || eventID.charCodeAt(shard.length) === colon)

const shardOf = (eventID: string): string => {
  const end = eventID.indexOf(":")
  return end === -1 ? eventID : eventID.slice(0, end)
}

/** `Buffer` skips what is not base64, so text that yields fewer bytes than its length asks for was none. */
const faultOf = (data: unknown, bytes: Uint8Array): string | undefined => {
  if (typeof data !== "string") return "`kinesis.data` is not a string"
  const { length } = data
  const padding = data.charCodeAt(length - 1) !== equals ? 0 : data.charCodeAt(length - 2) === equals ? 2 : 1
  if (length % 4 !== 0 || bytes.length !== (length / 4) * 3 - padding) return "`kinesis.data` is not base64"
  return isAggregate(bytes)
    ? "an aggregated record of the Kinesis Producer Library: publish without aggregation"
    : undefined
}

const equals = 0x3d

/** The KPL's magic number. @see https://github.com/awslabs/amazon-kinesis-producer/blob/master/aggregation-format.md */
const isAggregate = (bytes: Uint8Array): boolean =>
  bytes[0] === 0xf3 && bytes[1] === 0x89 && bytes[2] === 0x9a && bytes[3] === 0xc2
