/**
 * The calls to Kinesis that Leat makes, each with its typed error, on the AWS SDK.
 *
 * A call is one attempt: who calls knows what order and what deadline a repeat must respect.
 *
 * @since 0.1.0
 */
import * as Sdk from "@aws-sdk/client-kinesis"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Stream from "effect/Stream"

import * as AwsConfig from "./internal/awsConfig.ts"
import * as KinesisSdk from "./internal/KinesisSdk.ts"
import type * as KinesisError from "./KinesisError.ts"

/**
 * A record as it lies in a shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Record {
  readonly sequenceNumber: string
  readonly partitionKey: string
  readonly data: Uint8Array
  /** `ApproximateArrivalTimestamp` in epoch milliseconds. It need not grow along a shard. */
  readonly arrival: number
}

/**
 * A shard and where it came from.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shard {
  readonly shardId: string
  /** None, one (split) or both (merge) of its parents. They may have expired from the stream. */
  readonly parents: ReadonlyArray<string>
  /** A closed shard takes no more records. */
  readonly closed: boolean
  /** The hash keys that it owns, both ends included: 0 to 2¹²⁸ − 1 over all open shards. */
  readonly hashRange: HashRange
}

/**
 * A range of hash keys, both ends included.
 *
 * @category models
 * @since 0.1.0
 */
export interface HashRange {
  readonly start: bigint
  readonly end: bigint
}

/**
 * Where reading of a shard begins.
 *
 * @category models
 * @since 0.1.0
 */
export type Position =
  | { readonly _tag: "TrimHorizon" }
  | { readonly _tag: "Latest" }
  | { readonly _tag: "AtTimestamp"; readonly at: number }
  | { readonly _tag: "At"; readonly sequenceNumber: string }
  | { readonly _tag: "After"; readonly sequenceNumber: string }

/**
 * One page of a shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page {
  readonly records: ReadonlyArray<Record>
  /** Absent at the end of a closed shard. */
  readonly next: string | undefined
  readonly millisBehindLatest: number
  /** The shards that continue this one, given at its end. */
  readonly children: ReadonlyArray<string>
}

/**
 * A record to put.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  readonly data: Uint8Array
  readonly partitionKey: string
  /** Overrides the hash of the partition key: a decimal number below 2¹²⁸. */
  readonly explicitHashKey?: string | undefined
}

/**
 * What became of an entry: where it lies, or AWS's code of the failure.
 *
 * @category models
 * @since 0.1.0
 */
export type Put =
  | { readonly _tag: "Accepted"; readonly shardId: string; readonly sequenceNumber: string }
  | { readonly _tag: "Rejected"; readonly code: string; readonly message: string }

/**
 * A stream in short.
 *
 * @category models
 * @since 0.1.0
 */
export interface Summary {
  readonly streamArn: string
  readonly status: string
  /** In milliseconds. */
  readonly retention: number
  readonly openShards: number
  /** Largest record of the stream, key and data. 1 MiB unless the stream was raised to at most 10 MiB. */
  readonly maxRecordBytes: number
  /** `AUTO` ignores partition keys: then no order holds. */
  readonly ignoresPartitionKeys: boolean
  /** Epoch milliseconds. A stream that was deleted and made again under its name differs in nothing else. */
  readonly createdAt: number
  readonly mode: "PROVISIONED" | "ON_DEMAND"
}

/**
 * A consumer with a throughput of its own (enhanced fan-out).
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamConsumer {
  readonly arn: string
  readonly name: string
  readonly status: "CREATING" | "ACTIVE" | "DELETING"
}

/**
 * What a subscription pushes: records, and where the next subscription goes on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Push {
  readonly records: ReadonlyArray<Record>
  /** Goes on after these records. Absent at the end of a closed shard. */
  readonly continuation: string | undefined
  readonly millisBehindLatest: number
  /** The shards that continue this one, given at its end. */
  readonly children: ReadonlyArray<string>
}

/**
 * The calls.
 *
 * @category services
 * @since 0.1.0
 */
export class KinesisClient extends Context.Service<
  KinesisClient,
  {
    /** The answer at `i` belongs to `entries[i]`. At most 500 entries and 10 MiB. */
    readonly putRecords: (
      stream: string,
      entries: ReadonlyArray<Entry>
    ) => Effect.Effect<ReadonlyArray<Put>, KinesisError.KinesisError>
    /** All pages. */
    readonly listShards: (stream: string) => Effect.Effect<ReadonlyArray<Shard>, KinesisError.KinesisError>
    /** Good for five minutes. */
    readonly getShardIterator: (
      stream: string,
      shardId: string,
      position: Position
    ) => Effect.Effect<string, KinesisError.KinesisError>
    readonly getRecords: (iterator: string, limit: number) => Effect.Effect<Page, KinesisError.KinesisError>
    readonly describeStreamSummary: (stream: string) => Effect.Effect<Summary, KinesisError.KinesisError>
    readonly createStream: (stream: string, shards: number) => Effect.Effect<void, KinesisError.KinesisError>
    /** Fails with `InUse` when the name is taken. It takes a while to become ACTIVE. */
    readonly registerConsumer: (
      streamArn: string,
      name: string
    ) => Effect.Effect<StreamConsumer, KinesisError.KinesisError>
    /** Fails with `NotFound`. */
    readonly describeConsumer: (
      streamArn: string,
      name: string
    ) => Effect.Effect<StreamConsumer, KinesisError.KinesisError>
    readonly deregisterConsumer: (streamArn: string, name: string) => Effect.Effect<void, KinesisError.KinesisError>
    /**
     * Pushes of one shard for at most five minutes; then the stream ends, and so does it after a push without a
     * continuation. A second subscription within five seconds of the first fails with `InUse`.
     */
    readonly subscribeToShard: (
      consumerArn: string,
      shardId: string,
      position: Position
    ) => Stream.Stream<Push, KinesisError.KinesisError>
  }
>()("@leat/transport-kinesis/KinesisClient") {}

/**
 * How to reach Kinesis.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default: AWS. With `http://` the client speaks HTTP/1.1, which emulators need. */
  readonly endpoint?: string | undefined
  /** Default: the SDK's chain; `us-east-1` for a loopback endpoint. */
  readonly region?: string | undefined
  /** Default: the SDK's chain; made-up ones for a loopback `http://` endpoint. */
  readonly credentials?:
    | {
        readonly accessKeyId: string
        readonly secretAccessKey: Redacted.Redacted
        readonly sessionToken?: Redacted.Redacted | undefined
      }
    | "chain"
    | undefined
  /**
   * How long one call may take until it is answered to the end, and a subscription until it begins; then it fails as
   * `Unavailable`. Default 10 seconds.
   */
  readonly requestTimeout?: Duration.Input | undefined
}

/**
 * A client with options of the program's.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<KinesisClient> =>
  Layer.effect(
    KinesisClient,
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(() => new Sdk.KinesisClient(sdkConfig(options))),
        (sdk) => Effect.sync(() => sdk.destroy())
      ),
      (sdk) => KinesisSdk.calls(sdk, requestTimeoutOf(options))
    )
  )

const settings = Config.all({
  endpoint: Config.option(Config.URL("KINESIS_ENDPOINT")),
  region: Config.option(Config.NonEmptyString("AWS_REGION")),
  accessKey: Config.option(Config.NonEmptyString("AWS_ACCESS_KEY_ID")),
  profile: Config.option(Config.NonEmptyString("AWS_PROFILE"))
})

/**
 * A client from the environment: `KINESIS_ENDPOINT`, `AWS_REGION`, and the SDK's own chain for credentials.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<KinesisClient, Config.ConfigError> = Layer.unwrap(
  Effect.map(settings, (found) =>
    layer({
      endpoint: Option.getOrUndefined(Option.map(found.endpoint, (url) => url.href)),
      region: Option.getOrUndefined(found.region),
      credentials: Option.isSome(found.accessKey) || Option.isSome(found.profile) ? "chain" : undefined
    })
  )
)

/**
 * Whether an endpoint is plain HTTP on this machine: the only place made-up credentials may go to.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isLoopback: (endpoint: string) => boolean = AwsConfig.isLoopback

const requestTimeoutOf = ({ requestTimeout = "10 seconds" }: Options): number => Duration.toMillis(requestTimeout)

const sdkConfig = (options: Options): Sdk.KinesisClientConfig => {
  const requestTimeout = requestTimeoutOf(options)
  return {
    ...AwsConfig.of(options),
    maxAttempts: 1,
    // HTTP/2, the SDK's default for Kinesis, needs TLS: over http:// it fails with a protocol error. Over HTTP/1.1 a
    // breach of the timeout is only logged unless it is to throw.
    requestHandler:
      options.endpoint?.startsWith("http://") === true
        ? new NodeHttpHandler({ requestTimeout, throwOnRequestTimeout: true })
        : { requestTimeout }
  }
}
