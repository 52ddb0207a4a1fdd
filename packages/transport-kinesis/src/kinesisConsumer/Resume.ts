/**
 * Where a shard is read on from a checkpoint, and what of the first page was done before: pure.
 *
 * The record of the checkpoint itself is asked for again, though it is done. When it is not there any more, the stream has
 * trimmed it, and may have trimmed what followed: Kinesis says nothing of it, and goes on at the oldest record that is left.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"
import * as SequenceNumber from "../SequenceNumber.ts"
import type * as ShardPosition from "../ShardPosition.ts"

/**
 * A position to read on from.
 *
 * @category models
 * @since 0.1.0
 */
export type Resumable = Exclude<ShardPosition.ShardPosition, { readonly _tag: "End" }>

/**
 * Where Kinesis is asked to begin.
 *
 * @category getters
 * @since 0.1.0
 */
export const from = (position: Resumable): KinesisClient.Position =>
  position._tag === "After" ? { _tag: "At", sequenceNumber: position.sequenceNumber } : position

/**
 * The records of the first page that are not done, all of their parts.
 *
 * @category getters
 * @since 0.1.0
 */
export const rest = (
  position: Resumable,
  records: ReadonlyArray<KinesisClient.Record>
): ReadonlyArray<KinesisClient.Record> => {
  if (position._tag !== "After") return records
  const { sequenceNumber, subSequence } = position
  return records.filter((record) =>
    subSequence !== undefined && record.sequenceNumber === sequenceNumber
      ? true
      : SequenceNumber.isBefore(sequenceNumber, record.sequenceNumber)
  )
}

/**
 * The first record that there is, when the checkpoint's own is gone.
 *
 * @category getters
 * @since 0.1.0
 */
export const gap = (position: Resumable, records: ReadonlyArray<KinesisClient.Record>): string | undefined => {
  const [first] = records
  if (position._tag !== "After" || first === undefined) return undefined
  return SequenceNumber.isBefore(position.sequenceNumber, first.sequenceNumber) ? first.sequenceNumber : undefined
}
