/**
 * Reads one shard from a position on: the contract of `fetcher/Polling.ts` and `fetcher/EnhancedFanOut.ts`.
 *
 * **Guarantees.** Records come in the shard's order, each once per reading, without gaps: a fetcher goes on after the
 * last record that it *delivered*, not the last it asked for. It reads ahead only as far as its bounds in records and
 * bytes; a slow consumer holds it back. The stream completes at the end of a closed shard and at no other time.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Stream from "effect/Stream"

import type * as KinesisClient from "./KinesisClient.ts"
import type * as KinesisError from "./KinesisError.ts"

/**
 * What was read at once. It may be empty: then it says how far behind the tip the reading is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Page {
  readonly records: ReadonlyArray<KinesisClient.Record>
  /** 0 at the tip. */
  readonly millisBehindLatest: number
}

/**
 * What happened to a fetcher that goes on by itself.
 *
 * @category models
 * @since 0.1.0
 */
export type FetcherEvent =
  /** A call failed and is tried again. */
  | { readonly _tag: "FetchFailed"; readonly shardId: string; readonly error: KinesisError.KinesisError }
  /** An iterator expired and was renewed from the last delivered record. */
  | { readonly _tag: "IteratorRenewed"; readonly shardId: string }
  /** The record at the position has expired from the stream, and what followed it may have too. */
  | {
      readonly _tag: "RecordsTrimmed"
      readonly shardId: string
      readonly position: string
      /** The first record that is still there; `undefined` where it is not known yet. */
      readonly resumed: string | undefined
    }
  /** A subscription was silent for too long, or broke, and is made anew. */
  | { readonly _tag: "Resubscribed"; readonly shardId: string; readonly reason: string }
  /** Enhanced fan-out does not work here; the shard is polled from now on. */
  | { readonly _tag: "FellBack"; readonly shardId: string; readonly error: KinesisError.KinesisError }

/**
 * What to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Request {
  /** Name or ARN. */
  readonly stream: string
  readonly shardId: string
  readonly from: KinesisClient.Position
  readonly onEvent: (event: FetcherEvent) => void
}

/**
 * Reads shards.
 *
 * @category services
 * @since 0.1.0
 */
export class Fetcher extends Context.Service<
  Fetcher,
  {
    /** `polling` or `enhanced fan-out`: for the start log. */
    readonly name: string
    /** Fails with what a repetition does not mend: no permission, no such stream, a position of another shard. */
    readonly read: (request: Request) => Stream.Stream<Page, KinesisError.KinesisError>
  }
>()("@leat/transport-kinesis/Fetcher") {}
