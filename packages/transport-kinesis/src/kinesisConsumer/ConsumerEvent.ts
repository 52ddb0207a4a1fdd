/**
 * What a consumer did, as a closed union, and the counts over it.
 *
 * @since 0.1.0
 */
import type * as Journal from "@leat/core/Journal"

import type * as Checkpoint from "../Checkpoint.ts"
import type * as Fetcher from "../Fetcher.ts"
import type * as KinesisError from "../KinesisError.ts"
import type * as ShardPosition from "../ShardPosition.ts"

/**
 * One thing that a consumer did. One event a batch on the good path.
 *
 * @category models
 * @since 0.1.0
 */
export type ConsumerEvent =
  | Fetcher.FetcherEvent
  | {
      readonly _tag: "ShardStarted"
      readonly shardId: string
      readonly position: ShardPosition.ShardPosition
      /** The fencing token. */
      readonly token: number
    }
  /** Every record of a closed shard is done. */
  | { readonly _tag: "ShardEnded"; readonly shardId: string }
  /** The shard went to another process, or the consumer stops. `settled`: nothing was left open. */
  | { readonly _tag: "ShardReleased"; readonly shardId: string; readonly settled: boolean }
  /** What is in hand neither ended nor could be cut, and goes on in the background; its shard is given back without it. */
  | { readonly _tag: "ShardStuck"; readonly shardId: string }
  /** Another process took the shard over; what this one writes is refused. */
  | { readonly _tag: "ShardFenced"; readonly shardId: string; readonly token: number }
  /** The stream forgot a shard before it was read to its end. */
  | { readonly _tag: "ShardLost"; readonly shardId: string; readonly position: ShardPosition.ShardPosition }
  | {
      readonly _tag: "BatchProcessed"
      readonly shardId: string
      readonly deliveries: number
      readonly settled: number
      /** Milliseconds. */
      readonly duration: number
      /** Milliseconds from the arrival of its last record to the end of the batch. */
      readonly iteratorAge: number
      /** As the last page said it. */
      readonly millisBehindLatest: number
    }
  /** A lane waits after a failure; the others go on. */
  | {
      readonly _tag: "LaneHeld"
      readonly shardId: string
      readonly key: string
      readonly position: string
      readonly attempt: number
      readonly reason: string
      /** Whether a later try may succeed; `false`: a person has to mend something. */
      readonly retryable: boolean
    }
  /** The batch is tried again. */
  | { readonly _tag: "JournalFailed"; readonly shardId: string; readonly error: Journal.JournalError }
  | {
      readonly _tag: "Checkpointed"
      readonly shardId: string
      readonly position: ShardPosition.ShardPosition
    }
  /** It is tried again; meanwhile records are processed on. */
  | { readonly _tag: "CheckpointFailed"; readonly shardId: string; readonly error: Checkpoint.CheckpointError }
  /** A look for shards failed; it is tried again. */
  | {
      readonly _tag: "DiscoveryFailed"
      readonly error: KinesisError.KinesisError | Checkpoint.CheckpointError
    }
  /** User records of an aggregate that lie outside of the shard's hash range. */
  | {
      readonly _tag: "OutOfRange"
      readonly shardId: string
      readonly records: number
      /** Whether they were left out, as the KCL does. */
      readonly dropped: boolean
    }

/**
 * What is counted over events.
 *
 * @category models
 * @since 0.1.0
 */
export type Counts = Omit<Stats, "behind">

/**
 * Counts since the start, and the lag now.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly batches: number
  /** Deliveries that were settled. */
  readonly settled: number
  /** Times that a lane was held. */
  readonly held: number
  readonly checkpoints: number
  readonly checkpointFailures: number
  readonly fetchFailures: number
  readonly fenced: number
  /**
   * Milliseconds that each shard which is read here is behind the tip, at most: what its last page said, and the time since.
   * It grows while nothing is read. A shard that leaves takes its figure along.
   */
  readonly behind: ReadonlyMap<string, number>
}

/**
 * Nothing was done yet.
 *
 * @category constants
 * @since 0.1.0
 */
export const none: Counts = {
  batches: 0,
  settled: 0,
  held: 0,
  checkpoints: 0,
  checkpointFailures: 0,
  fetchFailures: 0,
  fenced: 0
}

/**
 * The counts after an event.
 *
 * @category transitions
 * @since 0.1.0
 */
export const count = (counts: Counts, event: ConsumerEvent): Counts => {
  switch (event._tag) {
    case "BatchProcessed":
      return { ...counts, batches: counts.batches + 1, settled: counts.settled + event.settled }
    case "LaneHeld":
      return { ...counts, held: counts.held + 1 }
    case "Checkpointed":
      return { ...counts, checkpoints: counts.checkpoints + 1 }
    case "CheckpointFailed":
      return { ...counts, checkpointFailures: counts.checkpointFailures + 1 }
    case "FetchFailed":
      return { ...counts, fetchFailures: counts.fetchFailures + 1 }
    case "ShardFenced":
      return { ...counts, fenced: counts.fenced + 1 }
    default:
      return counts
  }
}
