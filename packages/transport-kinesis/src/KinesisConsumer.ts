/**
 * A worker as a long-running consumer of a Kinesis stream.
 *
 * **Guarantees.** A shard is read by one process at a time, in order, after its parents; a key's events are handled one
 * after the other. A checkpoint is written after the records before it were settled, never before: a crash repeats what
 * lies behind the last checkpoint, and a journal makes of that `Duplicate`. One failing key holds itself back and, through
 * the checkpoint, what a restart repeats; the other keys go on until {@link Options.maxOpenRecords} lie behind it.
 * Nothing stalls in silence: what a repetition does not mend ends the consumer with its error.
 *
 * **Gotchas.** A process that was stopped and goes on may for a moment handle what its successor handles: the checkpoint
 * refuses it, a journal does, a call to the outside does not. Without a journal or a dead-letter sink a permanent failure
 * halts its key for ever, and its shard once the window is full.
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/building-consumers.html
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"
import { hostname } from "node:os"

import * as Deadline from "@leat/core/Deadline"
import * as Guarantees from "@leat/core/Guarantees"
import type { Journal } from "@leat/core/Journal"
import type { JournalError } from "@leat/core/Journal"
import type { Promises } from "@leat/core/Transport"
import type { Worker } from "@leat/core/Worker"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"

import type * as Aggregation from "./Aggregation.ts"
import type * as Checkpoint from "./Checkpoint.ts"
import { CheckpointStore } from "./Checkpoint.ts"
import { Fetcher } from "./Fetcher.ts"
import * as Deliveries from "./internal/deliveries.ts"
import * as Feed from "./internal/feed.ts"
import * as Monotonic from "./internal/monotonic.ts"
import * as KinesisClient from "./KinesisClient.ts"
import * as ConsumerEvent from "./kinesisConsumer/ConsumerEvent.ts"
import * as ConsumerLog from "./kinesisConsumer/ConsumerLog.ts"
import * as Discovery from "./kinesisConsumer/Discovery.ts"
import { Lag } from "./kinesisConsumer/Lag.ts"
import type * as Ownership from "./kinesisConsumer/Ownership.ts"
import type { TakenOver } from "./kinesisConsumer/Tenure.ts"
import * as Tenure from "./kinesisConsumer/Tenure.ts"
import type * as KinesisError from "./KinesisError.ts"
import { ShardAssignment } from "./ShardAssignment.ts"
import * as ShardPosition from "./ShardPosition.ts"
import * as StreamSettings from "./StreamSettings.ts"

/**
 * What this transport promises. Attempts are counted as long as one process has the shard.
 *
 * @category constants
 * @since 0.1.0
 */
export const promises: Promises = { redelivers: true, ordersKeys: true, countsAttempts: true }

export {
  /**
   * Another process of the application reads the same shard, and nothing keeps the two apart.
   *
   * @category errors
   * @since 0.1.0
   */
  TakenOver
} from "./kinesisConsumer/Tenure.ts"

/**
 * A consumer was given an option that can't be.
 *
 * @category errors
 * @since 0.1.0
 */
export class KinesisConsumerError extends Schema.TaggedError<KinesisConsumerError>()("KinesisConsumerError", {
  reason: Schema.Literals(["Options", "Died"]),
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * A consumer.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Name or ARN of the stream. */
  readonly stream: string
  /** Whose checkpoints: processes with the same name share the shards. */
  readonly application: string
  /**
   * Where an application begins that never ran on this stream. `LATEST` is resolved once, to the time at which the first
   * process starts, by its clock. Default `TRIM_HORIZON`.
   */
  readonly startingPosition?: "TRIM_HORIZON" | "LATEST" | { readonly atTimestamp: number } | undefined
  /** This process, for a person who reads the checkpoints. Default: host, process id and a random part. */
  readonly owner?: string | undefined
  /** Most deliveries in a batch. Default 500. */
  readonly batchSize?: number | undefined
  /** How long a batch may take: then handlers are interrupted and their events tried again. Default 1 minute. */
  readonly batchTimeout?: Duration.Input | undefined
  /** Deliveries from the oldest open one to the newest, for each shard. Default 10 000; one page is read beyond. */
  readonly maxOpenRecords?: number | undefined
  /** Bytes of open deliveries, for each shard. Default 16 MiB; one page is read beyond. */
  readonly maxOpenBytes?: number | undefined
  /** Longest time between a settled record and its checkpoint. Default 5 seconds. */
  readonly checkpointInterval?: Duration.Input | undefined
  /** Deliveries after which a checkpoint is written at once. Default 10 000. */
  readonly checkpointEvery?: number | undefined
  /** Pause before the second try of an event, doubled for each further one. Default 200 ms. */
  readonly backoffBase?: Duration.Input | undefined
  /** No pause is longer. Default 30 seconds. */
  readonly backoffCap?: Duration.Input | undefined
  /** How long a shard may take to finish its batch when it is given back, and again to write its checkpoint. Default 5 s. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /** Time between looks for new shards; the end of a shard looks at once. Default 5 seconds. */
  readonly discoveryInterval?: Duration.Input | undefined
  /** What becomes of user records that do not belong to the shard of their aggregate. Default `"off"`: all are handled. */
  readonly hashRangePolicy?: Aggregation.HashRangePolicy | undefined
  /**
   * A stream that ignores partition keys (`RecordDistributionStrategy=AUTO`) keeps no order: whether that ends the
   * consumer, at its start or later, or is only reported. Default `"refuse"`.
   */
  readonly onUnordered?: "report" | "refuse" | undefined
  /** Time between looks at the settings of the stream. Default 5 minutes. */
  readonly settingsInterval?: Duration.Input | undefined
  /** Told everything from the first event on, in the consumer's own turn: must be quick and must not throw. */
  readonly onEvent?: ((event: ConsumerEvent.ConsumerEvent) => void) | undefined
}

/**
 * What ends a consumer.
 *
 * @category errors
 * @since 0.1.0
 */
export type Failure =
  | KinesisError.KinesisError
  | Checkpoint.CheckpointError
  | JournalError
  | StreamSettings.StreamSettingsError
  | TakenOver
  | KinesisConsumerError

/**
 * A running consumer.
 *
 * @category models
 * @since 0.1.0
 */
export interface KinesisConsumer {
  readonly stats: Effect.Effect<ConsumerEvent.Stats>
  /** What it does from now on. A reader that falls 4096 events behind misses the oldest. */
  readonly events: Stream.Stream<ConsumerEvent.ConsumerEvent>
  /** Never ends but with the error that stopped the consumer. */
  readonly join: Effect.Effect<never, Failure>
}

/**
 * Starts a consumer that runs until the scope closes; then what is in hand is finished, the last checkpoints are written
 * and the shards are given back.
 *
 * **Gotchas.** A consumer that failed does nothing more: join it, or the program lives on without it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: <R>(
  worker: Worker<R>,
  options: Options
) => Effect.Effect<
  KinesisConsumer,
  KinesisError.KinesisError | StreamSettings.StreamSettingsError | KinesisConsumerError,
  R | Journal | KinesisClient.KinesisClient | CheckpointStore | Fetcher | ShardAssignment | Scope.Scope
> = Effect.fnUntraced(function* <R>(worker: Worker<R>, options: Options) {
  const settings = yield* resolve(options)
  const client = yield* KinesisClient.KinesisClient
  const store = yield* CheckpointStore
  const fetcher = yield* Fetcher
  const assignment = yield* ShardAssignment
  const watched = { stream: options.stream, onUnordered: options.onUnordered, interval: options.settingsInterval }
  const summary = yield* StreamSettings.verify(watched)
  const now = yield* Clock.currentTimeMillis
  const feed = yield* Feed.make(ConsumerEvent.none, ConsumerEvent.count)
  const failed = Deferred.makeUnsafe<never, Failure>()
  const log = yield* logger
  const emit = (event: ConsumerEvent.ConsumerEvent): void => {
    feed.emit(event)
    log(event)
    options.onEvent?.(event)
  }

  const group = { application: options.application, stream: `${nameOf(summary.streamArn)}@${summary.createdAt}` }
  const lag = new Lag()
  const owner = options.owner ?? `${hostname()}/${process.pid}/${randomUUID().slice(0, 8)}`
  const room: Ownership.Room<R> = {
    worker,
    stream: options.stream,
    partition: (shardId) => Deliveries.partitionOf(nameOf(summary.streamArn), shardId),
    group,
    owner,
    store,
    fetcher,
    emit,
    lag,
    settings
  }
  const services = yield* Effect.context<Journal>()
  yield* Effect.logInfo(
    `worker ${worker.name} consumes ${group.stream} as ${options.application}: ${[fetcher.name, `${assignment.name} assignment`, ...Guarantees.describe(services)].join("; ")}`
  )
  const discovery = Discovery.run<R | Journal>({
    listShards: client.listShards(options.stream),
    store,
    group,
    assignment,
    start: startOf(options.startingPosition, now),
    interval: settings.discoveryInterval,
    emit,
    run: (shard, look) => loudly(failed, Tenure.run(room, shard, { exclusive: assignment.exclusive, look }))
  })
  yield* Effect.forkScoped(loudly(failed, StreamSettings.watch(watched, summary)))
  yield* Effect.forkScoped(loudly(failed, discovery))
  const consumer: KinesisConsumer = {
    stats: Effect.map(Monotonic.millis, (at) => ({ ...feed.stats(), behind: lag.read(at) })),
    events: feed.events,
    join: Deferred.await(failed)
  }
  return consumer
})

/**
 * Runs a consumer until it is interrupted or fails.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(
  worker: Worker<R>,
  options: Options
): Effect.Effect<
  never,
  Failure,
  Exclude<R, Scope.Scope> | Journal | KinesisClient.KinesisClient | CheckpointStore | Fetcher | ShardAssignment
> => Effect.scoped(Effect.flatMap(make(worker, options), (consumer) => consumer.join))

/** A forked fiber that fails is silent: whatever ends one ends the consumer. */
const loudly = <A, R>(
  failed: Deferred.Deferred<never, Failure>,
  self: Effect.Effect<A, Exclude<Failure, KinesisConsumerError>, R>
): Effect.Effect<void, never, R> =>
  self.pipe(
    Effect.catch((error) => Deferred.fail(failed, error)),
    Effect.catchDefect((cause) =>
      Deferred.fail(
        failed,
        new KinesisConsumerError({ reason: "Died", message: "the consumer died", retryable: false, cause })
      )
    ),
    Effect.asVoid
  )

const logger = Effect.map(Effect.context(), (services) => {
  const run = Effect.runSyncWith(services)
  const clock = Context.get(services, Clock.Clock)
  const limit = ConsumerLog.makeLimit()
  return (event: ConsumerEvent.ConsumerEvent): void => {
    const line = limit(event, clock.currentTimeMillisUnsafe())
    if (line !== undefined) run(Effect.logWithLevel(line.level)(line.message))
  }
})

const nameOf = (streamArn: string): string => streamArn.slice(streamArn.indexOf("/") + 1)

const startOf = (start: Options["startingPosition"], now: number): ShardPosition.ShardPosition => {
  if (typeof start === "object") return ShardPosition.atTimestamp(start.atTimestamp)
  return start === "LATEST" ? ShardPosition.atTimestamp(now) : ShardPosition.trimHorizon
}

const mebibyte = 1024 * 1024

const resolve = (
  options: Options
): Effect.Effect<Ownership.Settings & { readonly discoveryInterval: number }, KinesisConsumerError> => {
  const base = Duration.toMillis(options.backoffBase ?? 200)
  const cap = Duration.toMillis(options.backoffCap ?? "30 seconds")
  const settings = {
    batchSize: options.batchSize ?? 500,
    batchTimeout: Duration.toMillis(options.batchTimeout ?? "1 minute"),
    bounds: { records: options.maxOpenRecords ?? 10_000, bytes: options.maxOpenBytes ?? 16 * mebibyte },
    checkpointInterval: Duration.toMillis(options.checkpointInterval ?? "5 seconds"),
    checkpointEvery: options.checkpointEvery ?? 10_000,
    shutdownTimeout: Duration.toMillis(options.shutdownTimeout ?? "5 seconds"),
    discoveryInterval: Duration.toMillis(options.discoveryInterval ?? "5 seconds"),
    backoff: (attempt: number) => Math.min(cap, base * 2 ** Math.min(attempt - 1, 30)),
    hashRangePolicy: options.hashRangePolicy ?? "off"
  }
  const fault = faultOf(options, settings)
  return fault === undefined
    ? Effect.succeed(settings)
    : Effect.fail(new KinesisConsumerError({ reason: "Options", message: fault, retryable: false }))
}

const faultOf = (
  { application, stream }: Options,
  settings: Ownership.Settings & { readonly discoveryInterval: number }
): string | undefined => {
  if (stream === "") return "stream is empty: give its name or ARN"
  if (!/^[\w.:-]{1,128}$/.test(application)) {
    return `application is ${JSON.stringify(application)}: 1 to 128 letters, digits or . _ : -`
  }
  const counts = {
    batchSize: settings.batchSize,
    maxOpenRecords: settings.bounds.records,
    maxOpenBytes: settings.bounds.bytes,
    checkpointEvery: settings.checkpointEvery
  }
  for (const [name, value] of Object.entries(counts)) {
    if (!Number.isSafeInteger(value) || value < 1) return `${name} is ${value}: an integer from 1`
  }
  if (!(settings.batchTimeout > Deadline.reserve)) {
    return `batchTimeout is ${settings.batchTimeout} ms: more than the ${Deadline.reserve} ms that are kept for the commit`
  }
  const times = {
    "backoffBase and backoffCap": settings.backoff(1),
    checkpointInterval: settings.checkpointInterval,
    discoveryInterval: settings.discoveryInterval
  }
  for (const [name, value] of Object.entries(times))
    if (!(value > 0)) return `${name}: ${value} ms; more than 0 is needed`
  return undefined
}
