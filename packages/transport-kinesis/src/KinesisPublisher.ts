/**
 * Publishes envelopes to a Kinesis stream.
 *
 * **Guarantees.** Answer `i` belongs to envelope `i`, through every repeat. A lost answer is repeated with the same bytes,
 * so an envelope may lie in the stream twice, with the same id. `ordered` (the default): envelopes of one key are accepted
 * in the order given, also over concurrent calls in the order of the calls, because at most one record of a key is on its
 * way; once one has failed for good the later ones of its key in its call are not sent (`Behind`). `unordered`: nothing
 * waits for another, and nothing is `Behind`. When `publish` has answered, nothing of the call is sent any more; it answers
 * before the deadline in its context. Memory is bounded: what finds no room waits with its caller. A scope that closes
 * waits until what was taken in is accepted or has failed, at most `shutdownTimeout`.
 *
 * **Details.** Concurrent calls share requests of up to 500 records and 10 MiB, several of them in flight. A shard gets what
 * it takes a second, less where it throttles (others write to it too), while other shards go on; which shard a record
 * belongs to follows from `ListShards`. `ordered` takes one round trip a key and record: with
 * `aggregation: "by-partition-key"` a record carries all that waits of its key.
 *
 * **Gotchas.** Of what was in flight at the deadline nobody knows whether it was accepted. What waits for a hot shard takes
 * up room: when it has all of it, other shards wait too. The program's role needs `kinesis:PutRecords`, and should have
 * `kinesis:ListShards` and `kinesis:DescribeStreamSummary`: without the first no shard is paced, without the second
 * records above 1 MiB are refused.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Codec from "@leat/core/Codec"
import * as Deadline from "@leat/core/Deadline"
import type * as Envelope from "@leat/core/Envelope"
import * as Publisher from "@leat/core/Publisher"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

import * as KinesisClient from "./KinesisClient.ts"
import type * as KinesisError from "./KinesisError.ts"
import { Call } from "./kinesisPublisher/Call.ts"
import type { Source } from "./kinesisPublisher/Intake.ts"
import * as Pace from "./kinesisPublisher/Pace.ts"
import * as PublisherEvent from "./kinesisPublisher/PublisherEvent.ts"
import * as RecordLimits from "./kinesisPublisher/RecordLimits.ts"
import * as Sender from "./kinesisPublisher/Sender.ts"
import * as StreamFacts from "./kinesisPublisher/StreamFacts.ts"
import * as StreamSettings from "./StreamSettings.ts"

export { PublisherEvent }

/**
 * How to publish.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Name or ARN of the stream. */
  readonly stream: string
  /** Default: CloudEvents. */
  readonly codec?: Codec.Codec | undefined
  /** The wire partition key. Default: the envelope's key; without one a random key, and no order. */
  readonly partitionKey?: ((envelope: Envelope.Envelope) => string) | undefined
  /**
   * Overrides the MD5 of the partition key: a decimal number below 2¹²⁸. Envelopes of one key with different ones may go to
   * different shards; no order holds between those. Default: none.
   */
  readonly explicitHashKey?: ((envelope: Envelope.Envelope) => string | undefined) | undefined
  /** Whether envelopes of a key keep their order, or all are sent as fast as they can be. Default `"ordered"`. */
  readonly mode?: "ordered" | "unordered" | undefined
  /**
   * `"by-partition-key"`: what waits of one key travels as one record in the KPL's format, under that key; one alone stays
   * a plain record. Who reads it must know the format: ours do, a Lambda of others may not. Default `"off"`.
   */
  readonly aggregation?: "off" | "by-partition-key" | undefined
  /**
   * Largest aggregate in bytes, its key included, at most 1 MiB. Default 51,200, the KPL's: all of a larger one is repeated
   * when it is refused.
   */
  readonly maxAggregateBytes?: number | undefined
  /** Largest record in bytes, key included, up to 10 MiB. Default: what the stream says. */
  readonly maxRecordBytes?: number | undefined
  /** What we write to a shard in a second at most; `Infinity`: no limit. Default 1000 records and 1 MiB. */
  readonly shardLimits?:
    | { readonly recordsPerSecond?: number | undefined; readonly bytesPerSecond?: number | undefined }
    | undefined
  /** What may wait and be in flight, all calls together. Default 10,000 envelopes and 32 MiB. */
  readonly buffer?: { readonly envelopes?: number | undefined; readonly bytes?: number | undefined } | undefined
  /** Requests in flight. Default 8. */
  readonly concurrency?: number | undefined
  /** How long what comes in waits for company while its request is not full. Default 0: for the turn of the event loop. */
  readonly linger?: Duration.Input | undefined
  /** Tries of an envelope, the first included; none that the deadline would overtake. Default 6. */
  readonly attempts?: number | undefined
  /** The n-th pause is random between 0 and `base` · 2ⁿ, at most `cap`. Default 100 ms and 5 seconds. */
  readonly backoff?:
    | { readonly base?: Duration.Input | undefined; readonly cap?: Duration.Input | undefined }
    | undefined
  /** How long after the call an envelope is still sent or tried again. Default: as long as it takes. */
  readonly maxAge?: Duration.Input | undefined
  /** How long a closing scope waits for what was taken in; then it fails. Default 10 seconds. */
  readonly shutdownTimeout?: Duration.Input | undefined
  /**
   * What to do when the stream does not keep the order of keys (`RecordDistributionStrategy` `AUTO`), in mode `ordered`:
   * say so in the log, or send nothing (`Refused`) as long as it is so or can't be known. Looked up at the start and every ten minutes.
   * Default `"report"`.
   */
  readonly onUnordered?: "report" | "refuse" | undefined
  /** Called in the publisher's own turn: must be quick and must not throw. */
  readonly onEvent?: ((event: PublisherEvent.PublisherEvent) => void) | undefined
}

/**
 * A publisher onto a stream, as long as the scope is open.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options
): Effect.fn.Return<Publisher.Publisher, never, KinesisClient.KinesisClient | Scope.Scope> {
  const client = yield* KinesisClient.KinesisClient
  const context = yield* Effect.context<never>()
  const onEvent = guarded(options.onEvent, (cause) =>
    Effect.runForkWith(context)(Effect.logError("`onEvent` of the publisher threw", cause))
  )
  const ordered = options.mode !== "unordered"
  const sender = yield* Sender.make(
    client,
    (lanes) =>
      StreamFacts.make(client, {
        stream: options.stream,
        maxRecordBytes: options.maxRecordBytes,
        ordered,
        onShards: (shards, now) => lanes.learn(shards, now),
        onSummary: (summary) =>
          Effect.forEach(
            faultsOf(options, summary),
            ({ message }) => Effect.logError(`${options.stream}: ${message}`),
            {
              discard: true
            }
          ),
        onEvent
      }),
    { ...senderOptions(options), onEvent }
  )
  return { publish: (envelopes) => publish(sender, options, envelopes) }
})

/**
 * Publishes a worker's emitted events to a stream.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<never, never, KinesisClient.KinesisClient> =>
  Layer.effect(Publisher.Publisher, make(options))

/** An observer that throws must not stop what it observes. */
const guarded =
  (onEvent: Options["onEvent"], onThrow: (cause: unknown) => void) =>
  (event: PublisherEvent.PublisherEvent): void => {
    try {
      onEvent?.(event)
    } catch (cause) {
      onThrow(cause)
    }
  }

const senderOptions = (options: Options): Omit<Sender.Options, "onEvent"> => ({
  stream: options.stream,
  mode: options.mode ?? "ordered",
  aggregateBytes:
    options.aggregation === "by-partition-key"
      ? Math.min(
          options.maxAggregateBytes ?? 51_200,
          options.maxRecordBytes ?? RecordLimits.leastRecordBytes,
          RecordLimits.leastRecordBytes
        )
      : undefined,
  shardLimits: {
    recordsPerSecond: options.shardLimits?.recordsPerSecond ?? Pace.ofShard.recordsPerSecond,
    bytesPerSecond: options.shardLimits?.bytesPerSecond ?? Pace.ofShard.bytesPerSecond
  },
  buffer: {
    envelopes: options.buffer?.envelopes ?? 10_000,
    bytes: options.buffer?.bytes ?? 32 * 1024 * 1024
  },
  concurrency: Math.max(1, options.concurrency ?? 8),
  linger: Duration.toMillis(options.linger ?? 0),
  shutdownTimeout: Duration.toMillis(options.shutdownTimeout ?? "10 seconds"),
  policy: {
    attempts: options.attempts ?? 6,
    base: Duration.toMillis(options.backoff?.base ?? 100),
    cap: Duration.toMillis(options.backoff?.cap ?? "5 seconds")
  }
})

const publish = Effect.fnUntraced(function* (
  sender: Sender.Sender,
  options: Options,
  envelopes: ReadonlyArray<Envelope.Envelope>
) {
  const until = (yield* Deadline.Deadline) - answering
  const maxAge = options.maxAge === undefined ? Infinity : Duration.toMillis(options.maxAge)
  const expires = maxAge === Infinity ? Infinity : (yield* Clock.currentTimeMillis) + maxAge
  const fault = options.onUnordered === "refuse" ? yield* disorder(sender.facts, options, until) : undefined
  if (fault !== undefined) return envelopes.map(() => Exit.fail(fault))
  const call = new Call(envelopes.length, until, expires)
  yield* sender.run(call, sourceOf(options, envelopes))
  return call.answers
})

/** Milliseconds kept back before the deadline, so that who publishes can still answer. */
const answering = 100

/** Why order can't be promised. While it can't be, the stream is asked again, once a minute; nobody waits past `until`. */
const disorder = Effect.fnUntraced(function* (facts: StreamFacts.StreamFacts, options: Options, until: number) {
  if (options.mode === "unordered" || unsure(options, facts.described()) === undefined) return undefined
  yield* Sender.before(until)(facts.describe)
  return unsure(options, facts.described())
})

const unsure = (
  options: Options,
  described: KinesisClient.Summary | KinesisError.KinesisError | undefined
): Publisher.PublishError | undefined => {
  if (described !== undefined && !("_tag" in described)) {
    const unordered = faultsOf(options, described).find(({ _tag }) => _tag === "Unordered")
    return unordered && RecordLimits.refused(`${options.stream}: ${unordered.message}`)
  }
  return new Publisher.PublishError({
    reason: "Unavailable",
    message:
      `whether ${options.stream} keeps the order of keys is unknown: ${described?.message ?? "it gave no answer"}. ` +
      'Allow kinesis:DescribeStreamSummary, or publish with `onUnordered: "report"`',
    retryable: described?.retryable ?? true,
    ...(described === undefined ? {} : { cause: described })
  })
}

/** What a publisher minds; a short retention is its readers' concern. */
const faultsOf = ({ maxRecordBytes: recordBytes, mode }: Options, summary: KinesisClient.Summary) =>
  StreamSettings.check(summary, { recordBytes }).filter(
    ({ _tag }) => (_tag === "Unordered" && mode !== "unordered") || _tag === "SmallRecords"
  )

/** Encodes once, so that a repeat carries the same bytes and the same id. */
const sourceOf = (options: Options, envelopes: ReadonlyArray<Envelope.Envelope>): Source => {
  const codec = options.codec ?? Codec.cloudEvents()
  const partitionKey = options.partitionKey ?? ((envelope: Envelope.Envelope) => envelope.key)
  const keys = envelopes.map((envelope) => attempt("`partitionKey` threw", () => partitionKey(envelope)))
  const keyOf = (index: number): string | undefined => {
    const key = keys[index]
    return typeof key === "string" ? key : undefined
  }
  return {
    count: envelopes.length,
    keyOf,
    encode: (index, largest) => {
      const key = keys[index] ?? randomUUID()
      if (typeof key !== "string") return { partitionKey: randomUUID(), error: key }
      const envelope = envelopes[index]
      const data = attempt(`the ${codec.name} codec can't encode it`, () => encode(codec, envelope))
      if (!(data instanceof Uint8Array)) return { partitionKey: key, error: data }
      const explicitHashKey = attempt("`explicitHashKey` threw", () => envelope && options.explicitHashKey?.(envelope))
      if (typeof explicitHashKey === "object") return { partitionKey: key, error: explicitHashKey }
      const entry = { data, partitionKey: key, explicitHashKey }
      const error = RecordLimits.faultOf(entry, largest)
      return error === undefined ? { entry, size: RecordLimits.size(entry) } : { partitionKey: key, error }
    }
  }
}

const encode = (codec: Codec.Codec, envelope: Envelope.Envelope | undefined): Uint8Array => {
  if (envelope === undefined) throw new RangeError("there is no such envelope")
  return codec.encode(envelope.id === undefined ? { ...envelope, id: randomUUID() } : envelope)
}

/** What the caller's functions throw fails their envelope alone. */
const attempt = <A>(what: string, body: () => A): A | Publisher.PublishError => {
  try {
    return body()
  } catch (cause) {
    return RecordLimits.refused(what, cause)
  }
}
