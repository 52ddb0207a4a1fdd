/**
 * What a test does to a stream of a fake, past the API: no fault and no limit touches it, and no call is logged.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../../KinesisClient.ts"
import type * as KinesisError from "../../KinesisError.ts"
import * as Model from "./Model.ts"
import * as Refusal from "./Refusal.ts"
import * as Reshard from "./Reshard.ts"
import * as Streams from "./Streams.ts"
import * as World from "./World.ts"
import * as Writes from "./Writes.ts"

/**
 * A record to put.
 *
 * @category models
 * @since 0.1.0
 */
export interface Given {
  /** Text is UTF-8. */
  readonly data: string | Uint8Array
  /** Default `k`. */
  readonly partitionKey?: string | undefined
  readonly explicitHashKey?: string | undefined
  /** Straight into this shard, whatever the key. */
  readonly shardId?: string | undefined
  /** Epoch milliseconds. Default: now. It need not grow. */
  readonly arrival?: number | undefined
}

/**
 * A shard with what it holds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shard extends KinesisClient.Shard {
  readonly children: ReadonlyArray<string>
  readonly records: ReadonlyArray<KinesisClient.Record>
}

type Done<A> = Effect.Effect<A, KinesisError.KinesisError>

/**
 * The hand on one stream. What AWS would refuse fails with AWS's error.
 *
 * @category models
 * @since 0.1.0
 */
export interface Control {
  /** Where each record lies. */
  readonly put: (
    ...records: ReadonlyArray<Given>
  ) => Done<ReadonlyArray<{ readonly shardId: string; readonly sequenceNumber: string }>>
  /** Every shard that is still listed. */
  readonly shards: Done<ReadonlyArray<Shard>>
  readonly records: (shardId: string) => Done<ReadonlyArray<KinesisClient.Record>>
  /** The two children. In the middle, unless a starting hash key of the second child is given. */
  readonly split: (shardId: string, at?: bigint) => Done<readonly [string, string]>
  /** The child. */
  readonly merge: (shardId: string, adjacent: string) => Done<string>
  /** The open shards afterwards. On the way there it opens and closes others, as AWS does. */
  readonly updateShardCount: (shards: number) => Done<ReadonlyArray<string>>
  /** Drops the records of a shard before a sequence number; without one all of them. */
  readonly trim: (shardId: string, before?: string) => Done<void>
  /** Takes a closed shard out of the list, as the retention does. */
  readonly forget: (shardId: string) => Done<void>
  /** Changes settings; what is absent stays. */
  readonly configure: (settings: Omit<Streams.StreamOptions, "name" | "shards">) => Done<void>
  readonly remove: Done<void>
  /** Deletes it and makes it again under its name: empty, later created, its shards numbered from 0. */
  readonly recreate: (options?: Omit<Streams.StreamOptions, "name">) => Done<void>
}

/**
 * The hand on a stream.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (world: World.World, name: string): Control => {
  const act = <A>(body: (stream: Model.Stream, now: number) => A | Effect.Effect<A, KinesisError.KinesisError>) =>
    Effect.gen(function* () {
      const now = yield* World.tick(world)
      const stream = yield* World.streamOf(world, "FakeKinesis", name)
      const result = body(stream, now)
      const value = Effect.isEffect(result) ? yield* result : result
      Model.changed(stream)
      return value
    })
  const inShard = <A>(shardId: string, body: (shard: Model.Shard, stream: Model.Stream) => A) =>
    act((stream) => Effect.map(World.shardOf(stream, "FakeKinesis", shardId), (shard) => body(shard, stream)))
  return {
    put: (...records) => act((stream, now) => Effect.forEach(records, (given) => put(stream, given, now))),
    shards: act((stream) => stream.shards.map(shown)),
    records: (shardId) => inShard(shardId, (shard) => shard.records.map(({ record }) => record)),
    split: (shardId, at) => act((stream, now) => resharded("SplitShard", Reshard.split(stream, shardId, now, at))),
    merge: (shardId, adjacent) =>
      act((stream, now) => resharded("MergeShards", Reshard.merge(stream, shardId, adjacent, now))),
    updateShardCount: (shards) =>
      act((stream, now) => resharded("UpdateShardCount", Reshard.update(stream, shards, now))),
    trim: (shardId, before) =>
      inShard(shardId, (shard, stream) =>
        Model.trim(shard, before === undefined ? Model.orderOf(stream, shard, stream.counter + 1n) : BigInt(before))
      ),
    forget: (shardId) =>
      inShard(shardId, (shard, stream) => void stream.shards.splice(stream.shards.indexOf(shard), 1)),
    configure: (options) => act((stream) => void (stream.settings = Streams.settings(options, stream.settings))),
    remove: act((stream) => void world.streams.delete(stream.name)),
    recreate: (options) => act((stream, now) => recreate(world, stream, options, now))
  }
}

const put = (stream: Model.Stream, given: Given, now: number) =>
  Effect.gen(function* () {
    const { explicitHashKey, partitionKey = "k" } = given
    const shard =
      given.shardId === undefined
        ? Writes.route(stream, { partitionKey, explicitHashKey })
        : yield* World.shardOf(stream, "FakeKinesis", given.shardId)
    if (shard === undefined || shard.closedAt !== undefined) {
      return yield* Refusal.refuse("Invalid", "FakeKinesis", `no open shard takes ${given.shardId ?? explicitHashKey}`)
    }
    const data = typeof given.data === "string" ? new TextEncoder().encode(given.data) : given.data
    const { sequenceNumber } = Model.append(stream, shard, { data, partitionKey, arrival: given.arrival ?? now })
    return { shardId: shard.shardId, sequenceNumber }
  })

const resharded = <A>(operation: string, result: A | Reshard.Refused): Done<A> =>
  isRefused(result) ? Refusal.refuse(result.refused, operation, result.message) : Effect.succeed(result)

const isRefused = (result: unknown): result is Reshard.Refused =>
  typeof result === "object" && result !== null && "refused" in result

const shown = (shard: Model.Shard): Shard => ({
  ...Streams.listed(shard),
  children: [...shard.children],
  records: shard.records.map(({ record }) => record)
})

const recreate = (
  world: World.World,
  stream: Model.Stream,
  options: Omit<Streams.StreamOptions, "name"> | undefined,
  now: number
): void => {
  const { settings } = stream
  Streams.create(world, { shards: stream.shards.length, ...settings, ...options, name: stream.name }, now)
}
