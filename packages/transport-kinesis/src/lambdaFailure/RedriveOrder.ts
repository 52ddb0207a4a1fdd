/**
 * In which order documents are redriven: those of a shard one after the other, a shard after its ancestors, the rest side
 * by side.
 *
 * @since 0.1.0
 */
import * as Order from "effect/Order"

import type * as KinesisClient from "../KinesisClient.ts"
import * as SequenceNumber from "../SequenceNumber.ts"
import type { FailureDocument } from "./FailureDocument.ts"

/**
 * The documents of one shard, in order.
 *
 * @category models
 * @since 0.1.0
 */
export interface ShardDocuments<A> {
  readonly streamArn: string
  readonly shardId: string
  readonly items: ReadonlyArray<A>
}

/**
 * What a document tells of its place.
 *
 * @category models
 * @since 0.1.0
 */
export interface Placed {
  readonly document: FailureDocument
}

/**
 * Orders documents of one shard by their first record; of two that begin alike the shorter first.
 *
 * @category instances
 * @since 0.1.0
 */
export const order: Order.Order<Placed> = Order.combine(
  Order.mapInput(SequenceNumber.order, ({ document }) => document.KinesisBatchInfo.startSequenceNumber),
  Order.mapInput(SequenceNumber.order, ({ document }) => document.KinesisBatchInfo.endSequenceNumber)
)

/**
 * Documents by shard, each shard's in order, shards by name.
 *
 * @category constructors
 * @since 0.1.0
 */
export const byShard = <A extends Placed>(items: ReadonlyArray<A>): ReadonlyArray<ShardDocuments<A>> => {
  const groups = Map.groupBy(items, ({ document }) => nameOf(document.KinesisBatchInfo))
  return [...groups]
    .toSorted(([left], [right]) => (left < right ? -1 : 1))
    .flatMap(([, group]) => {
      const [first] = group
      if (first === undefined) return []
      const { shardId, streamArn } = first.document.KinesisBatchInfo
      return [{ streamArn, shardId, items: group.toSorted(order) }]
    })
}

/**
 * Names a shard among the shards of several streams.
 *
 * @category getters
 * @since 0.1.0
 */
export const nameOf = (shard: { readonly streamArn: string; readonly shardId: string }): string =>
  `${shard.streamArn}/${shard.shardId}`

/**
 * All shards that a shard came from, as far as the stream still lists them and their parents.
 *
 * @category getters
 * @since 0.1.0
 */
export const ancestorsOf = (
  shardId: string,
  shards: ReadonlyArray<Pick<KinesisClient.Shard, "shardId" | "parents">>
): ReadonlySet<string> => {
  const parents = new Map(shards.map((shard) => [shard.shardId, shard.parents]))
  const found = new Set<string>()
  const visit = (id: string): void => {
    for (const parent of parents.get(id) ?? []) {
      if (found.has(parent)) continue
      found.add(parent)
      visit(parent)
    }
  }
  visit(shardId)
  return found
}

/**
 * Waves of shards: each has its ancestors in waves before it. `ancestors` and the shards go by their {@link nameOf}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const waves = <A extends { readonly streamArn: string; readonly shardId: string }>(
  groups: ReadonlyArray<A>,
  ancestors: (group: A) => ReadonlySet<string>
): ReadonlyArray<ReadonlyArray<A>> => {
  const result: Array<ReadonlyArray<A>> = []
  let left = groups
  while (left.length > 0) {
    const waiting = new Set(left.map(nameOf))
    const wave = left.filter((group) => {
      const name = nameOf(group)
      return [...ancestors(group)].every((ancestor) => ancestor === name || !waiting.has(ancestor))
    })
    // A ring of parents is no lineage of AWS's; whoever stands in one goes at the end, side by side.
    if (wave.length === 0) return [...result, left]
    result.push(wave)
    left = left.filter((group) => !wave.includes(group))
  }
  return result
}
