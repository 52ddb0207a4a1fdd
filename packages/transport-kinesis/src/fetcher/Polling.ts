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
import type * as Stream from "effect/Stream"

import * as Fetcher from "../Fetcher.ts"
import * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Cursor from "./Cursor.ts"
import * as PageReader from "./PageReader.ts"
import * as ReadAhead from "./ReadAhead.ts"

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
    read: ({ from, ...request }): Stream.Stream<Fetcher.Page, KinesisError.KinesisError> => {
      const next = pages(PageReader.make({ ...request, client, rates, cursor: Cursor.make(from) }))
      return ReadAhead.make(options.readAhead, (room) => next(Math.min(maxRecords, room)))
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

/** The next page when the shard is due; none behind the last. */
const pages = (reader: PageReader.PageReader) => {
  let ended = false
  return Effect.fnUntraced(function* (
    limit: number
  ): Effect.fn.Return<Fetcher.Page | undefined, KinesisError.KinesisError> {
    if (ended) return undefined
    const wait = reader.due() - (yield* Clock.currentTimeMillis)
    if (wait > 0) yield* Effect.sleep(wait)
    const { millisBehindLatest, next, records } = yield* reader.read(limit)
    ended = next === undefined
    return { records, millisBehindLatest }
  })
}
