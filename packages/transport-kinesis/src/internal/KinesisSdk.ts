/**
 * The calls of `KinesisClient` on the AWS SDK: its optional fields become values that are there.
 */
import * as Sdk from "@aws-sdk/client-kinesis"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { KinesisClient, Position, Push, Put, Record, Shard, StreamConsumer } from "../KinesisClient.ts"
import * as KinesisError from "../KinesisError.ts"
import * as KinesisCall from "./KinesisCall.ts"

type Service = KinesisClient["Service"]
type Ask = KinesisCall.Call["ask"]

/** AWS takes a name or an ARN, in different fields. */
const named = (stream: string): { readonly StreamName: string } | { readonly StreamARN: string } =>
  stream.startsWith("arn:") ? { StreamARN: stream } : { StreamName: stream }

/** The calls on a client of the SDK; each ends within so many milliseconds, a subscription begins. */
export const calls = (sdk: Sdk.KinesisClient, within = 10_000): Service => {
  const call = KinesisCall.make(sdk, within)
  const { ask, tell } = call
  return {
    putRecords: putRecords(ask),
    listShards: (stream) => listShards(ask, stream),
    getShardIterator: getShardIterator(ask),
    getRecords: getRecords(ask),
    describeStreamSummary: describeStreamSummary(ask),
    createStream: (stream, shards) =>
      tell("CreateStream", (client, abort) =>
        client.send(new Sdk.CreateStreamCommand({ StreamName: stream, ShardCount: shards }), abort)
      ),
    ...consumers(call, sdk)
  }
}

const consumers = (
  { ask, tell, within }: KinesisCall.Call,
  sdk: Sdk.KinesisClient
): Pick<Service, "registerConsumer" | "describeConsumer" | "deregisterConsumer" | "subscribeToShard"> => ({
  registerConsumer: (streamArn, name) =>
    Effect.map(
      ask("RegisterStreamConsumer", "Consumer", (client, abort) =>
        client.send(new Sdk.RegisterStreamConsumerCommand({ StreamARN: streamArn, ConsumerName: name }), abort)
      ),
      ({ Consumer }) => fromConsumer(Consumer, name)
    ),
  describeConsumer: (streamArn, name) =>
    Effect.map(
      ask("DescribeStreamConsumer", "ConsumerDescription", (client, abort) =>
        client.send(new Sdk.DescribeStreamConsumerCommand({ StreamARN: streamArn, ConsumerName: name }), abort)
      ),
      ({ ConsumerDescription }) => fromConsumer(ConsumerDescription, name)
    ),
  deregisterConsumer: (streamArn, name) =>
    tell("DeregisterStreamConsumer", (client, abort) =>
      client.send(new Sdk.DeregisterStreamConsumerCommand({ StreamARN: streamArn, ConsumerName: name }), abort)
    ),
  subscribeToShard: subscribeToShard(sdk, within)
})

const fromConsumer = (consumer: Sdk.Consumer, name: string): StreamConsumer => ({
  arn: consumer.ConsumerARN ?? "",
  name: consumer.ConsumerName ?? name,
  status: consumer.ConsumerStatus ?? "CREATING"
})

/**
 * The connection is given back when the scope closes: the iterator alone can't end while it waits for the next event. The
 * client's timeout is for calls; here it would cut a subscription that is merely quiet. Who subscribes watches over that,
 * once it has begun.
 */
const subscribeToShard =
  (sdk: Sdk.KinesisClient, within: number): Service["subscribeToShard"] =>
  (consumerArn, shardId, position) =>
    Stream.unwrap(
      Effect.gen(function* () {
        const abort = yield* Effect.acquireRelease(
          Effect.sync(() => new AbortController()),
          (controller) => Effect.sync(() => controller.abort())
        )
        const { EventStream } = yield* Effect.tryPromise({
          try: () =>
            sdk.send(
              new Sdk.SubscribeToShardCommand({
                ConsumerARN: consumerArn,
                ShardId: shardId,
                StartingPosition: startingPosition(position)
              }),
              { abortSignal: abort.signal, requestTimeout: 0 }
            ),
          catch: (cause) => KinesisError.fromThrown("SubscribeToShard", cause)
        }).pipe(KinesisCall.inTime("SubscribeToShard", within))
        return EventStream === undefined
          ? Stream.empty
          : Stream.mapEffect(Stream.fromAsyncIterable(EventStream, broken), fromPushed)
      })
    )

const startingPosition = (position: Position): Sdk.StartingPosition => {
  const { ShardIteratorType: Type, StartingSequenceNumber: SequenceNumber, Timestamp } = start(position)
  return {
    Type,
    ...(SequenceNumber === undefined ? {} : { SequenceNumber }),
    ...(Timestamp === undefined ? {} : { Timestamp })
  }
}

/** An exception that AWS sent down the subscription, or else the end of its connection: that may work the next time. */
const broken = (cause: unknown): KinesisError.KinesisError => {
  const error = KinesisError.fromThrown("SubscribeToShard", cause)
  if (error.reason !== "Unknown" || cause instanceof Sdk.KinesisServiceException) return error
  const { message, operation } = error
  return new KinesisError.KinesisError({ reason: "Unavailable", operation, message, retryable: true, cause })
}

/** An error that comes down the subscription is a member of its own, with no records beside it. */
const fromPushed = (pushed: Sdk.SubscribeToShardEventStream): Effect.Effect<Push, KinesisError.KinesisError> => {
  const event = pushed.SubscribeToShardEvent
  if (event === undefined) {
    const [cause] = Object.values(pushed)
    return Effect.fail(KinesisError.fromThrown("SubscribeToShard", cause))
  }
  return Effect.succeed({
    records: (event.Records ?? []).map(fromRecord),
    continuation: event.ContinuationSequenceNumber,
    millisBehindLatest: event.MillisBehindLatest ?? 0,
    children: (event.ChildShards ?? []).map((child) => child.ShardId ?? "")
  })
}

const putRecords =
  (ask: Ask): Service["putRecords"] =>
  (stream, entries) =>
    Effect.map(
      ask("PutRecords", "Records", (client, abort) =>
        client.send(
          new Sdk.PutRecordsCommand({
            ...named(stream),
            Records: entries.map((entry) => ({
              Data: entry.data,
              PartitionKey: entry.partitionKey,
              ...(entry.explicitHashKey === undefined ? {} : { ExplicitHashKey: entry.explicitHashKey })
            }))
          }),
          abort
        )
      ),
      (output) => entries.map((_, index) => put(output.Records[index]))
    )

const put = (result: Sdk.PutRecordsResultEntry | undefined): Put =>
  result?.SequenceNumber === undefined
    ? {
        _tag: "Rejected",
        code: result?.ErrorCode ?? "InternalFailure",
        message: result?.ErrorMessage ?? "the answer has no result for this entry"
      }
    : { _tag: "Accepted", shardId: result.ShardId ?? "", sequenceNumber: result.SequenceNumber }

const listShards = Effect.fnUntraced(function* (ask: Ask, stream: string) {
  const shards: Array<Shard> = []
  let token: string | undefined
  do {
    // With a token AWS refuses the stream's name.
    const input: Sdk.ListShardsCommandInput = token === undefined ? named(stream) : { NextToken: token }
    const output = yield* ask("ListShards", "Shards", (client, abort) =>
      client.send(new Sdk.ListShardsCommand(input), abort)
    )
    for (const shard of output.Shards) shards.push(fromShard(shard))
    token = output.NextToken
  } while (token !== undefined)
  return shards
})

const fromShard = (shard: Sdk.Shard): Shard => ({
  shardId: shard.ShardId ?? "",
  parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
  closed: shard.SequenceNumberRange?.EndingSequenceNumber !== undefined,
  hashRange: {
    start: BigInt(shard.HashKeyRange?.StartingHashKey ?? 0),
    end: BigInt(shard.HashKeyRange?.EndingHashKey ?? 0)
  }
})

const getShardIterator =
  (ask: Ask): Service["getShardIterator"] =>
  (stream, shardId, position) =>
    Effect.map(
      ask("GetShardIterator", "ShardIterator", (client, abort) =>
        client.send(new Sdk.GetShardIteratorCommand({ ...named(stream), ShardId: shardId, ...start(position) }), abort)
      ),
      (output) => output.ShardIterator
    )

const start = (
  position: Position
): Pick<Sdk.GetShardIteratorCommandInput, StartFields> & { ShardIteratorType: Sdk.ShardIteratorType } => {
  if (position._tag === "TrimHorizon") return { ShardIteratorType: "TRIM_HORIZON" }
  if (position._tag === "Latest") return { ShardIteratorType: "LATEST" }
  if (position._tag === "AtTimestamp") {
    return { ShardIteratorType: "AT_TIMESTAMP", Timestamp: DateTime.toDateUtc(DateTime.makeUnsafe(position.at)) }
  }
  return {
    ShardIteratorType: position._tag === "At" ? "AT_SEQUENCE_NUMBER" : "AFTER_SEQUENCE_NUMBER",
    StartingSequenceNumber: position.sequenceNumber
  }
}

type StartFields = "StartingSequenceNumber" | "Timestamp"

const getRecords =
  (ask: Ask): Service["getRecords"] =>
  (iterator, limit) =>
    Effect.map(
      ask("GetRecords", "Records", (client, abort) =>
        client.send(new Sdk.GetRecordsCommand({ ShardIterator: iterator, Limit: limit }), abort)
      ),
      (output) => ({
        records: output.Records.map(fromRecord),
        next: output.NextShardIterator,
        millisBehindLatest: output.MillisBehindLatest ?? 0,
        children: (output.ChildShards ?? []).map((child) => child.ShardId ?? "")
      })
    )

/** The same bytes, not copied: Node reads the text of a `Buffer` faster than that of the SDK's plain views. */
const bufferOf = ({ buffer, byteLength, byteOffset }: Uint8Array): Buffer => Buffer.from(buffer, byteOffset, byteLength)

const fromRecord = (record: Sdk._Record): Record => ({
  sequenceNumber: record.SequenceNumber ?? "",
  partitionKey: record.PartitionKey ?? "",
  data: bufferOf(record.Data ?? new Uint8Array(0)),
  arrival: record.ApproximateArrivalTimestamp?.getTime() ?? 0
})

const describeStreamSummary =
  (ask: Ask): Service["describeStreamSummary"] =>
  (stream) =>
    Effect.map(
      ask("DescribeStreamSummary", "StreamDescriptionSummary", (client, abort) =>
        client.send(new Sdk.DescribeStreamSummaryCommand(named(stream)), abort)
      ),
      ({ StreamDescriptionSummary: summary }) => ({
        streamArn: summary.StreamARN ?? "",
        status: summary.StreamStatus ?? "",
        retention: (summary.RetentionPeriodHours ?? 24) * 3_600_000,
        openShards: summary.OpenShardCount ?? 0,
        maxRecordBytes: (summary.MaxRecordSizeInKiB ?? 1024) * 1024,
        ignoresPartitionKeys: summary.RecordDistributionStrategy === "AUTO",
        createdAt: summary.StreamCreationTimestamp?.getTime() ?? 0,
        mode: summary.StreamModeDetails?.StreamMode ?? "PROVISIONED"
      })
    )
