/** Reading entries back. */
import type { Entry, Filter, JournalError, ParkedFilter } from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import * as EntryRow from "../entryRow.ts"
import * as EscapedText from "../escapedText.ts"
import type * as Fault from "../fault.ts"
import type { Page } from "../pages.ts"
import { pageSize, window } from "../pages.ts"
import type { Session } from "./Connection.ts"
import * as Names from "./names.ts"
import { numbers, texts } from "./parameters.ts"
import { decode } from "./Store.ts"
import type { Store } from "./Store.ts"

/** Positions and times are numbers here: exact up to 2^53. */
const columns = EntryRow.columns
  .replace(/e\.(version|resolves|at)\b/g, "e.$1::double precision")
  .replace("s.key", "coalesce(s.long_key, s.key) AS key")

const select = `SELECT e.position::double precision, ${columns}
  FROM leat_entries e JOIN leat_streams s ON s.id = e.stream`

const entriesOf = (
  session: Session,
  operation: Fault.Operation,
  where: string,
  values: ReadonlyArray<unknown>
): Effect.Effect<ReadonlyArray<Entry>, JournalError> =>
  Effect.flatMap(session.query<EntryRow.EntryRow>(operation, `${select} ${where}`, values), (rows) =>
    decode(operation, () => rows.map(EntryRow.toEntry))
  )

interface Position {
  readonly position: number | null
}

const positionOf = (
  session: Session,
  sql: string,
  values: ReadonlyArray<unknown>
): Effect.Effect<number | undefined, JournalError> =>
  Effect.map(session.query<Position>("read", sql, values), ([row]) => row?.position ?? undefined)

export const last = ({ connection, namespace }: Store): Effect.Effect<number, JournalError> =>
  Effect.map(
    positionOf(connection, "SELECT position::double precision FROM leat_namespaces WHERE id = $1", [namespace]),
    (position) => position ?? 0
  )

/** Entries at these positions, in order. */
export const at = (
  { connection, namespace }: Store,
  operation: Fault.Operation,
  positions: ReadonlyArray<number>
): Effect.Effect<ReadonlyArray<Entry>, JournalError> =>
  positions.length === 0
    ? Effect.succeed([])
    : entriesOf(
        connection,
        operation,
        "WHERE e.namespace = $1 AND e.position = ANY ($2::double precision[]::bigint[]) ORDER BY e.position",
        [namespace, numbers(positions)]
      )

export const page = (store: Store, from: number, to: number, filter: Filter): Effect.Effect<Page, JournalError> =>
  Effect.gen(function* () {
    if (filter.keys === undefined) return yield* scan(store, from, to, filter)
    const streams = yield* streamsOf(store, filter.keys, filter.worker)
    if (streams.versions > fewEntries) return yield* scan(store, from, to, filter)
    return yield* ofStreams(store, from, to, filter, streams.ids)
  })

/**
 * Streams with more entries than this are read by scanning the namespace: their index is not in order of commit, so
 * every page looks at all of it.
 */
const fewEntries = 20_000

const streamsOf = ({ connection, namespace }: Store, keys: ReadonlyArray<string>, worker: string | undefined) =>
  Effect.map(
    connection.query<{ readonly id: number; readonly version: number }>(
      "read",
      `SELECT id::double precision, version::double precision FROM leat_streams
        WHERE namespace = $1 AND key = ANY ($2)${worker === undefined ? "" : " AND worker = $3"}`,
      [namespace, texts(keys.map(Names.indexed)), ...(worker === undefined ? [] : [EscapedText.encode(worker)])]
    ),
    (found) => ({ ids: found.map(({ id }) => id), versions: found.reduce((sum, { version }) => sum + version, 0) })
  )

const scan = (store: Store, from: number, to: number, filter: Filter): Effect.Effect<Page, JournalError> =>
  Effect.gen(function* () {
    const { connection, namespace } = store
    const until = Math.min(to, from + window)
    const values: Array<unknown> = [namespace, from, until]
    const also = (condition: string, value: unknown) => ` AND ${condition.replace("?", `$${values.push(value)}`)}`
    const conditions =
      (filter.worker === undefined ? "" : also("s.worker = ?", EscapedText.encode(filter.worker))) +
      (filter.keys === undefined ? "" : also("s.key = ANY (?)", texts(filter.keys.map(Names.indexed)))) +
      (filter.since === undefined ? "" : also("e.at >= ?::double precision", filter.since))
    const where = `WHERE e.namespace = $1 AND e.position > $2 AND e.position <= $3${conditions}`
    const entries = yield* entriesOf(connection, "read", `${where} ORDER BY e.position LIMIT ${pageSize}`, values)
    return [entries, yield* seen(store, entries, until, to)] as const
  })

/** Where nothing matched there may be nothing at all: a pruning leaves gaps that would take many pages to cross. */
const seen = ({ connection, namespace }: Store, entries: ReadonlyArray<Entry>, until: number, to: number) => {
  const end = entries.at(-1)
  if (end !== undefined) return Effect.succeed(entries.length < pageSize ? until : end.position)
  return Effect.map(
    positionOf(
      connection,
      `SELECT min(position)::double precision AS position FROM leat_entries
        WHERE namespace = $1 AND position > $2 AND position <= $3`,
      [namespace, until, to]
    ),
    (next) => (next === undefined ? to : next - 1)
  )
}

const positionsOfStreams = `SELECT e.position::double precision FROM leat_entries e
  WHERE e.stream = ANY ($1::double precision[]::bigint[]) AND e.position > $2 AND e.position <= $3
  ORDER BY e.position LIMIT ${pageSize}`

const ofStreams = (
  store: Store,
  from: number,
  to: number,
  { since }: Filter,
  streams: ReadonlyArray<number>
): Effect.Effect<Page, JournalError> =>
  Effect.gen(function* () {
    const found = yield* store.connection.query<{ readonly position: number }>("read", positionsOfStreams, [
      numbers(streams),
      from,
      to
    ])
    const positions = found.map(({ position }) => position)
    const entries = yield* at(store, "read", positions)
    return [
      since === undefined ? entries : entries.filter((entry) => entry.at >= since),
      positions.length < pageSize ? to : (positions.at(-1) ?? to)
    ] as const
  })

export const parked = (
  { connection, namespace }: Store,
  worker: string,
  { after = 0, key, limit = 100 }: ParkedFilter = {}
): Effect.Effect<ReadonlyArray<Entry>, JournalError> =>
  entriesOf(
    connection,
    "parked",
    `JOIN leat_parked p ON p.stream = e.stream AND p.position = e.position
      WHERE s.namespace = $1 AND e.namespace = $1 AND s.worker = $2 AND s.parked > 0 AND p.position > $3
        ${key === undefined ? "" : "AND s.key = $5"}
      ORDER BY p.position LIMIT $4`,
    [namespace, EscapedText.encode(worker), after, limit, ...(key === undefined ? [] : [Names.indexed(key)])]
  )

/** Entries after a position, at most a page: what inline views fold. */
export const after = (
  { namespace }: Store,
  session: Session,
  from: number
): Effect.Effect<ReadonlyArray<Entry>, JournalError> =>
  entriesOf(session, "commit", `WHERE e.namespace = $1 AND e.position > $2 ORDER BY e.position LIMIT ${pageSize}`, [
    namespace,
    from
  ])
