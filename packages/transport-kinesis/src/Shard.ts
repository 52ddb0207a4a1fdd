/**
 * The lineage of shards as a pure state machine: which of them may be read now, out of what the stream lists and what the
 * checkpoints say.
 *
 * **Guarantees.** A shard is read after all of its parents were processed to their end, both of them after a merge. The
 * child of a shard that we know begins at its first record. What a crash leaves behind, between any two steps, the next
 * look mends: every step is a function of the list and the rows alone.
 *
 * **Details.** A shard is `Waiting` for its parents, then `Ready`, then at its `End`; a row whose shard the stream no
 * longer lists is `Forgotten` when it had ended, and `Lost` when it had not: the rest of its records expired unread.
 *
 * @since 0.1.0
 */
import type { Checkpoint } from "./Checkpoint.ts"
import type * as KinesisClient from "./KinesisClient.ts"
import * as ShardPosition from "./ShardPosition.ts"

/**
 * The row that is no shard: where the application began on this stream. It makes the start the same for all processes
 * that begin at once, and for a shard that is found after a crash in the middle of the first look.
 *
 * @category constants
 * @since 0.1.0
 */
export const start = "@start"

/**
 * What is to be done now.
 *
 * @category models
 * @since 0.1.0
 */
export interface Plan {
  /** Shards without a row, and where they begin: to be written before they are read. Children stand before parents. */
  readonly births: ReadonlyArray<Pick<Checkpoint, "shardId" | "position">>
  /** Shards that may be read, in the order of the list. */
  readonly ready: ReadonlyArray<KinesisClient.Shard>
  /** Shards whose parents are not at their end. */
  readonly waiting: ReadonlyArray<string>
  /** Rows of shards that ended and are gone from the stream. */
  readonly forgotten: ReadonlyArray<string>
  /** Rows of shards that are gone from the stream before they were read to the end. */
  readonly lost: ReadonlyArray<Checkpoint>
}

/**
 * The plan for what the stream lists and the rows of the group. `begin` is where a shard begins of which no parent is
 * known: the application's own beginning.
 *
 * **Details**
 *
 * Births have children before parents, so that a crash in the middle of writing them leaves no child whose parent is known
 * and which would therefore begin at its first record instead of at `begin`.
 *
 * A row whose shard is not listed counts as gone only where a child of it is: a list may be older than the rows, or empty
 * while a stream is being made or changed, and then it says nothing about shards that it doesn't know yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const plan = (
  shards: ReadonlyArray<KinesisClient.Shard>,
  rows: ReadonlyArray<Checkpoint>,
  begin: ShardPosition.ShardPosition
): Plan => {
  const listed = new Set(shards.map((shard) => shard.shardId))
  const known = new Map(rows.filter((row) => row.shardId !== start).map((row) => [row.shardId, row]))
  const isDone = (parent: string): boolean => known.get(parent)?.position._tag === "End" || !listed.has(parent)
  const open = shards.filter((shard) => known.get(shard.shardId)?.position._tag !== "End")
  const continued = new Set(shards.flatMap((shard) => shard.parents))
  const gone = [...known.values()].filter((row) => !listed.has(row.shardId) && continued.has(row.shardId))
  const descends = descent(shards, known)
  return {
    births: childrenFirst(shards.filter((shard) => !known.has(shard.shardId))).map(({ shardId }) => ({
      shardId,
      position: descends(shardId) ? ShardPosition.trimHorizon : begin
    })),
    ready: open.filter((shard) => shard.parents.every(isDone)),
    waiting: open.filter((shard) => !shard.parents.every(isDone)).map((shard) => shard.shardId),
    forgotten: gone.filter((row) => mayForget(row, shards, known)).map((row) => row.shardId),
    lost: gone.filter((row) => row.position._tag !== "End")
  }
}

/** Not before its children have rows: they would begin at the application's start, and not at their first record. */
const mayForget = (
  row: Checkpoint,
  shards: ReadonlyArray<KinesisClient.Shard>,
  known: ReadonlyMap<string, Checkpoint>
): boolean =>
  row.position._tag === "End" &&
  shards.every((shard) => !shard.parents.includes(row.shardId) || known.has(shard.shardId))

/** Whether a shard has an ancestor with a row: between two looks a stream may be split more than once. */
const descent = (
  shards: ReadonlyArray<KinesisClient.Shard>,
  known: ReadonlyMap<string, Checkpoint>
): ((shardId: string) => boolean) => {
  const parentsOf = new Map(shards.map((shard) => [shard.shardId, shard.parents]))
  const found = new Map<string, boolean>()
  const descends = (shardId: string): boolean => {
    const before = found.get(shardId)
    if (before !== undefined) return before
    // A ring of parents is no lineage of AWS's; without the mark it would never end.
    found.set(shardId, false)
    const result = (parentsOf.get(shardId) ?? []).some((parent) => known.has(parent) || descends(parent))
    found.set(shardId, result)
    return result
  }
  return descends
}

const childrenFirst = (shards: ReadonlyArray<KinesisClient.Shard>): ReadonlyArray<KinesisClient.Shard> => {
  const byId = new Map(shards.map((shard) => [shard.shardId, shard]))
  const depths = new Map<string, number>()
  const depth = (shardId: string): number => {
    const found = depths.get(shardId)
    if (found !== undefined) return found
    depths.set(shardId, 0)
    const parents = (byId.get(shardId)?.parents ?? []).filter((parent) => byId.has(parent))
    const deepest = parents.length === 0 ? 0 : 1 + Math.max(...parents.map(depth))
    depths.set(shardId, deepest)
    return deepest
  }
  return shards.toSorted((left, right) => depth(right.shardId) - depth(left.shardId))
}
