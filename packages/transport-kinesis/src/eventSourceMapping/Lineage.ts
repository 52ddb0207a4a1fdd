/**
 * Which shards may be read now: those whose parents, as far as the stream still knows them, were read to their end.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"

/**
 * What the mapping knows of shards.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lineage {
  readonly started: ReadonlySet<string>
  readonly ended: ReadonlySet<string>
}

/**
 * The shards to start now: not started yet, and no known parent still unread.
 *
 * @category getters
 * @since 0.1.0
 */
export const ready = (
  shards: ReadonlyArray<KinesisClient.Shard>,
  lineage: Lineage
): ReadonlyArray<KinesisClient.Shard> => {
  const known = new Set(shards.map((shard) => shard.shardId))
  return shards.filter(
    (shard) =>
      !lineage.started.has(shard.shardId) &&
      shard.parents.every((parent) => lineage.ended.has(parent) || !known.has(parent))
  )
}
