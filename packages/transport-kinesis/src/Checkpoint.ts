/**
 * Where the consumers of an application stand in each shard, kept where all of its processes can reach it.
 *
 * **Guarantees.** A row is written by its owner alone: who takes a shard over gets a higher token, and from then on what
 * an earlier owner writes is refused, however late it comes. A row never moves back: each owner numbers its writes. A
 * write that is repeated after a lost answer changes nothing.
 *
 * **Gotchas.** A checkpoint is written after the records were processed, never before; what lies between the last one
 * and a crash comes again.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type * as ShardPosition from "./ShardPosition.ts"

/**
 * Checkpoints could not be read or written.
 *
 * @category errors
 * @since 0.1.0
 */
export class CheckpointError extends Schema.TaggedError<CheckpointError>()("CheckpointError", {
  /** `Corrupt`: a row holds what no version of ours wrote. `Refused`: no such table, no permission, no such key. */
  reason: Schema.Literals(["Unavailable", "Throttled", "Refused", "Corrupt"]),
  /** `list`, `create`, `acquire`, `advance` or `remove`. */
  operation: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * Whose checkpoints: one application reads a stream once, with as many processes as it likes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Group {
  readonly application: string
  /** Name and time of creation, so that a stream made anew under its old name begins anew. */
  readonly stream: string
}

/**
 * One row.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checkpoint {
  readonly shardId: string
  readonly position: ShardPosition.ShardPosition
  /** How often the shard was taken over; 0 before the first owner. */
  readonly token: number
  /** The last owner, for a person to read; `""` before the first. */
  readonly owner: string
}

/**
 * A write of an owner.
 *
 * @category models
 * @since 0.1.0
 */
export interface Advance {
  readonly shardId: string
  /** The token that {@link CheckpointStore} `acquire` gave to this owner. */
  readonly token: number
  /** 1, 2, 3 … under one token. A write whose number is not above the row's changes nothing. */
  readonly revision: number
  readonly position: ShardPosition.ShardPosition
}

/**
 * Keeps checkpoints.
 *
 * @category services
 * @since 0.1.0
 */
export class CheckpointStore extends Context.Service<
  CheckpointStore,
  {
    /** Every row of the group, all pages. */
    readonly list: (group: Group) => Effect.Effect<ReadonlyArray<Checkpoint>, CheckpointError>
    /**
     * Writes the first positions of shards, with token 0. A row that is there stays as it is. They are written in the order
     * given: when it fails or its process dies in the middle, what is written is a prefix.
     */
    readonly create: (
      group: Group,
      rows: ReadonlyArray<Pick<Checkpoint, "shardId" | "position">>
    ) => Effect.Effect<void, CheckpointError>
    /** Takes a shard over: its token grows by one, its revision is 0 again. `undefined` where there is no row. */
    readonly acquire: (
      group: Group,
      shardId: string,
      owner: string
    ) => Effect.Effect<Checkpoint | undefined, CheckpointError>
    /** Whether the row still is the owner's: `false` when its token is another, or the row is gone. */
    readonly advance: (group: Group, write: Advance) => Effect.Effect<boolean, CheckpointError>
    /** Forgets shards that the stream no longer has. */
    readonly remove: (group: Group, shardIds: ReadonlyArray<string>) => Effect.Effect<void, CheckpointError>
  }
>()("@leat/transport-kinesis/Checkpoint/CheckpointStore") {}

interface Row extends Checkpoint {
  readonly revision: number
}

/**
 * Checkpoints in this process: they end with the layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<CheckpointStore> = Layer.sync(CheckpointStore, () => {
  const groups = new Map<string, Map<string, Row>>()
  const rowsOf = ({ application, stream }: Group): Map<string, Row> => {
    const name = `${application}\0${stream}`
    const rows = groups.get(name) ?? new Map<string, Row>()
    groups.set(name, rows)
    return rows
  }
  return {
    list: (group) => Effect.sync(() => [...rowsOf(group).values()].map(checkpoint)),
    create: (group, births) =>
      Effect.sync(() => {
        const rows = rowsOf(group)
        for (const { position, shardId } of births) {
          if (!rows.has(shardId)) rows.set(shardId, { shardId, position, token: 0, owner: "", revision: 0 })
        }
      }),
    acquire: (group, shardId, owner) =>
      Effect.sync(() => {
        const rows = rowsOf(group)
        const row = rows.get(shardId)
        if (row === undefined) return undefined
        const taken = { ...row, token: row.token + 1, owner, revision: 0 }
        rows.set(shardId, taken)
        return checkpoint(taken)
      }),
    advance: (group, { position, revision, shardId, token }) =>
      Effect.sync(() => {
        const rows = rowsOf(group)
        const row = rows.get(shardId)
        if (row?.token !== token) return false
        if (revision > row.revision) rows.set(shardId, { ...row, position, revision })
        return true
      }),
    remove: (group, shardIds) => Effect.sync(() => shardIds.forEach((shardId) => rowsOf(group).delete(shardId)))
  }
})

const checkpoint = ({ owner, position, shardId, token }: Row): Checkpoint => ({ shardId, position, token, owner })
