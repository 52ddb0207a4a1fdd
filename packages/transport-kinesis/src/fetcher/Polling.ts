/**
 * Reads shards with `GetRecords`.
 *
 * **Guarantees.** Those of `Fetcher`. A shard is asked at most every 200 ms, pays back large pages (2 MiB a second), and
 * rests after a throttled call. LATEST is resolved once; a time is kept through every renewal of an iterator. What may
 * succeed later is tried for ever, and told as an event; what may not fails the stream.
 *
 * **Gotchas.** All applications that poll a stream share 5 reads and 2 MiB a second of each shard. With more than two of
 * them, or where 200 ms count, take enhanced fan-out.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import type * as Stream from "effect/Stream"

import * as Fetcher from "../Fetcher.ts"
import * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Cursor from "./Cursor.ts"
import * as Pace from "./Pace.ts"
import * as ReadAhead from "./ReadAhead.ts"
import * as Verdict from "./Verdict.ts"
import * as Void from "./Void.ts"

/**
 * How to poll.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Reads of a shard behind the tip, at most. AWS answers 5 to all readers together. Default 5. */
  readonly readsPerSecond?: number | undefined
  /**
   * Bytes of a shard a second, at most: a page that is larger is paid back by waiting. AWS gives 2 MiB to all readers
   * together, which is the default; `Infinity` for a stream that has no such limit.
   */
  readonly bytesPerSecond?: number | undefined
  /** Between reads at the tip. Default 1 second, as the KCL does: it leaves room for four other readers. */
  readonly idleInterval?: Duration.Input | undefined
  /** Largest page in records, at most 10,000. Default 10,000. */
  readonly maxRecords?: number | undefined
  /** What may be read ahead of a slow consumer. */
  readonly readAhead?: ReadAhead.Bounds | undefined
}

/**
 * A fetcher that polls.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  client: KinesisClient.KinesisClient["Service"],
  options: Options = {}
): Fetcher.Fetcher["Service"] => {
  const maxRecords = Math.min(options.maxRecords ?? 10_000, 10_000)
  const rates = {
    readInterval: 1000 / (options.readsPerSecond ?? 5),
    idleInterval: Duration.toMillis(options.idleInterval ?? "1 second"),
    bytesPerSecond: options.bytesPerSecond
  }
  return {
    name: "polling",
    read: (request): Stream.Stream<Fetcher.Page, KinesisError.KinesisError> => {
      const shard = open({ client, rates, request })
      return ReadAhead.make(options.readAhead, (room) => next(shard, Math.min(maxRecords, room)))
    }
  }
}

/**
 * Polls.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<Fetcher.Fetcher, never, KinesisClient.KinesisClient> =>
  Layer.effect(
    Fetcher.Fetcher,
    Effect.map(KinesisClient.KinesisClient, (client) => make(client, options))
  )

// Iterators expire after 5 minutes: https://docs.aws.amazon.com/kinesis/latest/APIReference/API_GetShardIterator.html
const iteratorLife = 270_000

interface Reading {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly rates: Pace.Rates
  readonly request: Fetcher.Request
}

interface Shard extends Reading {
  cursor: Cursor.Cursor
  iterator: { readonly value: string; readonly at: number } | undefined
  due: number
  failures: number
  /** Empty pages in a row that are as far behind as a stream can be. */
  voids: number
  ended: boolean
}

const open = (reading: Reading): Shard => ({
  ...reading,
  cursor: Cursor.make(reading.request.from),
  iterator: undefined,
  due: 0,
  failures: 0,
  voids: 0,
  ended: false
})

/** The next page, however often it takes to get it. */
const next = (shard: Shard, limit: number): Effect.Effect<Fetcher.Page | undefined, KinesisError.KinesisError> =>
  Effect.suspend(() =>
    shard.ended
      ? Effect.undefined
      : Effect.catchTag(once(shard, limit), "KinesisError", (error) =>
          Effect.andThen(mend(shard, error), next(shard, limit))
        )
  )

const once = Effect.fnUntraced(function* (shard: Shard, limit: number) {
  const now = yield* Clock.currentTimeMillis
  if (shard.due > now) yield* Effect.sleep(shard.due - now)
  const iterator = yield* iteratorOf(shard)
  const askedAt = yield* Clock.currentTimeMillis
  const page = yield* shard.client.getRecords(iterator, limit)
  const { millisBehindLatest } = page
  shard.failures = 0
  shard.due = Pace.afterPage(shard.rates, { askedAt, bytes: Pace.sizeOf(page.records), millisBehindLatest })
  shard.iterator = page.next === undefined ? undefined : { value: page.next, at: askedAt }
  shard.ended = page.next === undefined
  yield* leaveVoid(shard, page)
  return { records: accept(shard, page.records), millisBehindLatest }
})

const iteratorOf = Effect.fnUntraced(function* (shard: Shard) {
  const now = yield* Clock.currentTimeMillis
  if (shard.iterator !== undefined && now - shard.iterator.at < iteratorLife) return shard.iterator.value
  const { shardId, stream } = shard.request
  shard.cursor = Cursor.renew(shard.cursor)
  const value = yield* shard.client.getShardIterator(stream, shardId, Cursor.start(shard.cursor))
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

const report = ({ request }: Shard, error: KinesisError.KinesisError): void =>
  request.onEvent({ _tag: "FetchFailed", shardId: request.shardId, error })

const tellTrimmed = ({ request }: Shard, position: string, resumed?: string): void =>
  request.onEvent({ _tag: "RecordsTrimmed", shardId: request.shardId, position, resumed })

/** Gets the shard ready for another try, or fails. */
const mend = Effect.fnUntraced(function* (shard: Shard, error: KinesisError.KinesisError) {
  const { request } = shard
  shard.failures += 1
  const verdict = Verdict.judge(error, Cursor.start(shard.cursor), yield* Clock.currentTimeMillis)
  if (verdict === "Fail") return yield* error
  if (verdict === "Renew") request.onEvent({ _tag: "IteratorRenewed", shardId: request.shardId })
  else if (verdict === "Retry") report(shard, error)
  if (verdict !== "Retry") shard.iterator = undefined
  if (verdict === "Oldest") leaveExpired(shard)
  // One expired iterator is replaced at once; a second in a row has another cause, and is not to spin.
  if (verdict === "Renew" && shard.failures === 1) return undefined
  yield* Effect.sleep(Pace.rest(error.reason, shard.failures, yield* Random.next))
  return undefined
})

const leaveExpired = (shard: Shard): void => {
  const start = Cursor.start(shard.cursor)
  if ("sequenceNumber" in start) tellTrimmed(shard, start.sequenceNumber)
  shard.cursor = Cursor.toOldest(shard.cursor)
}

const leaveVoid = Effect.fnUntraced(function* (shard: Shard, page: KinesisClient.Page) {
  const start = Cursor.start(shard.cursor)
  shard.voids = Void.isDeep(page) && "sequenceNumber" in start ? shard.voids + 1 : 0
  if (!("sequenceNumber" in start) || !Void.isDue(shard.voids)) return
  const summary = yield* Effect.option(
    Effect.tapError(shard.client.describeStreamSummary(shard.request.stream), (error) =>
      Effect.sync(() => report(shard, error))
    )
  )
  if (Option.isNone(summary) || !Void.isBeyond(page, summary.value.retention)) return
  shard.voids = 0
  shard.iterator = undefined
  leaveExpired(shard)
})
