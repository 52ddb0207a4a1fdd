/**
 * Writes the checkpoints of one shard for one owner: by count, by time, and at the end.
 *
 * **Guarantees.** A position is written after it was settled, never before. A write that fails for a while is tried again
 * with whatever is the newest position then; one that is refused says that the shard has another owner.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import type * as Checkpoint from "../Checkpoint.ts"
import * as Monotonic from "../internal/monotonic.ts"
import type * as ShardPosition from "../ShardPosition.ts"
import type { ConsumerEvent } from "./ConsumerEvent.ts"

/**
 * What a write showed.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  /** It is written, or there was nothing to write. */
  | "Written"
  /** The store can't be reached; the position is kept for the next try. */
  | "Kept"
  /** The shard has another owner. */
  | "Fenced"

/**
 * The checkpoints of one ownership.
 *
 * @category models
 * @since 0.1.0
 */
export interface Checkpointer {
  /** Everything up to `position` is settled; `settled` deliveries more than at the last call. `now` is monotonic. */
  readonly reached: (position: ShardPosition.ShardPosition, settled: number, now: number) => void
  /** When the next write is due: monotonic milliseconds; `Infinity` when there is nothing to write. */
  readonly due: () => number
  /** Fails with what a repetition does not mend. */
  readonly write: Effect.Effect<Verdict, Checkpoint.CheckpointError>
}

/**
 * What a checkpointer needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly group: Checkpoint.Group
  readonly shardId: string
  readonly token: number
  /** Milliseconds. */
  readonly interval: number
  /** Deliveries. */
  readonly every: number
  readonly emit: (event: ConsumerEvent) => void
}

// A store that throttles is asked again after a second at the earliest, whatever the interval.
const rest = 1_000

/**
 * A checkpointer with nothing to write.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Checkpointer => {
  const { emit, group, interval, shardId, store, token } = options
  let waiting: { readonly position: ShardPosition.ShardPosition; readonly since: number } | undefined
  let settledSince = 0
  let notBefore = 0
  let revision = 0

  const written = (position: ShardPosition.ShardPosition): Verdict => {
    if (waiting?.position === position) waiting = undefined
    emit({ _tag: "Checkpointed", shardId, position })
    return "Written"
  }
  const failed = (error: Checkpoint.CheckpointError) =>
    Effect.map(Monotonic.millis, (now): Verdict => {
      notBefore = now + Math.max(rest, interval)
      emit({ _tag: "CheckpointFailed", shardId, error })
      return "Kept"
    })

  return {
    reached: (position, settled, now) => {
      waiting = { position, since: waiting?.since ?? now }
      settledSince += settled
    },
    due: () => {
      if (waiting === undefined) return Infinity
      return Math.max(notBefore, settledSince >= options.every ? 0 : waiting.since + interval)
    },
    write: Effect.suspend((): Effect.Effect<Verdict, Checkpoint.CheckpointError> => {
      if (waiting === undefined) return Effect.succeed("Written")
      const { position } = waiting
      settledSince = 0
      revision += 1
      return store.advance(group, { shardId, token, revision, position }).pipe(
        Effect.map((mine): Verdict => (mine ? written(position) : "Fenced")),
        Effect.catchTag("CheckpointError", (error) => (error.retryable ? failed(error) : Effect.fail(error)))
      )
    })
  }
}
