/**
 * Reads one shard page by page with `GetRecords`: with iterators that never grow old, and over whatever goes wrong.
 *
 * **Guarantees.** No record is given twice, and none is left out that the stream still has. What may succeed later is tried
 * for ever, and told as an event; what may not fails. A position whose record has expired goes on at the oldest record
 * that is left, aloud.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Random from "effect/Random"

import type * as Fetcher from "../Fetcher.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Cursor from "./Cursor.ts"
import * as Pace from "./Pace.ts"
import * as Verdict from "./Verdict.ts"
import * as Void from "./Void.ts"

/**
 * What to read, and how fast.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<Fetcher.Request, "from"> {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly cursor: Cursor.Cursor
  readonly rates: Pace.Rates
}

/**
 * A reader. It has one user, which reads in turn, and not before the shard is due.
 *
 * @category models
 * @since 0.1.0
 */
export interface PageReader {
  /** When the shard may be asked next, in epoch milliseconds. */
  readonly due: () => number
  /** The next page of at most so many records, however often it takes to get it. After one without `next` there is none. */
  readonly read: (limit: number) => Effect.Effect<KinesisClient.Page, KinesisError.KinesisError>
}

/**
 * A reader that begins at its cursor.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): PageReader => {
  const shard: Shard = { options, cursor: options.cursor, iterator: undefined, due: 0, failures: 0, voids: 0 }
  return { due: () => shard.due, read: (limit) => read(shard, limit) }
}

// Iterators expire after 5 minutes: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
const iteratorLife = 270_000

interface Shard {
  readonly options: Options
  cursor: Cursor.Cursor
  iterator: { readonly value: string; readonly at: number } | undefined
  due: number
  failures: number
  /** Empty pages in a row that are as far behind as a stream can be. */
  voids: number
}

const read = (shard: Shard, limit: number): Effect.Effect<KinesisClient.Page, KinesisError.KinesisError> =>
  Effect.catchTag(once(shard, limit), "KinesisError", (error) =>
    Effect.andThen(
      mend(shard, error),
      Effect.suspend(() => read(shard, limit))
    )
  )

const once = Effect.fnUntraced(function* (shard: Shard, limit: number) {
  const { client, rates } = shard.options
  const iterator = yield* iteratorOf(shard)
  const askedAt = yield* Clock.currentTimeMillis
  const page = yield* client.getRecords(iterator, limit)
  const { millisBehindLatest, next } = page
  shard.failures = 0
  shard.due = Pace.afterPage(rates, { askedAt, bytes: Pace.sizeOf(page.records), millisBehindLatest })
  shard.iterator = next === undefined ? undefined : { value: next, at: askedAt }
  yield* leaveVoid(shard, page)
  return { ...page, records: accept(shard, page.records) }
})

const iteratorOf = Effect.fnUntraced(function* (shard: Shard) {
  const now = yield* Clock.currentTimeMillis
  if (shard.iterator !== undefined && now - shard.iterator.at < iteratorLife) return shard.iterator.value
  const { client, shardId, stream } = shard.options
  shard.cursor = Cursor.renew(shard.cursor)
  const value = yield* client.getShardIterator(stream, shardId, Cursor.start(shard.cursor))
  shard.cursor = Cursor.resolve(shard.cursor, now)
  shard.iterator = { value, at: now }
  return value
})

const accept = (shard: Shard, page: ReadonlyArray<KinesisClient.Record>): ReadonlyArray<KinesisClient.Record> => {
  const { delivered } = shard.cursor
  const { cursor, gap, records } = Cursor.accept(shard.cursor, page)
  shard.cursor = cursor
  if (gap !== undefined && delivered !== undefined) tellTrimmed(shard, delivered, gap)
  return records
}

const report = ({ options: { onEvent, shardId } }: Shard, error: KinesisError.KinesisError): void =>
  onEvent({ _tag: "FetchFailed", shardId, error })

const tellTrimmed = ({ options: { onEvent, shardId } }: Shard, position: string, resumed?: string): void =>
  onEvent({ _tag: "RecordsTrimmed", shardId, position, resumed })

/** Gets the shard ready for another try, or fails. */
const mend = Effect.fnUntraced(function* (shard: Shard, error: KinesisError.KinesisError) {
  const { onEvent, shardId } = shard.options
  shard.failures += 1
  const verdict = Verdict.judge(error, Cursor.start(shard.cursor), yield* Clock.currentTimeMillis)
  if (verdict === "Fail") return yield* error
  if (verdict === "Renew") onEvent({ _tag: "IteratorRenewed", shardId })
  else if (verdict === "Retry") report(shard, error)
  if (verdict !== "Retry") shard.iterator = undefined
  if (verdict === "Oldest") leaveExpired(shard)
  // One expired iterator is replaced at once; a second in a row has another cause, and is not to spin.
  if (verdict === "Renew" && shard.failures === 1) return undefined
  yield* Effect.sleep(Pace.rest(error.reason, shard.failures, yield* Random.next))
  return undefined
})

/** Where something was delivered, the first record that is left will tell, and say from where it goes on. */
const leaveExpired = (shard: Shard): void => {
  const start = Cursor.start(shard.cursor)
  if ("sequenceNumber" in start && shard.cursor.delivered === undefined) tellTrimmed(shard, start.sequenceNumber)
  shard.cursor = Cursor.toOldest(shard.cursor)
}

const leaveVoid = Effect.fnUntraced(function* (shard: Shard, page: KinesisClient.Page) {
  const { client, stream } = shard.options
  const start = Cursor.start(shard.cursor)
  shard.voids = Void.isDeep(page) && "sequenceNumber" in start ? shard.voids + 1 : 0
  if (!("sequenceNumber" in start) || !Void.isDue(shard.voids)) return
  const summary = yield* Effect.option(
    Effect.tapError(client.describeStreamSummary(stream), (error) => Effect.sync(() => report(shard, error)))
  )
  if (Option.isNone(summary) || !Void.isBeyond(page, summary.value.retention)) return
  shard.voids = 0
  shard.iterator = undefined
  leaveExpired(shard)
})
