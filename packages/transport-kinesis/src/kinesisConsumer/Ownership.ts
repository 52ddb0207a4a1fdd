/**
 * One shard in the hands of this process, and what all of its shards share.
 *
 * @since 0.1.0
 */
import type { JournalError } from "@leat/core/Journal"
import type { Worker } from "@leat/core/Worker"
import type * as Deferred from "effect/Deferred"

import type * as Aggregation from "../Aggregation.ts"
import type * as Checkpoint from "../Checkpoint.ts"
import type * as Fetcher from "../Fetcher.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as ShardPosition from "../ShardPosition.ts"
import type * as Checkpointer from "./Checkpointer.ts"
import type { ConsumerEvent } from "./ConsumerEvent.ts"
import type { Lag } from "./Lag.ts"
import type * as Resume from "./Resume.ts"
import type * as Window from "./Window.ts"

/**
 * What the shards of one consumer share.
 *
 * @category models
 * @since 0.1.0
 */
export interface Room<R> {
  readonly worker: Worker<R>
  readonly stream: string
  readonly partition: (shardId: string) => string
  readonly group: Checkpoint.Group
  readonly owner: string
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly fetcher: Fetcher.Fetcher["Service"]
  readonly emit: (event: ConsumerEvent) => void
  readonly lag: Lag
  readonly settings: Settings
}

/**
 * Bounds and times, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly batchSize: number
  readonly batchTimeout: number
  readonly bounds: Window.Bounds
  readonly checkpointInterval: number
  readonly checkpointEvery: number
  readonly shutdownTimeout: number
  /** Before the n-th try, n from 2; the caller's jitter lies on top. */
  readonly backoff: (attempt: number) => number
  readonly hashRangePolicy: Aggregation.HashRangePolicy
}

/**
 * What a repetition does not mend.
 *
 * @category errors
 * @since 0.1.0
 */
export type Failure = KinesisError.KinesisError | Checkpoint.CheckpointError | JournalError

/**
 * How a run came to its end.
 *
 * @category models
 * @since 0.1.0
 */
export type Ending =
  /** All of the shard is done. */
  | "Ended"
  /** The shard has another owner, or its row is gone. */
  | "Fenced"
  /** There is no row: nobody gave the shard a first checkpoint, or it was deleted. */
  | "NoRow"
  /** It was to be given back. */
  | "Stopped"

/**
 * One shard from its takeover on.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ownership<R> {
  readonly room: Room<R>
  readonly shard: KinesisClient.Shard
  readonly position: Resume.Resumable
  readonly token: number
  readonly checkpointer: Checkpointer.Checkpointer
  readonly window: Window.Window
  /** Done when the shard is to be given back. */
  readonly stop: Deferred.Deferred<void>
}

/**
 * Hands the watermark to the checkpointer when it moved; `now` in monotonic milliseconds.
 *
 * @category transitions
 * @since 0.1.0
 */
export const noteProgress = <R>({ checkpointer, window }: Ownership<R>, settled: number, now: number): void => {
  const { watermark } = window
  const position = watermark === undefined ? undefined : ShardPosition.decode(watermark)
  if (position !== undefined) checkpointer.reached(position, settled, now)
}
