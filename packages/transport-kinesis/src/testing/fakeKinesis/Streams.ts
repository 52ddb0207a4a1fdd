/**
 * The streams of a fake: made, described and listed.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../../KinesisClient.ts"
import type * as KinesisError from "../../KinesisError.ts"
import * as Model from "./Model.ts"
import * as Refusal from "./Refusal.ts"
import * as World from "./World.ts"

/**
 * A stream to make.
 *
 * @category models
 * @since 0.1.0
 */
export interface StreamOptions {
  readonly name: string
  /** Default 1. */
  readonly shards?: number | undefined
  /** Default 24 hours. */
  readonly retention?: Duration.Input | undefined
  /** Largest record, data and key. Default 1 MiB; AWS allows up to 10 MiB. */
  readonly maxRecordBytes?: number | undefined
  /** `RecordDistributionStrategy=AUTO`. Default false. */
  readonly ignoresPartitionKeys?: boolean | undefined
  /** Default `PROVISIONED`. */
  readonly mode?: "PROVISIONED" | "ON_DEMAND" | undefined
  /** What `DescribeStreamSummary` says. Default: CREATING while it is made, then ACTIVE. */
  readonly status?: string | undefined
  /** Whether the end of a shard names its children. Default true. */
  readonly namesChildren?: boolean | undefined
}

/**
 * Makes a stream that is ACTIVE at `activeAt`.
 *
 * @category transitions
 * @since 0.1.0
 */
export const create = (world: World.World, options: StreamOptions, activeAt: number): Model.Stream => {
  const { name } = options
  world.generation += 1
  const stream: Model.Stream = {
    name,
    arn: `arn:aws:kinesis:us-east-1:000000000000:stream/${name}`,
    generation: world.generation,
    createdAt: world.now,
    activeAt,
    shards: [],
    consumers: new Map(),
    waiting: new Set(),
    settings: settings(options),
    counter: 0n,
    nextShard: 0
  }
  Model.openEvenly(stream, options.shards ?? 1)
  world.streams.set(name, stream)
  return stream
}

/**
 * The settings behind options, over those that are there.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settings = (options: Omit<StreamOptions, "name" | "shards">, before?: Model.Settings): Model.Settings => ({
  retention:
    options.retention === undefined
      ? (before?.retention ?? Duration.toMillis("24 hours"))
      : Duration.toMillis(options.retention),
  maxRecordBytes: options.maxRecordBytes ?? before?.maxRecordBytes ?? 1024 * 1024,
  ignoresPartitionKeys: options.ignoresPartitionKeys ?? before?.ignoresPartitionKeys ?? false,
  mode: options.mode ?? before?.mode ?? "PROVISIONED",
  status: options.status ?? before?.status,
  namesChildren: options.namesChildren ?? before?.namesChildren ?? true
})

/**
 * The calls about streams.
 *
 * @category calls
 * @since 0.1.0
 */
export const calls = (
  world: World.World
): Pick<KinesisClient.KinesisClient["Service"], "createStream" | "describeStreamSummary" | "listShards"> => ({
  createStream: (name, shards) =>
    World.call(world, { operation: "CreateStream", stream: name, asked: shards }, (now) => {
      if (world.streams.has(name)) return Refusal.refuse("InUse", "CreateStream", `Stream ${name} already exists.`)
      return Effect.sync(() => void create(world, { name, shards }, now + world.options.streamActivation))
    }),
  describeStreamSummary: (stream) =>
    World.call(world, { operation: "DescribeStreamSummary", stream }, (now) =>
      Effect.map(World.streamOf(world, "DescribeStreamSummary", stream), (found) => summary(found, now))
    ),
  listShards: listShards(world)
})

const summary = (stream: Model.Stream, now: number): KinesisClient.Summary => ({
  streamArn: stream.arn,
  status: stream.settings.status ?? (now < stream.activeAt ? "CREATING" : "ACTIVE"),
  retention: stream.settings.retention,
  openShards: stream.shards.filter(({ closedAt }) => closedAt === undefined).length,
  maxRecordBytes: stream.settings.maxRecordBytes,
  ignoresPartitionKeys: stream.settings.ignoresPartitionKeys,
  createdAt: stream.createdAt,
  mode: stream.settings.mode
})

const listShards = (world: World.World): KinesisClient.KinesisClient["Service"]["listShards"] =>
  Effect.fnUntraced(function* (stream) {
    const shards: Array<KinesisClient.Shard> = []
    for (let page: Page = { shards: [], more: true }; page.more;) {
      page = yield* onePage(world, stream, shards.length)
      shards.push(...page.shards)
    }
    return shards
  })

interface Page {
  readonly shards: ReadonlyArray<KinesisClient.Shard>
  readonly more: boolean
}

const onePage = (world: World.World, stream: string, from: number): Effect.Effect<Page, KinesisError.KinesisError> =>
  World.call(world, { operation: "ListShards", stream, asked: from }, () =>
    Effect.map(World.activeStream(world, "ListShards", stream), ({ shards }) => {
      const to = from + world.options.shardsPerPage
      return { shards: shards.slice(from, to).map(listed), more: shards.length > to }
    })
  )

/**
 * A shard as `ListShards` gives it.
 *
 * @category conversions
 * @since 0.1.0
 */
export const listed = ({ closedAt, hashRange, parents, shardId }: Model.Shard): KinesisClient.Shard => ({
  shardId,
  parents,
  closed: closedAt !== undefined,
  hashRange
})
