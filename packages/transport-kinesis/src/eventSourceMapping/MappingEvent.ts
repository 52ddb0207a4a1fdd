/**
 * What a mapping did, as a closed union, and the counts that follow from it.
 *
 * @since 0.1.0
 */
import type * as Checkpoint from "../Checkpoint.ts"
import type * as KinesisError from "../KinesisError.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"
import type * as ShardPosition from "../ShardPosition.ts"
import type * as OnFailure from "./OnFailure.ts"
import type * as Verdict from "./Verdict.ts"

/**
 * One thing that a mapping did.
 *
 * @category models
 * @since 0.1.0
 */
export type MappingEvent =
  | { readonly _tag: "ShardStarted"; readonly shardId: string; readonly position: ShardPosition.ShardPosition }
  | { readonly _tag: "ShardEnded"; readonly shardId: string }
  | {
      readonly _tag: "Invoked"
      readonly shardId: string
      readonly requestId: string
      /** Records sent, and of them those done. */
      readonly records: number
      readonly settled: number
      /** Which try of these records it was, from 1. */
      readonly attempt: number
      readonly verdict: Verdict.Verdict
      /** Milliseconds. */
      readonly duration: number
      /** Milliseconds since the last record of the batch arrived, at the start: what AWS calls IteratorAge. */
      readonly iteratorAge: number
      /** What the function threw. */
      readonly error: unknown
    }
  /** The call did not reach the function; it is tried again. */
  | { readonly _tag: "Throttled"; readonly shardId: string; readonly records: number }
  /** Records that match no filter. They are done. */
  | { readonly _tag: "Filtered"; readonly shardId: string; readonly records: number }
  /** The final call of a window was answered. */
  | {
      readonly _tag: "WindowClosed"
      readonly shardId: string
      readonly window: LambdaEvent.TimeWindow["window"]
      readonly early: boolean
    }
  /**
   * The first aggregate of the Kinesis Producer Library on a shard, and what does not work with it: lanes, because one
   * partition key stands for many, or filters, because it is no JSON.
   */
  | {
      readonly _tag: "AggregateMet"
      readonly shardId: string
      readonly sequenceNumber: string
      readonly harms: "ParallelizationFactor" | "FilterCriteria"
    }
  /** The on-failure destination did not take a document; it is tried again. */
  | { readonly _tag: "DestinationFailed"; readonly shardId: string; readonly error: OnFailure.DestinationError }
  /** It is tried again, and the shard waits. */
  | {
      readonly _tag: "CheckpointFailed"
      readonly shardId: string | undefined
      readonly error: Checkpoint.CheckpointError
    }
  /** The record that was done last is gone from the stream, and so may be others before `resumed`. */
  | {
      readonly _tag: "RecordsTrimmed"
      readonly shardId: string
      readonly after: string
      readonly resumed: string | undefined
    }
  /** The stream forgot a shard before it was read to its end. */
  | { readonly _tag: "ShardLost"; readonly shardId: string; readonly position: ShardPosition.ShardPosition }
  | { readonly _tag: "GivenUp"; readonly shardId: string; readonly failure: OnFailure.Failure }
  | { readonly _tag: "ReadFailed"; readonly shardId: string; readonly error: KinesisError.KinesisError }

/**
 * Counts since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly invocations: number
  /** Invocations that failed as a whole. */
  readonly failures: number
  /** Invocations that reported some of their records. */
  readonly partials: number
  /** Records done. */
  readonly settled: number
  /** Records given up. */
  readonly givenUp: number
  /** Records that match no filter. */
  readonly filtered: number
  /** Calls that did not reach the function. */
  readonly throttles: number
  readonly readFailures: number
  /** Of the last invocation, in milliseconds. */
  readonly iteratorAge: number
}

/**
 * Nothing happened yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: Stats = {
  invocations: 0,
  failures: 0,
  partials: 0,
  settled: 0,
  givenUp: 0,
  filtered: 0,
  throttles: 0,
  readFailures: 0,
  iteratorAge: 0
}

/**
 * The counts after one more event.
 *
 * @category transitions
 * @since 0.1.0
 */
export const count = (stats: Stats, event: MappingEvent): Stats => {
  if (event._tag === "Invoked") {
    return {
      ...stats,
      invocations: stats.invocations + 1,
      failures: stats.failures + (event.verdict._tag === "Failed" ? 1 : 0),
      partials: stats.partials + (event.verdict._tag === "From" ? 1 : 0),
      settled: stats.settled + event.settled,
      iteratorAge: event.iteratorAge
    }
  }
  if (event._tag === "GivenUp") return { ...stats, givenUp: stats.givenUp + event.failure.records.length }
  if (event._tag === "Filtered") return { ...stats, filtered: stats.filtered + event.records }
  if (event._tag === "Throttled") return { ...stats, throttles: stats.throttles + 1 }
  if (event._tag === "ReadFailed") return { ...stats, readFailures: stats.readFailures + 1 }
  return stats
}
