/**
 * Splits and merges shards as AWS does, in the order in which it does.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
 * @since 0.1.0
 */
import * as Model from "./Model.ts"

/**
 * Why a reshard is refused.
 *
 * @category models
 * @since 0.1.0
 */
export interface Refused {
  readonly refused: "NotFound" | "Invalid"
  readonly message: string
}

const openShard = (stream: Model.Stream, shardId: string): Model.Shard | Refused => {
  const shard = stream.shards.find((candidate) => candidate.shardId === shardId)
  if (shard === undefined) return { refused: "NotFound", message: `shard ${shardId} is not in ${stream.name}` }
  if (shard.closedAt !== undefined) return { refused: "Invalid", message: `shard ${shardId} is closed` }
  return shard
}

/**
 * Splits an open shard, in the middle where nothing is said.
 *
 * @category transitions
 * @since 0.1.0
 */
export const split = (
  stream: Model.Stream,
  shardId: string,
  now: number,
  at?: bigint
): readonly [string, string] | Refused => {
  const shard = openShard(stream, shardId)
  if ("refused" in shard) return shard
  const { end, start } = shard.hashRange
  const middle = at ?? start + (end - start) / 2n + 1n
  if (middle <= start || middle > end) {
    return { refused: "Invalid", message: `the new starting hash key ${middle} is not inside of ${shardId}` }
  }
  shard.closedAt = now
  const left = Model.open(stream, { start, end: middle - 1n }, shard)
  const right = Model.open(stream, { start: middle, end }, shard)
  return [left.shardId, right.shardId]
}

/**
 * Merges two open shards that are neighbours.
 *
 * @category transitions
 * @since 0.1.0
 */
export const merge = (stream: Model.Stream, shardId: string, adjacent: string, now: number): string | Refused => {
  const one = openShard(stream, shardId)
  const other = openShard(stream, adjacent)
  if ("refused" in one) return one
  if ("refused" in other) return other
  const [left, right] = one.hashRange.start < other.hashRange.start ? [one, other] : [other, one]
  if (left.hashRange.end + 1n !== right.hashRange.start) {
    return { refused: "Invalid", message: `${shardId} and ${adjacent} are not adjacent` }
  }
  left.closedAt = now
  right.closedAt = now
  return Model.open(stream, { start: left.hashRange.start, end: right.hashRange.end }, one, other).shardId
}

/**
 * Splits at every new boundary and then merges over every old one: what lies between two of either is opened and closed
 * in the same breath, with no record ever in it.
 *
 * @category transitions
 * @since 0.1.0
 */
export const update = (stream: Model.Stream, count: number, now: number): ReadonlyArray<string> | Refused => {
  const before = opened(stream)
  if (!Number.isInteger(count) || count < 1 || count > before.length * 2 || count * 2 < before.length) {
    return {
      refused: "Invalid",
      message: `${before.length} shards can become ${Math.ceil(before.length / 2)} to ${before.length * 2}, not ${count}`
    }
  }
  const boundaries = Array.from({ length: count }, (_, index) => Model.boundary(index, count))
  for (const at of boundaries) {
    const shard = opened(stream).find(({ hashRange }) => hashRange.start < at && at <= hashRange.end)
    if (shard !== undefined) split(stream, shard.shardId, now, at)
  }
  const wanted = new Set(boundaries)
  for (const { shardId } of stale(opened(stream), wanted)) join(stream, shardId, now)
  return opened(stream).map(({ shardId }) => shardId)
}

const opened = (stream: Model.Stream): ReadonlyArray<Model.Shard> =>
  stream.shards
    .filter(({ closedAt }) => closedAt === undefined)
    .toSorted((left, right) => (left.hashRange.start < right.hashRange.start ? -1 : 1))

/** The shards that begin where no shard is to begin any more. */
const stale = (shards: ReadonlyArray<Model.Shard>, wanted: ReadonlySet<bigint>): ReadonlyArray<Model.Shard> =>
  shards.filter(({ hashRange }) => !wanted.has(hashRange.start))

const join = (stream: Model.Stream, shardId: string, now: number): void => {
  const shards = opened(stream)
  const index = shards.findIndex((shard) => shard.shardId === shardId)
  const left = shards[index - 1]
  if (left !== undefined) merge(stream, left.shardId, shardId, now)
}
