/**
 * Which shard a record will go to, by what `ListShards` said last: pure.
 *
 * **Gotchas.** It is a prediction: a resharding makes it wrong until the shards are listed again. Nothing but the pace of
 * sending hangs on it.
 *
 * @since 0.1.0
 */
import * as HashKey from "../HashKey.ts"
import type { HashRange, Shard } from "../KinesisClient.ts"

/**
 * The open shards in the order of their ranges.
 *
 * @category models
 * @since 0.1.0
 */
export type ShardMap = ReadonlyArray<{ readonly shardId: string; readonly hashRange: HashRange }>

/**
 * The shard of a record that no range owns, as far as we know.
 *
 * @category constants
 * @since 0.1.0
 */
export const unknown = ""

/**
 * The map of what `ListShards` lists. Closed shards take nothing.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (shards: ReadonlyArray<Shard>): ShardMap =>
  shards
    .filter((shard) => !shard.closed)
    .map(({ hashRange, shardId }) => ({ shardId, hashRange }))
    .toSorted((a, b) => (a.hashRange.start < b.hashRange.start ? -1 : 1))

/**
 * The shard that owns a hash key, or {@link unknown}. It is asked for the key only where there is a choice: an MD5 costs
 * more than the rest of it.
 *
 * @category getters
 * @since 0.1.0
 */
export const shardOf = (self: ShardMap, hashKey: () => bigint | undefined): string => {
  const [only] = self
  if (only === undefined) return unknown
  if (self.length === 1) return only.shardId
  const key = hashKey()
  return key === undefined ? unknown : search(self, key)
}

const search = (self: ShardMap, key: bigint): string => {
  let low = 0
  let high = self.length - 1
  while (low < high) {
    const middle = (low + high + 1) >> 1
    if ((self[middle]?.hashRange.start ?? 0n) <= key) low = middle
    else high = middle - 1
  }
  const found = self[low]
  return found !== undefined && HashKey.isWithin(key, found.hashRange) ? found.shardId : unknown
}
