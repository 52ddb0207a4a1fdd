/**
 * What AWS makes of a function's answer to a batch.
 *
 * The table is that of `ReportBatchItemFailures` as recorded against AWS: an empty answer in any form is success, and
 * an identifier that is not in the batch fails all of it.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
 * @since 0.1.0
 */
import * as SequenceNumber from "../SequenceNumber.ts"

/**
 * What happens to the batch: all of it is done, all from `index` on is sent again, or all of it is. `Throttled`: the call
 * did not reach the function, and does not count.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict =
  | { readonly _tag: "Settled" }
  | { readonly _tag: "From"; readonly index: number }
  | { readonly _tag: "Failed"; readonly functionError: "Unhandled" | null }
  | { readonly _tag: "Throttled" }

/**
 * Every record is done.
 *
 * @category constructors
 * @since 0.1.0
 */
export const settled: Verdict = { _tag: "Settled" }

/**
 * The function threw, or did not answer in time.
 *
 * @category constructors
 * @since 0.1.0
 */
export const thrown: Verdict = { _tag: "Failed", functionError: "Unhandled" }

/**
 * The answer names something that is not in the batch, or lacks the state of a tumbling window.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unreadable: Verdict = { _tag: "Failed", functionError: null }

/**
 * The call did not reach the function.
 *
 * @category constructors
 * @since 0.1.0
 */
export const throttled: Verdict = { _tag: "Throttled" }

/**
 * The verdict on an answer (a JSON value) to a batch of these sequence numbers.
 *
 * **Details**
 *
 * An answer without `batchItemFailures` is success, whatever else it holds: a function that forgets it loses its
 * failures. The lowest number reported counts, in the shard's order and not in the report's.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromAnswer = (batch: ReadonlyArray<string>, answer: unknown): Verdict => {
  if (typeof answer !== "object" || answer === null || !("batchItemFailures" in answer)) return settled
  const failures = answer.batchItemFailures
  if (failures === null || failures === undefined) return settled
  if (!Array.isArray(failures)) return unreadable
  const numbers = failures.map(identifier)
  const sent = new Set(batch)
  const known = numbers.filter((number) => number !== undefined && sent.has(number))
  if (known.length < numbers.length) return unreadable
  const lowest = SequenceNumber.lowest(known.filter((number) => number !== undefined))
  return lowest === undefined ? settled : { _tag: "From", index: batch.indexOf(lowest) }
}

const identifier = (failure: unknown): string | undefined =>
  typeof failure === "object" &&
  failure !== null &&
  "itemIdentifier" in failure &&
  typeof failure.itemIdentifier === "string"
    ? failure.itemIdentifier
    : undefined
