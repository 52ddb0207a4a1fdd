/**
 * One `PutRecords` with a result for each entry, whatever came back.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../KinesisClient.ts"
import * as Verdict from "./Verdict.ts"

/**
 * What became of an entry: the shard that took it, or why none did.
 *
 * @category models
 * @since 0.1.0
 */
export type Result = { readonly shardId: string } | Verdict.Fault

/**
 * Puts entries; the result at `i` belongs to `entries[i]`.
 *
 * **Details**
 *
 * AWS refuses a whole request as invalid for one entry in it. So that nobody's entry fails for another's, it is sent again
 * in halves until the bad one is alone: 18 requests for one of 500. After {@link mostHalves} what is left fails together.
 *
 * @category running
 * @since 0.1.0
 */
export const records = (
  client: KinesisClient.KinesisClient["Service"],
  stream: string,
  entries: ReadonlyArray<KinesisClient.Entry>,
  halves: { left: number } = { left: mostHalves }
): Effect.Effect<ReadonlyArray<Result>> =>
  client.putRecords(stream, entries).pipe(
    Effect.map((puts) => entries.map((_, index) => resultOf(puts[index]))),
    Effect.catchTag("KinesisError", (error): Effect.Effect<ReadonlyArray<Result>> => {
      if (error.reason !== "Invalid" || entries.length === 1 || halves.left < 2) {
        const fault = Verdict.failed(error)
        return Effect.succeed(entries.map(() => fault))
      }
      halves.left -= 2
      const middle = entries.length >> 1
      const first = records(client, stream, entries.slice(0, middle), halves)
      const second = Effect.suspend(() => records(client, stream, entries.slice(middle), halves))
      return Effect.zipWith(first, second, (a, b) => [...a, ...b])
    })
  )

/**
 * Requests that the search for invalid entries may take.
 *
 * @category constants
 * @since 0.1.0
 */
export const mostHalves = 64

const resultOf = (put: KinesisClient.Put | undefined): Result => {
  if (put === undefined) return { reason: "Unavailable", message: "the answer has no result for this entry" }
  return put._tag === "Accepted" ? { shardId: put.shardId } : Verdict.rejected(put)
}
