/**
 * What a publisher did, as a closed union, and the counts that follow from it.
 *
 * @since 0.1.0
 */
import type { PublishError } from "@leat/core/Publisher"

import type * as KinesisError from "../KinesisError.ts"

/**
 * One thing that a publisher did.
 *
 * @category models
 * @since 0.1.0
 */
export type PublisherEvent =
  | {
      readonly _tag: "Sent"
      /** Of the stream: an aggregate is one. */
      readonly records: number
      readonly envelopes: number
      /** Data and partition keys. */
      readonly bytes: number
      /** Requests in flight, this one included. */
      readonly inFlight: number
    }
  | {
      readonly _tag: "Answered"
      /** Envelopes. What is neither accepted nor retried has failed. */
      readonly accepted: number
      readonly retried: number
      readonly failed: number
      /** Milliseconds. */
      readonly duration: number
      /** Requests in flight, this one no more. */
      readonly inFlight: number
    }
  /** Envelopes that failed: with an answer of the stream's, or without. */
  | { readonly _tag: "Failed"; readonly reason: FailedReason; readonly envelopes: number }
  /** A shard is written to at this share of its limits from now on; it grows back by a twentieth a second. */
  | { readonly _tag: "Throttled"; readonly shardId: string; readonly share: number }
  | { readonly _tag: "ShardsListed"; readonly open: number }
  /** Without the list no shard is paced. */
  | { readonly _tag: "ShardsUnknown"; readonly error: KinesisError.KinesisError }
  /** A record went to another shard than its key's: the shards were split or merged, and are listed again. */
  | { readonly _tag: "Misrouted"; readonly expected: string; readonly shardId: string }
  | { readonly _tag: "StreamDescribed"; readonly maxRecordBytes: number; readonly ignoresPartitionKeys: boolean }
  /** Without it records up to 1 MiB are sent, and whether the stream keeps the order of keys stays unknown. */
  | { readonly _tag: "StreamUnknown"; readonly error: KinesisError.KinesisError }

/**
 * Why envelopes failed. `Defect`: the client died, which its caller gets as a defect.
 *
 * @category models
 * @since 0.1.0
 */
export type FailedReason = PublishError["reason"] | "Defect"

/**
 * Counts since the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Stats {
  readonly requests: number
  /** Records of the stream, repeats included. */
  readonly records: number
  readonly bytes: number
  /** Envelopes. */
  readonly accepted: number
  readonly retried: number
  readonly failed: number
  /** How often the pace of a shard was halved. */
  readonly throttled: number
  /** Requests in flight now. */
  readonly inFlight: number
}

/**
 * Nothing happened yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: Stats = {
  requests: 0,
  records: 0,
  bytes: 0,
  accepted: 0,
  retried: 0,
  failed: 0,
  throttled: 0,
  inFlight: 0
}

/**
 * The counts after one more event.
 *
 * @category transitions
 * @since 0.1.0
 */
export const count = (stats: Stats, event: PublisherEvent): Stats => {
  switch (event._tag) {
    case "Sent":
      return {
        ...stats,
        requests: stats.requests + 1,
        records: stats.records + event.records,
        bytes: stats.bytes + event.bytes,
        inFlight: event.inFlight
      }
    case "Answered":
      return {
        ...stats,
        accepted: stats.accepted + event.accepted,
        retried: stats.retried + event.retried,
        inFlight: event.inFlight
      }
    case "Failed":
      return { ...stats, failed: stats.failed + event.envelopes }
    case "Throttled":
      return { ...stats, throttled: stats.throttled + 1 }
    default:
      return stats
  }
}
