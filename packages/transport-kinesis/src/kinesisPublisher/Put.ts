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
 * An entry that is not `isWanted` any more when its half is sent is left out, as {@link Verdict.stopped}.
 *
 * @category running
 * @since 0.1.0
 */
export const records = (
  client: KinesisClient.KinesisClient["Service"],
  stream: string,
  entries: ReadonlyArray<KinesisClient.Entry>,
  isWanted: (index: number) => boolean = () => true
): Effect.Effect<ReadonlyArray<Result>> =>
  Effect.suspend(() => {
    const places = entries.map((entry, index) => ({ entry, index }))
    const results: Array<Result> = entries.map(() => Verdict.stopped)
    let halvesLeft = mostHalves
    const put = (asked: typeof places): Effect.Effect<void> =>
      client
        .putRecords(
          stream,
          asked.map(({ entry }) => entry)
        )
        .pipe(
          Effect.map((puts) => asked.forEach(({ index }, place) => void (results[index] = resultOf(puts[place])))),
          Effect.catchTag("KinesisError", (error) => {
            if (error.reason !== "Invalid" || asked.length === 1 || halvesLeft < 2) {
              const fault = Verdict.failed(error)
              for (const { index } of asked) results[index] = fault
              return Effect.void
            }
            halvesLeft -= 2
            const middle = asked.length >> 1
            return Effect.andThen(putWanted(asked.slice(0, middle)), putWanted(asked.slice(middle)))
          })
        )
    const putWanted = (half: typeof places): Effect.Effect<void> =>
      Effect.suspend(() => {
        const wanted = half.filter(({ index }) => isWanted(index))
        return wanted.length === 0 ? Effect.void : put(wanted)
      })
    return Effect.as(put(places), results)
  })

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
