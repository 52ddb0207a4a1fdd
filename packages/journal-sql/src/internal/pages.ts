/** Streams of entries out of pages, so that a reader of a million entries holds a thousand. */
import type { Entry, Filter, JournalError } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

/** Entries that match, in order, and the position up to which it was looked. */
export type Page = readonly [entries: ReadonlyArray<Entry>, seen: number]

export interface Pages {
  /** Position of the last entry that was ever committed. */
  readonly last: Effect.Effect<number, JournalError>
  /** What matches of the entries after `from`, up to `to`; it may stop before, but not at `from`. */
  readonly page: (from: number, to: number, filter: Filter) => Effect.Effect<Page, JournalError>
  /** Ends when something was committed after the position, with the last one. */
  readonly moved: (position: number) => Effect.Effect<number, JournalError>
}

/** Most entries of a page. */
export const pageSize = 1_000

/** Most positions a page looks at: a filter that matches nothing must not keep a database busy for long. */
export const window = 10_000

export const read = (pages: Pages, from: number, filter: Filter = {}): Stream.Stream<Entry, JournalError> =>
  Stream.unwrap(
    Effect.map(pages.last, (end) =>
      Stream.unfold(from, (cursor) => (cursor >= end ? Effect.undefined : pages.page(cursor, end, filter))).pipe(
        Stream.flattenIterable
      )
    )
  )

export const subscribe = (pages: Pages, from: number, filter: Filter = {}): Stream.Stream<Entry, JournalError> =>
  Stream.unfold(from, (cursor) => Effect.flatMap(pages.moved(cursor), (last) => pages.page(cursor, last, filter))).pipe(
    Stream.flattenIterable
  )
