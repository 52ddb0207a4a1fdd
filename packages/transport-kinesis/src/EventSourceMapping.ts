/**
 * Runs a Lambda function against a Kinesis stream as AWS's event source mapping does, on this machine.
 *
 * **Guarantees.** Records of a shard are sent in order, one batch at a time; a child shard starts after the end of its
 * parents. A record is sent until the function settles it or it is given up to `onFailure`: nothing is skipped in
 * silence. Duplicates: everything from the lowest reported record on is sent again, done or not. Nothing is remembered
 * after the scope closes: a new mapping begins at its starting position.
 *
 * **Details.** Rules are AWS's (6 MB payloads, the table of answers, bisect, retries, ages, the on-failure document), with
 * two of our own: `reportBatchItemFailures` is on and the window is 1 second unless you say otherwise. Not modelled:
 * ParallelizationFactor, filters, tumbling windows, enhanced fan-out.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"

import * as Batch from "./eventSourceMapping/Batch.ts"
import * as Feed from "./eventSourceMapping/Feed.ts"
import * as Invoker from "./eventSourceMapping/Invoker.ts"
import type * as MappingEvent from "./eventSourceMapping/MappingEvent.ts"
import type * as OnFailure from "./eventSourceMapping/OnFailure.ts"
import * as Poller from "./eventSourceMapping/Poller.ts"
import * as Progress from "./eventSourceMapping/Progress.ts"
import * as Reader from "./eventSourceMapping/Reader.ts"
import * as Supervisor from "./eventSourceMapping/Supervisor.ts"
import * as KinesisClient from "./KinesisClient.ts"
import type * as KinesisError from "./KinesisError.ts"
import type * as LambdaEvent from "./LambdaEvent.ts"

/**
 * A mapping was given an option that AWS refuses.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventSourceMappingError extends Schema.TaggedError<EventSourceMappingError>()("EventSourceMappingError", {
  reason: Schema.Literals([
    "BatchSize",
    "FunctionTimeout",
    "MaximumBatchingWindow",
    "MaximumRecordAge",
    "MaximumRetryAttempts",
    "PollInterval"
  ]),
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

/**
 * What was given up: AWS's on-failure document, and the records themselves.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure = OnFailure.Failure

/**
 * Counts since the start.
 *
 * @category models
 * @since 0.1.0
 */
export type Stats = MappingEvent.Stats

/**
 * One thing that a mapping did.
 *
 * @category models
 * @since 0.1.0
 */
export type Event = MappingEvent.MappingEvent

/**
 * A mapping. Names are AWS's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Name or ARN of the stream. */
  readonly stream: string
  readonly handler: LambdaEvent.Handler
  /** Default `"function"`. */
  readonly functionName?: string | undefined
  /** How long an invocation may take; longer counts as thrown. Default 30 seconds. */
  readonly functionTimeout?: Duration.Input | undefined
  /** Records an invocation, 1 to 10 000. Default 100. */
  readonly batchSize?: number | undefined
  /** How long a batch waits for more, 0 to 300 seconds. Default 1 second (AWS: 0). */
  readonly maximumBatchingWindow?: Duration.Input | undefined
  /** −1 to 10 000; −1 is until the record expires. Default −1. */
  readonly maximumRetryAttempts?: number | undefined
  /** Records older than this are given up. Default: the stream's retention. */
  readonly maximumRecordAge?: Duration.Input | undefined
  /** Default false. */
  readonly bisectBatchOnFunctionError?: boolean | undefined
  /** Whether the answer names what failed. Default true (AWS: false). */
  readonly reportBatchItemFailures?: boolean | undefined
  /** Default `TRIM_HORIZON`. With `LATEST` what is put before the first read is not seen. */
  readonly startingPosition?: "TRIM_HORIZON" | "LATEST" | { readonly atTimestamp: number } | undefined
  /** Gets what was given up. Default: an error in the log, and the record is gone, as on AWS. */
  readonly onFailure?: ((failure: Failure) => Effect.Effect<void>) | undefined
  /** Time between reads at the tip of a shard; AWS reads once a second. Default 1 second. */
  readonly pollInterval?: Duration.Input | undefined
  /** Pause before the n-th retry of the same records. Default 200 ms · 2ⁿ, at most 30 seconds. */
  readonly backoff?: ((retry: number) => Duration.Input) | undefined
  /** Time between looks for new shards; the end of a shard looks at once. Default 30 seconds. */
  readonly discoveryInterval?: Duration.Input | undefined
}

/**
 * A running mapping.
 *
 * @category models
 * @since 0.1.0
 */
export interface EventSourceMapping {
  readonly stats: Effect.Effect<Stats>
  /** What it does from now on. A reader that falls 4096 events behind misses the oldest. */
  readonly events: Stream.Stream<Event>
  /** Per shard, the record up to which everything was settled or given up. */
  readonly positions: Effect.Effect<ReadonlyMap<string, string>>
  /** Waits until all that was put before this call was settled or given up. Takes at least one read of each shard. */
  readonly drained: Effect.Effect<void, KinesisError.KinesisError>
  /** Never ends but with the error that stopped the mapping. */
  readonly join: Effect.Effect<never, KinesisError.KinesisError>
}

/**
 * Starts a mapping that runs until the scope closes; then a call in flight is waited for.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (options: Options) {
  const client = yield* KinesisClient.KinesisClient
  const settings = yield* resolve(options)
  const summary = yield* client.describeStreamSummary(options.stream)
  const functionArn = `arn:aws:lambda:${summary.streamArn.split(":")[3] ?? ""}:000000000000:function:${settings.functionName}`
  const source = { functionArn, streamArn: summary.streamArn }
  const invoker = Invoker.make({ ...settings, ...source, handler: options.handler })
  yield* Effect.addFinalizer(() => Effect.ignore(Effect.timeout(invoker.idle, settings.functionTimeout)))

  const progress = Progress.make()
  const feed = yield* Feed.make
  const maximumAge = Math.min(settings.maximumAge, summary.retention)
  const room: Room = { client, invoker, progress, feed, source, settings: { ...settings, maximumAge } }
  const fiber = yield* Effect.forkScoped(supervise(room, options.stream))
  const join = Fiber.join(fiber)
  const mapping: EventSourceMapping = {
    join,
    stats: Effect.sync(feed.stats),
    events: feed.events,
    positions: Effect.sync(progress.positions),
    drained: Effect.raceFirst(progress.drained, join)
  }
  return mapping
})

/** What the parts of one mapping share. */
interface Room {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly invoker: Invoker.Invoker
  readonly progress: Progress.Progress
  readonly feed: Feed.Feed
  readonly source: Poller.Options["source"]
  readonly settings: Effect.Success<ReturnType<typeof resolve>>
}

const supervise = (room: Room, stream: string) => {
  const { client, feed, progress, settings } = room
  return Supervisor.run({
    listShards: client.listShards(stream),
    start: settings.start,
    discovery: settings.discovery,
    poll: (shardId, start) => poll(room, { stream, shardId, start }),
    onStart: (shardId) => {
      progress.start(shardId)
      feed.emit({ _tag: "ShardStarted", shardId })
    },
    onEnd: (shardId) => {
      progress.end(shardId)
      feed.emit({ _tag: "ShardEnded", shardId })
    }
  }).pipe(Effect.tapCause((cause) => stopped(stream, cause)))
}

const poll = (
  { client, feed, invoker, progress, settings, source }: Room,
  shard: Pick<Reader.Options, "stream" | "shardId" | "start">
) => {
  const { shardId } = shard
  return Poller.run({
    ...settings,
    shardId,
    invoker,
    source,
    emit: feed.emit,
    reader: Reader.make({
      ...shard,
      client,
      pollInterval: settings.pollInterval,
      onError: (error) => feed.emit({ _tag: "ReadFailed", shardId, error })
    }),
    checkpoint: (sequenceNumber) => progress.checkpoint(shardId, sequenceNumber),
    reading: () => progress.reading(shardId)
  })
}

/**
 * Runs a mapping until it is interrupted; fails when the stream can't be read.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (
  options: Options
): Effect.Effect<never, KinesisError.KinesisError | EventSourceMappingError, KinesisClient.KinesisClient> =>
  Effect.scoped(Effect.flatMap(make(options), (mapping) => mapping.join))

const resolve = (options: Options) => {
  const batchSize = options.batchSize ?? 100
  const window = Duration.toMillis(options.maximumBatchingWindow ?? "1 second")
  const maximumRetryAttempts = options.maximumRetryAttempts ?? -1
  if (!isWithin(batchSize, 1, 10_000)) return refuse("BatchSize", batchSize, "an integer from 1 to 10000")
  if (!(window >= 0 && window <= 300_000)) return refuse("MaximumBatchingWindow", window, "0 to 300 seconds")
  const functionTimeout = Duration.toMillis(options.functionTimeout ?? "30 seconds")
  const maximumAge = Duration.toMillis(options.maximumRecordAge ?? Duration.infinity)
  const pollInterval = Duration.toMillis(options.pollInterval ?? "1 second")
  if (!isWithin(maximumRetryAttempts, -1, 10_000)) {
    return refuse("MaximumRetryAttempts", maximumRetryAttempts, "an integer from -1 to 10000")
  }
  if (!(functionTimeout > 0 && functionTimeout <= 900_000)) {
    return refuse("FunctionTimeout", functionTimeout, "more than 0, at most 900 seconds")
  }
  if (!(maximumAge > 0)) return refuse("MaximumRecordAge", maximumAge, "more than 0")
  if (!(pollInterval > 0)) return refuse("PollInterval", pollInterval, "more than 0")
  return Effect.succeed({
    functionName: options.functionName ?? "function",
    functionTimeout,
    reportBatchItemFailures: options.reportBatchItemFailures ?? true,
    bounds: { batchSize, payloadBytes: Batch.largestPayload },
    payloadBytes: Batch.largestPayload,
    window,
    policy: { maximumRetryAttempts, bisect: options.bisectBatchOnFunctionError ?? false },
    maximumAge,
    start: position(options.startingPosition),
    onFailure: options.onFailure ?? logged,
    pollInterval,
    backoff: (retry: number) => Duration.toMillis(options.backoff?.(retry) ?? Math.min(30_000, 100 * 2 ** retry)),
    discovery: options.discoveryInterval ?? "30 seconds"
  })
}

const isWithin = (value: number, low: number, high: number): boolean =>
  Number.isSafeInteger(value) && value >= low && value <= high

const refuse = (reason: EventSourceMappingError["reason"], value: number, allowed: string) =>
  Effect.fail(new EventSourceMappingError({ reason, message: `${reason} is ${value}: ${allowed}`, retryable: false }))

const position = (start: Options["startingPosition"]): KinesisClient.Position => {
  if (typeof start === "object") return { _tag: "AtTimestamp", at: start.atTimestamp }
  return start === "LATEST" ? { _tag: "Latest" } : { _tag: "TrimHorizon" }
}

/** A forked fiber that fails is silent, and a program need not join. */
const stopped = (stream: string, cause: Cause.Cause<KinesisError.KinesisError>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`the mapping of the stream ${stream} stopped`, cause)

const logged = (failure: Failure): Effect.Effect<void> =>
  Effect.logError("Records were given up and there is no on-failure destination", failure.document)
