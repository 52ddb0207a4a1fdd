/**
 * Runs a Lambda function against a Kinesis stream as AWS's event source mapping does, on this machine.
 *
 * **Guarantees.** Records of a shard are sent in order, one batch at a time; with a parallelization factor those of a
 * partition key are. A child shard starts after the end of its parents, and with its first record. A record is sent until
 * the function settles it or it is given up to `onFailure`, which has to take it: nothing is skipped in silence.
 * Duplicates: everything from the lowest reported record on is sent again, done or not. A position is the end of the
 * longest prefix of the shard that is done. Without `checkpoints` nothing is remembered after the scope closes; with them
 * the next mapping of that name goes on there, and of two at once the older stops.
 *
 * `testing/HandlerTest.ts` puts records before a handler and tells what became of them, without a server or a wait.
 *
 * **Modelled.** Batch size and window, the cut at 6 MB, lanes by partition key, the table of answers, bisect, retries,
 * ages, throttled calls, reserved concurrency, filters, tumbling windows with state, starting positions, resharding, the
 * on-failure documents of SQS, SNS and S3. Where AWS says nothing:
 *
 * - `reportBatchItemFailures` is on and the window is 1 second unless you say otherwise.
 * - A factor above 1 is refused together with tumbling windows: a shard has one state.
 * - Lanes read ahead at most 10 000 records of the oldest that is not done, and one page.
 * - A window's final call carries no records and comes when a read shows that its time is over (AWS may wait 2 minutes
 *   more). If it is given up, the document spans the records of the window. A window that outgrew 1 MB gets a final call
 *   with the state that did, marked as both final and early.
 * - Positions are written when a window closes, so that a restart fills it anew.
 * - A position whose record is no longer retained goes on at the oldest that is, and an event says so, also where AWS
 *   answers such a position with empty pages for ever.
 * - A destination that fails is asked again while the shard waits; AWS drops the document.
 *
 * **Not modelled.** Enhanced fan-out, Kafka destinations, merging of on-failure documents, the minutes that AWS takes to
 * start a mapping, DNS and VPC. A factor does not change while a mapping runs.
 *
 * **Gotchas.** A record of more than about 4.5 MB fits no payload of 6 MB once it is base64: it fails like a function that
 * throws, until its retries or its age are used up, and holds its lane meanwhile. Keep the stream's limit below that.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Stream from "effect/Stream"

import * as Checkpoint from "./Checkpoint.ts"
import type * as Committer from "./eventSourceMapping/Committer.ts"
import * as Invoker from "./eventSourceMapping/Invoker.ts"
import type * as Errors from "./eventSourceMapping/MappingError.ts"
import * as MappingEvent from "./eventSourceMapping/MappingEvent.ts"
import type * as OnFailure from "./eventSourceMapping/OnFailure.ts"
import * as MappingOptions from "./eventSourceMapping/Options.ts"
import * as Poller from "./eventSourceMapping/Poller.ts"
import * as Progress from "./eventSourceMapping/Progress.ts"
import * as Reader from "./eventSourceMapping/Reader.ts"
import * as Supervisor from "./eventSourceMapping/Supervisor.ts"
import type { FetcherEvent } from "./Fetcher.ts"
import * as Feed from "./internal/feed.ts"
import * as KinesisClient from "./KinesisClient.ts"
import type * as KinesisError from "./KinesisError.ts"
import * as StreamSettings from "./StreamSettings.ts"

export { InvokeThrottled } from "./eventSourceMapping/InvokeThrottled.ts"
export { EventSourceMappingError } from "./eventSourceMapping/MappingError.ts"

/**
 * A mapping. Names are AWS's.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = MappingOptions.Options

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
 * What stops a mapping: a stream that can't be read, checkpoints that can't be written or are another's, an aggregate
 * where it was to be refused.
 *
 * @category errors
 * @since 0.1.0
 */
export type MappingStopped = KinesisError.KinesisError | Checkpoint.CheckpointError | Errors.EventSourceMappingError

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
  /**
   * Waits until all that was put before this call was settled or given up. Takes at least one read of each shard. A
   * tumbling window may still be open then.
   */
  readonly drained: Effect.Effect<void, MappingStopped>
  /** Never ends but with the error that stopped the mapping. */
  readonly join: Effect.Effect<never, MappingStopped>
}

/**
 * Starts a mapping that runs until the scope closes; then a call in flight is waited for.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (options: Options) {
  const client = yield* KinesisClient.KinesisClient
  const settings = yield* MappingOptions.resolve(options)
  const begin = MappingOptions.begin(settings.startingPosition, yield* Clock.currentTimeMillis)
  const summary = yield* client.describeStreamSummary(options.stream)
  yield* reportUnordered(options.stream, summary)
  const { mappingId } = settings
  const functionArn = `arn:aws:lambda:${summary.streamArn.split(":")[3] ?? ""}:000000000000:function:${settings.functionName}`
  const source = { functionArn, streamArn: summary.streamArn, mappingId }
  const invoker = Invoker.make({ ...settings, ...source, handler: options.handler })
  yield* Effect.addFinalizer(() => Effect.ignore(Effect.timeout(invoker.idle, settings.functionTimeout)))

  const progress = Progress.make()
  const feed = yield* Feed.make(MappingEvent.none, MappingEvent.count)
  const maximumAge = Math.min(settings.maximumAge, summary.retention)
  const room: Room = { client, invoker, progress, feed, source, settings: { ...settings, maximumAge } }
  const kept = yield* checkpoints(options, summary)
  const fiber = yield* Effect.forkScoped(supervise(room, options.stream, { ...kept, begin }))
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

/** AWS maps such a stream without a word; a function that relies on the order of keys has to know. */
const reportUnordered = (stream: string, summary: KinesisClient.Summary): Effect.Effect<void> => {
  const found = StreamSettings.check(summary).find(({ _tag }) => _tag === "Unordered")
  return found === undefined ? Effect.void : Effect.logError(`${stream}: ${found.message}`)
}

/** What the parts of one mapping share. */
interface Room {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly invoker: Invoker.Invoker
  readonly progress: Progress.Progress
  readonly feed: Feed.Feed<MappingEvent.MappingEvent, MappingEvent.Stats>
  readonly source: Poller.Options["source"]
  readonly settings: MappingOptions.Settings
}

/** Without a store of yours, one that ends with the mapping. */
const checkpoints = ({ checkpoints }: Options, { createdAt, streamArn }: KinesisClient.Summary) => {
  const stream = `${streamArn.slice(streamArn.lastIndexOf("/") + 1)}@${createdAt}`
  const group = { application: checkpoints?.application ?? "", stream }
  if (checkpoints !== undefined) return Effect.succeed({ store: checkpoints.store, group })
  return Effect.map(Layer.build(Checkpoint.layerMemory), (services) => ({
    store: Context.get(services, Checkpoint.CheckpointStore),
    group
  }))
}

const supervise = (
  room: Room,
  stream: string,
  kept: Pick<Supervisor.Options, "store" | "group" | "begin">
): Effect.Effect<never, MappingStopped> => {
  const { client, feed, progress, settings } = room
  return Supervisor.run({
    ...kept,
    owner: settings.mappingId,
    listShards: client.listShards(stream),
    discovery: settings.discovery,
    emit: feed.emit,
    poll: (shardId, start, commit) => poll(room, { stream, shardId, start }, commit),
    onStart: (shardId, position) => {
      progress.start(shardId)
      feed.emit({ _tag: "ShardStarted", shardId, position })
    },
    onEnd: (shardId) => {
      progress.end(shardId)
      feed.emit({ _tag: "ShardEnded", shardId })
    }
  }).pipe(Effect.tapCause((cause) => stopped(stream, cause)))
}

const poll = (
  { client, feed, invoker, progress, settings, source }: Room,
  shard: Pick<Reader.Options, "stream" | "shardId" | "start">,
  commit: Committer.Committer
) => {
  const { shardId } = shard
  return Poller.run({
    ...settings,
    shardId,
    invoker,
    source,
    commit,
    emit: feed.emit,
    reader: Reader.make({
      ...shard,
      client,
      pollInterval: settings.pollInterval,
      onEvent: (event) => told(event, feed.emit)
    }),
    passed: (sequenceNumber) => progress.checkpoint(shardId, sequenceNumber),
    reading: () => progress.reading(shardId)
  })
}

/** An iterator that was renewed is nobody's concern. */
const told = (event: FetcherEvent, emit: (event: MappingEvent.MappingEvent) => void): void => {
  if (event._tag === "FetchFailed") emit({ ...event, _tag: "ReadFailed" })
  else if (event._tag === "RecordsTrimmed") {
    const { position: after, resumed, shardId } = event
    emit({ _tag: "RecordsTrimmed", shardId, after, resumed })
  }
}

/**
 * Runs a mapping until it is interrupted; fails when the stream can't be read.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (options: Options): Effect.Effect<never, MappingStopped, KinesisClient.KinesisClient> =>
  Effect.scoped(Effect.flatMap(make(options), (mapping) => mapping.join))

/** A forked fiber that fails is silent, and a program need not join. */
const stopped = (stream: string, cause: Cause.Cause<MappingStopped>): Effect.Effect<void> =>
  Cause.hasInterruptsOnly(cause) ? Effect.void : Effect.logError(`the mapping of the stream ${stream} stopped`, cause)
