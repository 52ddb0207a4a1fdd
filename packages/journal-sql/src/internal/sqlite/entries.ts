/** Reading entries back. */
import type { Entry, Filter, ParkedFilter } from "@leat/core/Journal"

import * as EntryRow from "../entryRow.ts"
import * as EscapedText from "../escapedText.ts"
import type { Page } from "../pages.ts"
import { pageSize, window } from "../pages.ts"
import type { Value } from "./Database.ts"
import { placesOf } from "./Store.ts"
import type { Store } from "./Store.ts"

export const last = ({ db, namespace }: Store): number =>
  db.get<{ readonly position: number }>("SELECT position FROM leat_namespaces WHERE id = ?", namespace)?.position ?? 0

const select = `SELECT e.place - ? AS position, ${EntryRow.columns}
  FROM leat_entries e JOIN leat_streams s ON s.id = e.stream`

/** Entries at these places, in order. */
export const at = ({ base, db }: Store, places: ReadonlyArray<number>): ReadonlyArray<Entry> =>
  places.length === 0
    ? []
    : db
        .all<EntryRow.EntryRow>(
          `${select} WHERE e.place IN (SELECT value FROM json_each(?)) ORDER BY e.place`,
          base,
          JSON.stringify(places)
        )
        .map(EntryRow.toEntry)

export const page = (store: Store, from: number, to: number, filter: Filter): Page =>
  store.db.read(() => {
    const streams = filter.keys === undefined ? undefined : streamsOf(store, filter.keys, filter.worker)
    return streams === undefined || streams.versions > fewEntries
      ? scan(store, from, Math.min(to, from + window), to, filter)
      : ofStreams(store, from, to, filter, streams.ids)
  })

/**
 * Streams with more entries than this are read by scanning the namespace: their index is not in order of commit, so
 * every page looks at all of it.
 */
const fewEntries = 20_000

const streamsOf = ({ db, namespace }: Store, keys: ReadonlyArray<string>, worker: string | undefined) => {
  const found = db.all<{ readonly id: number; readonly version: number }>(
    `SELECT id, version FROM leat_streams
      WHERE namespace = ? AND key IN (SELECT value FROM json_each(?))${worker === undefined ? "" : " AND worker = ?"}`,
    namespace,
    JSON.stringify(keys.map(EscapedText.encode)),
    ...(worker === undefined ? [] : [EscapedText.encode(worker)])
  )
  return { ids: found.map(({ id }) => id), versions: found.reduce((sum, { version }) => sum + version, 0) }
}

const scan = (store: Store, from: number, until: number, to: number, filter: Filter): Page => {
  const { base, db } = store
  const conditions = ["e.place > ?", "e.place <= ?"]
  const values: Array<Value> = [base, base + from, base + until]
  if (filter.worker !== undefined) {
    conditions.push("s.worker = ?")
    values.push(EscapedText.encode(filter.worker))
  }
  if (filter.keys !== undefined) {
    conditions.push("s.key IN (SELECT value FROM json_each(?))")
    values.push(JSON.stringify(filter.keys.map(EscapedText.encode)))
  }
  if (filter.since !== undefined) {
    conditions.push("e.at >= ?")
    values.push(filter.since)
  }
  const entries = db
    .all<EntryRow.EntryRow>(
      // The plus keeps SQLite from starting at the streams, whose entries it could not find in order.
      `${select.replace("s.id = e.stream", "s.id = +e.stream")} WHERE ${conditions.join(" AND ")} ORDER BY e.place LIMIT ${pageSize}`,
      ...values
    )
    .map(EntryRow.toEntry)
  return [entries, seen(store, entries, until, to)]
}

/** Where nothing matched there may be nothing at all: a pruning leaves gaps that would take many pages to cross. */
const seen = ({ base, db }: Store, entries: ReadonlyArray<Entry>, until: number, to: number): number => {
  const end = entries.at(-1)
  if (end !== undefined) return entries.length < pageSize ? until : end.position
  const next = db.get<{ readonly place: number | null }>(
    "SELECT min(place) AS place FROM leat_entries WHERE place > ? AND place <= ?",
    base + until,
    base + to
  )?.place
  return next === null || next === undefined ? to : next - base - 1
}

const placesOfStreams = `SELECT place FROM leat_entries
  WHERE stream IN (SELECT value FROM json_each(?)) AND place > ? AND place <= ? ORDER BY place LIMIT ${pageSize}`

const ofStreams = (store: Store, from: number, to: number, { since }: Filter, streams: ReadonlyArray<number>): Page => {
  const { base, db } = store
  const places = db
    .all<{ readonly place: number }>(placesOfStreams, JSON.stringify(streams), base + from, base + to)
    .map(({ place }) => place)
  const entries = at(store, places)
  return [
    since === undefined ? entries : entries.filter((entry) => entry.at >= since),
    places.length < pageSize ? to : (places.at(-1) ?? 0) - base
  ]
}

export const parked = (store: Store, worker: string, filter: ParkedFilter = {}): ReadonlyArray<Entry> => {
  const { after = 0, key, limit = 100 } = filter
  const { base, db, namespace } = store
  return db
    .all<EntryRow.EntryRow>(
      `${select} JOIN leat_parked p ON p.place = e.place AND p.stream = e.stream
        WHERE s.namespace = ? AND s.worker = ? AND s.parked > 0 AND p.place > ?${key === undefined ? "" : " AND s.key = ?"}
        ORDER BY p.place LIMIT ?`,
      base,
      namespace,
      EscapedText.encode(worker),
      base + after,
      ...(key === undefined ? [] : [EscapedText.encode(key)]),
      limit
    )
    .map(EntryRow.toEntry)
}

/** Entries after a position up to another, at most a page: what inline views fold. */
export const after = (store: Store, from: number, to: number): ReadonlyArray<Entry> =>
  store.db
    .all<EntryRow.EntryRow>(
      `${select} WHERE e.place > ? AND e.place <= ? ORDER BY e.place LIMIT ${pageSize}`,
      store.base,
      store.base + from,
      store.base + Math.min(to, placesOf - 1)
    )
    .map(EntryRow.toEntry)
