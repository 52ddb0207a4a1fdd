/**
 * How far a shard was delivered, and where reading goes on when an iterator or a subscription is lost: pure.
 *
 * The last delivered record is asked for again, although it was delivered: when it does not come, the stream has trimmed it,
 * and perhaps what followed. Kinesis says nothing of that.
 *
 * @since 0.1.0
 */
import type * as KinesisClient from "../KinesisClient.ts"
import * as SequenceNumber from "../SequenceNumber.ts"

/**
 * Where reading stands.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cursor {
  readonly position: KinesisClient.Position
  /** The last record that was delivered. */
  readonly delivered: string | undefined
  /** Whether what comes next follows a new beginning, which may lie before `delivered` or leave a gap. */
  readonly fresh: boolean
}

/**
 * Nothing was delivered yet.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (position: KinesisClient.Position): Cursor => ({ position, delivered: undefined, fresh: true })

/**
 * LATEST says something else each time it is asked: once it was, it is the moment at which it was asked.
 *
 * @category transitions
 * @since 0.1.0
 */
export const resolve = (cursor: Cursor, askedAt: number): Cursor =>
  cursor.position._tag === "Latest" ? { ...cursor, position: { _tag: "AtTimestamp", at: askedAt } } : cursor

/**
 * Where Kinesis is to begin anew.
 *
 * @category getters
 * @since 0.1.0
 */
export const start = ({ delivered, position }: Cursor): KinesisClient.Position =>
  delivered === undefined || position._tag === "TrimHorizon" ? position : { _tag: "At", sequenceNumber: delivered }

/**
 * A new beginning.
 *
 * @category transitions
 * @since 0.1.0
 */
export const renew = (cursor: Cursor): Cursor => ({ ...cursor, fresh: true })

/**
 * A new beginning at the oldest record that is left.
 *
 * @category transitions
 * @since 0.1.0
 */
export const toOldest = (cursor: Cursor): Cursor => ({ ...cursor, position: { _tag: "TrimHorizon" }, fresh: true })

/**
 * What of a page is new, and the first record that is there when the last delivered one is gone.
 *
 * @category transitions
 * @since 0.1.0
 */
export const accept = (
  cursor: Cursor,
  records: ReadonlyArray<KinesisClient.Record>
): {
  readonly cursor: Cursor
  readonly records: ReadonlyArray<KinesisClient.Record>
  readonly gap: string | undefined
} => {
  const [first] = records
  if (first === undefined) return { cursor, records, gap: undefined }
  const { delivered, fresh } = cursor
  const news = fresh && delivered !== undefined ? records.filter(isAfter(delivered)) : records
  const gap = fresh && delivered !== undefined && isAfter(delivered)(first) ? first.sequenceNumber : undefined
  const last = news.at(-1)?.sequenceNumber ?? delivered
  const position = last === undefined ? cursor.position : ({ _tag: "After", sequenceNumber: last } as const)
  // A beginning that lies pages before `delivered` is over when it has come up to it.
  const isBehind = fresh && delivered !== undefined && records.every(isBefore(delivered))
  return { cursor: { position, delivered: last, fresh: isBehind }, records: news, gap }
}

const isBefore =
  (delivered: string) =>
  ({ sequenceNumber }: KinesisClient.Record): boolean =>
    SequenceNumber.isBefore(sequenceNumber, delivered)

const isAfter =
  (delivered: string) =>
  ({ sequenceNumber }: KinesisClient.Record): boolean =>
    SequenceNumber.isBefore(delivered, sequenceNumber)
