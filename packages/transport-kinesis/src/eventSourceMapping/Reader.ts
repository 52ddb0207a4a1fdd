/**
 * Reads one shard for a mapping: when it is asked to, so that a read that shows an empty shard is known to have begun after
 * the question.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import * as Cursor from "../fetcher/Cursor.ts"
import * as PageReader from "../fetcher/PageReader.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"

/**
 * A reader of one shard. It has one user, which reads in turn.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reader {
  /** Waits until the next read is due, at most until `deadline` (epoch milliseconds); whether it is due. */
  readonly pause: (deadline: number | undefined) => Effect.Effect<boolean>
  readonly read: Effect.Effect<KinesisClient.Page, KinesisError.KinesisError>
}

/**
 * What a reader needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<PageReader.Options, "cursor" | "rates"> {
  readonly start: KinesisClient.Position
  /** Milliseconds between reads at the tip. */
  readonly pollInterval: number
}

// A shard answers 5 reads a second, all readers together; behind the tip we take them all.
const fastest = 200

const pageLimit = 10_000

/**
 * A reader that begins at `start`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = ({ pollInterval, start, ...options }: Options): Reader => {
  const rates = { readInterval: Math.min(fastest, pollInterval), idleInterval: pollInterval }
  const pages = PageReader.make({ ...options, rates, cursor: cursorAt(start) })
  return { pause: (deadline) => pause(pages, deadline), read: pages.read(pageLimit) }
}

/** A record that was done counts as delivered: that it is gone from the stream is worth an event. */
const cursorAt = (start: KinesisClient.Position): Cursor.Cursor => ({
  ...Cursor.make(start),
  delivered: start._tag === "After" ? start.sequenceNumber : undefined
})

const pause = Effect.fnUntraced(function* (pages: PageReader.PageReader, deadline: number | undefined) {
  const now = yield* Clock.currentTimeMillis
  const until = Math.min(pages.due(), deadline ?? Infinity)
  if (until > now) yield* Effect.sleep(until - now)
  return pages.due() <= (deadline ?? Infinity)
})
