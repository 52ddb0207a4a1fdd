/**
 * The shards of the streams as the facade needs them, cached for a moment because every put asks.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

import * as Engine from "./Engine.ts"
import type * as ShardRouting from "./ShardRouting.ts"

const Shard = Schema.Struct({
  ShardId: Schema.String,
  ParentShardId: Schema.optionalKey(Schema.String),
  AdjacentParentShardId: Schema.optionalKey(Schema.String),
  HashKeyRange: Schema.Struct({ StartingHashKey: Schema.String, EndingHashKey: Schema.String }),
  SequenceNumberRange: Schema.Struct({
    StartingSequenceNumber: Schema.String,
    EndingSequenceNumber: Schema.optionalKey(Schema.String)
  })
})

const decode = Schema.decodeUnknownSync(Schema.Struct({ Shards: Schema.optionalKey(Schema.Array(Shard)) }))

/**
 * A shard as `ListShards` names it.
 *
 * @category models
 * @since 0.1.0
 */
export type Shard = typeof Shard.Type

/**
 * The shards of streams.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shards {
  readonly list: (stream: string) => Promise<ReadonlyArray<Shard>>
  readonly ranges: (stream: string) => Promise<ReadonlyArray<ShardRouting.HashRange>>
  readonly forget: () => void
}

// kinesalite finishes a split some turns after it answered, so a shorter memory than any test's patience.
const freshness = 100

/**
 * Reads shards from an engine.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (engine: Engine.Engine, now: () => number): Shards => {
  const known = new Map<string, { readonly at: number; readonly shards: ReadonlyArray<Shard> }>()
  const list = async (stream: string): Promise<ReadonlyArray<Shard>> => {
    const found = known.get(stream)
    if (found !== undefined && now() - found.at < freshness) return found.shards
    const answer = await engine.call("ListShards", { StreamName: stream })
    const shards = answer.status === 200 ? (decode(Engine.fields(answer)).Shards ?? []) : []
    known.set(stream, { at: now(), shards })
    return shards
  }
  return {
    list,
    ranges: async (stream) => (await list(stream)).map(range),
    forget: () => known.clear()
  }
}

const range = (shard: Shard): ShardRouting.HashRange => ({
  shardId: shard.ShardId,
  start: BigInt(shard.HashKeyRange.StartingHashKey),
  end: BigInt(shard.HashKeyRange.EndingHashKey),
  open: shard.SequenceNumberRange.EndingSequenceNumber === undefined
})

/**
 * The children of a closed shard, as `GetRecords` names them at its end.
 *
 * @category getters
 * @since 0.1.0
 */
export const children = (shards: ReadonlyArray<Shard>, parent: string): ReadonlyArray<object> =>
  shards
    .filter((shard) => shard.ParentShardId === parent || shard.AdjacentParentShardId === parent)
    .map((shard) => ({
      ShardId: shard.ShardId,
      ParentShards: [shard.ParentShardId, shard.AdjacentParentShardId].filter((id) => id !== undefined),
      HashKeyRange: shard.HashKeyRange
    }))
