/**
 * A script of what goes wrong: the next calls of an operation fail, wait, or are done without an answer.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"

import type * as KinesisClient from "../../KinesisClient.ts"
import type * as KinesisError from "../../KinesisError.ts"

/**
 * The calls, as AWS names them.
 *
 * @category models
 * @since 0.1.0
 */
export type Operation =
  | "PutRecords"
  | "ListShards"
  | "GetShardIterator"
  | "GetRecords"
  | "DescribeStreamSummary"
  | "CreateStream"
  | "RegisterStreamConsumer"
  | "DescribeStreamConsumer"
  | "DeregisterStreamConsumer"
  | "SubscribeToShard"

/**
 * What goes wrong with one call.
 *
 * @category models
 * @since 0.1.0
 */
export type Fault =
  /** Nothing: this call passes, the next fault is for the next. */
  | { readonly _tag: "Pass" }
  /** The call fails and was not done. */
  | { readonly _tag: "Fail"; readonly reason: KinesisError.Reason; readonly message?: string | undefined }
  /** The call is done, its answer never comes: it fails with `Unavailable`. */
  | { readonly _tag: "Lose" }
  /** The call is done after a while. */
  | { readonly _tag: "Delay"; readonly by: Duration.Input }
  /** The call is never answered and not done. */
  | { readonly _tag: "Hang" }
  /** `GetRecords` gives nothing although the shard has more, and goes no further. */
  | { readonly _tag: "Nothing" }
  /** `PutRecords` refuses some of its entries with AWS's code of a failure. */
  | {
      readonly _tag: "Reject"
      readonly code: string
      readonly entries: (entry: KinesisClient.Entry, index: number) => boolean
    }
  /** A subscription is silent from its n-th push on: its connection is half open. */
  | { readonly _tag: "Silence"; readonly after: number }
  /** A subscription fails after its n-th push. */
  | { readonly _tag: "Break"; readonly after: number; readonly reason: KinesisError.Reason }
  /** A subscription ends after its n-th push, as it does by itself after five minutes. */
  | { readonly _tag: "End"; readonly after: number }

/**
 * Which calls a script is for: what is absent matches all.
 *
 * @category models
 * @since 0.1.0
 */
export interface Match {
  readonly operation?: Operation | undefined
  readonly stream?: string | undefined
  readonly shardId?: string | undefined
}

/**
 * The scripts that are not used up.
 *
 * @category models
 * @since 0.1.0
 */
export interface Faults {
  readonly add: (match: Match, faults: ReadonlyArray<Fault>) => void
  /** Takes the next fault of the first script that matches. */
  readonly take: (call: Required<Match>) => Fault
}

/**
 * No faults yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Faults => {
  const scripts: Array<{ readonly match: Match; readonly faults: Array<Fault> }> = []
  return {
    add: (match, faults) => void scripts.push({ match, faults: [...faults] }),
    take: (call) => {
      const found = scripts.find(({ faults, match }) => faults.length > 0 && matches(match, call))
      return found?.faults.shift() ?? { _tag: "Pass" }
    }
  }
}

const matches = (match: Match, call: Match): boolean =>
  (match.operation === undefined || match.operation === call.operation) &&
  (match.stream === undefined || match.stream === call.stream) &&
  (match.shardId === undefined || match.shardId === call.shardId)
