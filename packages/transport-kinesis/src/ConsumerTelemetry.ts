/**
 * Metrics of a consumer for CloudWatch, as EMF documents: one a minute, whatever the load.
 *
 * **Details.** `MillisBehindLatest` holds a value for each shard that is read here, so that its maximum is the lag of the
 * slowest one and its sample count says how many there are; the metrics of all processes of an application add up. It
 * grows while a shard is not read, so an alarm on it finds a consumer that stands still. The others count what happened
 * since the document before: `RecordsProcessed` (deliveries that were settled), `LanesHeld`, `FetchFailures`,
 * `CheckpointFailures`, `ShardsFenced`. Where the KCL has the metric, the name is the KCL's.
 *
 * @see https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
 * @see https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-kcl.html
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import type { KinesisConsumer } from "./KinesisConsumer.ts"
import { none } from "./kinesisConsumer/ConsumerEvent.ts"
import type { Counts, Stats } from "./kinesisConsumer/ConsumerEvent.ts"

/**
 * What is written and where.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Dimensions: whose metrics they are. */
  readonly stream: string
  readonly application: string
  /** Default `KinesisConsumer`. */
  readonly namespace?: string | undefined
  /** Default 1 minute, the resolution of CloudWatch's metrics. */
  readonly interval?: Duration.Input | undefined
  /** Writes one line. Default: standard output. */
  readonly write?: ((line: string) => void) | undefined
}

/**
 * Starts a consumer and writes its metrics; the last ones when it has given back its shards, so that what it finished then
 * is counted too.
 *
 * @example
 * ```ts no-run
 * import type { Worker } from "@leat/core/Worker"
 * import * as ConsumerTelemetry from "@leat/transport-kinesis/ConsumerTelemetry"
 * import * as KinesisConsumer from "@leat/transport-kinesis/KinesisConsumer"
 *
 * const options = { stream: "orders", application: "shop" }
 * export const start = (worker: Worker<never>) =>
 *   KinesisConsumer.make(worker, options).pipe(ConsumerTelemetry.reporting(options))
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const reporting =
  (options: Options) =>
  <E, R>(start: Effect.Effect<KinesisConsumer, E, R>): Effect.Effect<KinesisConsumer, E, R | Scope.Scope> =>
    Effect.gen(function* () {
      let tell = Effect.void
      // Before the consumer's own, which therefore runs first.
      yield* Effect.addFinalizer(() => tell)
      const consumer = yield* start
      tell = teller(consumer, options)
      yield* Effect.sleep(options.interval ?? "1 minute").pipe(Effect.andThen(tell), Effect.forever, Effect.forkScoped)
      return consumer
    })

/** Writes what happened since it was run last. */
const teller = ({ stats }: KinesisConsumer, options: Options): Effect.Effect<void> => {
  const write = options.write ?? ((line) => void process.stdout.write(`${line}\n`))
  let before: Counts = none
  return Effect.gen(function* () {
    const after = yield* stats
    const at = yield* Clock.currentTimeMillis
    for (const document of documents(before, after, at, options)) write(JSON.stringify(document))
    before = after
  })
}

/**
 * The most values that one metric of a document may carry.
 *
 * @category constants
 * @since 0.1.0
 */
export const valuesPerDocument = 100

const metrics = {
  RecordsProcessed: (counts: Counts) => counts.settled,
  LanesHeld: (counts: Counts) => counts.held,
  FetchFailures: (counts: Counts) => counts.fetchFailures,
  CheckpointFailures: (counts: Counts) => counts.checkpointFailures,
  ShardsFenced: (counts: Counts) => counts.fenced
}

/**
 * The documents for what happened between two looks at the statistics, at a time in epoch milliseconds: one, and another
 * for each further hundred of shards.
 *
 * @category encoding
 * @since 0.1.0
 */
export const documents = (before: Counts, after: Stats, at: number, options: Options): ReadonlyArray<object> => {
  const lags = [...after.behind.values()]
  const counted = Object.entries(metrics).map(([name, of]) => [name, of(after) - of(before)] as const)
  const head = lags.slice(0, valuesPerDocument)
  const rest = Array.from({ length: Math.ceil(lags.length / valuesPerDocument) - 1 }, (_, index) =>
    lags.slice((index + 1) * valuesPerDocument, (index + 2) * valuesPerDocument)
  )
  return [document(head, counted, at, options), ...rest.map((more) => document(more, [], at, options))]
}

/** No process without a shard has a lag: an empty list is no value. */
const document = (
  lags: ReadonlyArray<number>,
  counted: ReadonlyArray<readonly [name: string, count: number]>,
  at: number,
  { application, namespace = "KinesisConsumer", stream }: Options
): object => ({
  _aws: {
    Timestamp: at,
    CloudWatchMetrics: [
      {
        Namespace: namespace,
        Dimensions: [["Stream", "Application"]],
        Metrics: [
          ...(lags.length === 0 ? [] : [{ Name: "MillisBehindLatest", Unit: "Milliseconds" }]),
          ...counted.map(([Name]) => ({ Name, Unit: "Count" }))
        ]
      }
    ]
  },
  Stream: stream,
  Application: application,
  ...(lags.length === 0 ? {} : { MillisBehindLatest: lags }),
  ...Object.fromEntries(counted)
})
