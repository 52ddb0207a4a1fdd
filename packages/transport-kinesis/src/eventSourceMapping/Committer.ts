/**
 * Writes the position of one shard to the checkpoint store, one write after the other, each further than the last.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Semaphore from "effect/Semaphore"

import type * as Checkpoint from "../Checkpoint.ts"
import * as ShardPosition from "../ShardPosition.ts"
import { EventSourceMappingError } from "./MappingError.ts"

/**
 * What a committer needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly group: Checkpoint.Group
  /** As it was taken over. */
  readonly row: Checkpoint.Checkpoint
  readonly onError: (error: Checkpoint.CheckpointError) => void
}

/**
 * Why a write stops the mapping.
 *
 * @category models
 * @since 0.1.0
 */
export type Failure = Checkpoint.CheckpointError | EventSourceMappingError

/**
 * Writes a position unless it was written already. It is asked for when the write begins, so that writers who waited
 * write the newest.
 *
 * @category models
 * @since 0.1.0
 */
export type Committer = (position: () => ShardPosition.ShardPosition) => Effect.Effect<void, Failure>

/**
 * The committer of a row that is ours.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Committer => {
  const { group, onError, row, store } = options
  const lock = Semaphore.makeUnsafe(1)
  let written = row.position
  let revision = 0
  const write = (position: ShardPosition.ShardPosition): Effect.Effect<void, Failure> => {
    const { shardId, token } = row
    revision++
    const advanced = persistent(store.advance(group, { shardId, token, revision, position }), onError)
    return Effect.flatMap(advanced, (ours) =>
      ours ? Effect.sync(() => void (written = position)) : Effect.fail(lost(shardId))
    )
  }
  return (position) =>
    lock.withPermits(1)(
      Effect.suspend(() => {
        const next = position()
        return ShardPosition.order(next, written) > 0 ? write(next) : Effect.void
      })
    )
}

/**
 * Tries a call to the store again, once a second, as long as that may help.
 *
 * @category combinators
 * @since 0.1.0
 */
export const persistent = <A>(
  call: Effect.Effect<A, Checkpoint.CheckpointError>,
  onError: Options["onError"]
): Effect.Effect<A, Checkpoint.CheckpointError> =>
  call.pipe(
    Effect.tapError((error) => Effect.sync(() => onError(error))),
    Effect.retry({ while: (error) => error.retryable, schedule: Schedule.spaced("1 second") })
  )

const lost = (shardId: string) =>
  new EventSourceMappingError({
    reason: "CheckpointLost",
    message: `another mapping of this application took ${shardId} over; run one, or name them apart`,
    retryable: false
  })
