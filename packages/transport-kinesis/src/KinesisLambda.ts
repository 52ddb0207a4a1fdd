/**
 * A worker as an AWS Lambda function of a Kinesis stream.
 *
 * **Guarantees.** The response names the lowest sequence number that is not settled, or nothing when all are: Lambda
 * sends everything from there on again (`ReportBatchItemFailures`), so nothing is lost and a key's order is kept. The
 * layers are built once for each execution environment; a build that failed is tried again by the next invocation.
 * Nothing starts later than half a second before the function would be killed. Telemetry is written before the response,
 * and no {@link Background} work outlives it: the environment stands still after it.
 *
 * A record that can never succeed and heads a batch of which others succeeded is thrown instead: Lambda finds nothing in
 * front of it to cut off, and would give up the whole rest of the batch with it. A thrown error bisects, at no cost of
 * retries, until the record is alone; then it is reported, and goes to the on-failure destination alone. With `FailurePolicy.permanent: "halt"` it is
 * always reported: who halts wants the shard to wait.
 *
 * The user records of a KPL aggregate are deliveries of their own. Lambda knows only the record around them, so that is
 * what the response names until all of them are settled; a journal makes `Duplicate` of those that were, without one
 * their handlers run again.
 *
 * Several streams may be mapped to one function: the partition of a delivery is the name of its stream and of its shard.
 *
 * **Gotchas.** The mapping must have `FunctionResponseTypes: [ReportBatchItemFailures]`,
 * `BisectBatchOnFunctionError` and an on-failure destination:
 * after its retries AWS drops a record otherwise. `ParallelizationFactor` above 1 keeps the order of a partition key only,
 * which is the aggregate's, not that of the records inside: say so in {@link Options.parallelizationFactor}.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
 * @since 0.1.0
 */
import * as Background from "@leat/core/Background"
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
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as LambdaDeliveries from "./internal/lambdaDeliveries.ts"
import * as LambdaEnvironment from "./internal/LambdaEnvironment.ts"
import type { LambdaContext, LambdaEvent, LambdaRecord, LambdaResponse } from "./LambdaEvent.ts"
import * as SequenceNumber from "./SequenceNumber.ts"
import * as ShardPosition from "./ShardPosition.ts"

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
 * What the function has to know of its mapping.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /**
   * The mapping's `ParallelizationFactor`, 1 to 10. Above 1 an aggregate whose records have other partition keys than its
   * own can't be read: a key's records would be handled side by side. Default 1.
   */
  readonly parallelizationFactor?: number | undefined
}

/**
 * The function was given an option that no mapping has.
 *
 * @category errors
 * @since 0.1.0
 */
export class KinesisLambdaError extends Schema.TaggedError<KinesisLambdaError>()("KinesisLambdaError", {
  reason: Schema.Literals(["ParallelizationFactor"]),
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/**
 * Makes the function out of a worker and the layers it needs. Throws a {@link KinesisLambdaError} at once.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <R, Provided, E>(
  worker: Worker<R>,
  layer: Layer.Layer<Provided, E> & Provides<R | Journal, Provided>,
  options: Options = {}
): KinesisLambda => {
  const factor = factorOf(options)
  const background = Effect.runSync(Background.make)
  // `Provides` has checked it; the compiler can't carry that through the conditional type.
  const environment = LambdaEnvironment.make<R | Journal, E>(
    Layer.provide(layer as Layer.Layer<R | Journal, E>, Layer.succeed(Background.Background, background)),
    announce(worker.name)
  )
  const handler = async (event: LambdaEvent, context: LambdaContext): Promise<LambdaResponse> => {
    const records = recordsOf(event)
    if (records.length === 0) return allSettled
    const run = await environment.get()
    // A reference needs no provider: `Exclude<R, never>` is R, which the compiler can't see for a generic R.
    const deliveries = LambdaDeliveries.fromRecords(records, factor)
    return run(
      respond(worker, deliveries, context, background) as Effect.Effect<LambdaResponse, PoisonRecord, R | Journal>
    )
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

const factorOf = ({ parallelizationFactor = 1 }: Options): number => {
  if (Number.isInteger(parallelizationFactor) && parallelizationFactor >= 1 && parallelizationFactor <= 10) {
    return parallelizationFactor
  }
  const message = `parallelizationFactor is ${parallelizationFactor}: a mapping has an integer from 1 to 10`
  throw new KinesisLambdaError({ reason: "ParallelizationFactor", message, retryable: false })
}

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
  deliveries: ReadonlyArray<Delivery>,
  context: LambdaContext,
  background: Background.Background
) {
  const deadline = (yield* Clock.currentTimeMillis) + context.getRemainingTimeInMillis()
  const result = yield* worker.process(deliveries).pipe(
    Effect.provideService(Deadline.Deadline, deadline),
    // Reported, not thrown: a thrown error would bisect the batch, which mends no journal.
    Effect.catchTag("JournalError", (error) => Effect.as(Effect.logError("the journal failed", error), undefined))
  )
  if (background.pending() > 0) {
    yield* Effect.provideService(background.drain, Deadline.Deadline, deadline - Deadline.reserve / 2)
  }
  yield* WorkerEvent.flush
  if (result === undefined) return failure(deliveries)
  const poison = poisonAtHead(deliveries, result)
  if (poison !== undefined && (yield* FailurePolicy).permanent !== "halt") return yield* poison
  if (result.settledPrefix === deliveries.length) return allSettled
  return failure(deliveries.filter((_, index) => !isSettled(result, index)))
})

const isSettled = ({ outcomes }: Outcome.BatchResult, index: number): boolean => {
  const outcome = outcomes[index]
  return outcome !== undefined && Outcome.isSettled(outcome)
}

/** An aggregate heads its batch as a whole: one part that can never succeed keeps it from ever being done. */
const poisonAtHead = (
  deliveries: ReadonlyArray<Delivery>,
  { outcomes, settledPrefix }: Outcome.BatchResult
): PoisonRecord | undefined => {
  const sequenceNumber = recordOf(deliveries[0])
  // Of a batch that is settled up to its second record, Lambda cuts off the first: no need to bisect.
  if (sequenceNumber === undefined || recordOf(deliveries[settledPrefix]) !== sequenceNumber) return undefined
  const behind = deliveries.findIndex((delivery) => recordOf(delivery) !== sequenceNumber)
  if (behind === -1) return undefined
  const failed = outcomes.slice(0, behind).find((outcome) => outcome._tag === "Failed" && !outcome.retryable)
  if (failed === undefined) return undefined
  // Where nothing succeeds the records are not at fault, and bisecting would try each of them alone.
  if (!outcomes.some((outcome) => Outcome.isSettled(outcome))) return undefined
  const message = `record ${sequenceNumber} can't be handled and heads its batch: ${Outcome.reason(failed) ?? ""}`
  return new PoisonRecord({ sequenceNumber, message, retryable: false })
}

const recordOf = (delivery: Delivery | undefined): string | undefined =>
  delivery === undefined ? undefined : ShardPosition.sequenceNumberOf(delivery.position)

const failure = (unsettled: ReadonlyArray<Delivery>): LambdaResponse => {
  const first = SequenceNumber.lowest(unsettled.map(({ position }) => ShardPosition.sequenceNumberOf(position)))
  return first === undefined ? allSettled : { batchItemFailures: [{ itemIdentifier: first }] }
}
