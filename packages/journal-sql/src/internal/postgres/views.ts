/** The views of projections, in the same database. */
import type { JournalError } from "@leat/core/Journal"
import type * as Projection from "@leat/core/Projection"
import type { Standing, ViewId, ViewStore } from "@leat/core/View"
import * as Effect from "effect/Effect"

import * as EscapedText from "../escapedText.ts"
import type * as Fault from "../fault.ts"
import type { Session } from "./Connection.ts"
import * as Names from "./names.ts"
import { texts } from "./parameters.ts"
import type { Store } from "./Store.ts"

export interface ViewRow extends Standing {
  readonly id: number
}

const columns = "id::double precision, generation, position::double precision"

const ofView = "namespace = $1 AND name = $2 AND version = $3"

const nameOf = ({ namespace }: Store, view: ViewId): ReadonlyArray<unknown> => [
  namespace,
  EscapedText.encode(view.name),
  view.version
]

export const serving = (
  store: Store,
  session: Session,
  operation: Fault.Operation,
  view: ViewId,
  lock: "" | "FOR UPDATE" = ""
): Effect.Effect<ViewRow | undefined, JournalError> =>
  Effect.map(
    session.query<ViewRow>(
      operation,
      `SELECT ${columns} FROM leat_views WHERE ${ofView} AND serves ${lock}`,
      nameOf(store, view)
    ),
    ([found]) => found
  )

/** Who begins, swaps or drops generations of a view is alone with it. */
const alone = <A>(
  store: Store,
  view: ViewId,
  body: (session: Session) => Effect.Effect<A, JournalError>
): Effect.Effect<A, JournalError> =>
  store.connection.transaction("view", (session) => Effect.andThen(hold(store, session, view), body(session)))

const hold = (store: Store, session: Session, view: ViewId) =>
  session.query("view", "SELECT pg_advisory_xact_lock(hashtextextended($1 || '/' || $2, $3))", [
    String(store.namespace),
    EscapedText.encode(view.name),
    view.version
  ])

const insert = `INSERT INTO leat_views (namespace, name, version, generation, worker, serves)
  SELECT $1::int, $2::text, $3::int, coalesce(max(generation), 0) + 1, $4::text, $5::boolean
    FROM leat_views WHERE namespace = $1::int AND name = $2::text AND version = $3::int
  RETURNING ${columns}`

const begun = (store: Store, session: Session, view: ViewId, serves: boolean): Effect.Effect<ViewRow, JournalError> =>
  Effect.flatMap(
    session.query<ViewRow>("view", insert, [
      ...nameOf(store, view),
      view.worker === undefined ? null : EscapedText.encode(view.worker),
      serves
    ]),
    ([row]) => (row === undefined ? Effect.die("an INSERT … RETURNING gave no row") : Effect.succeed(row))
  )

/** Where the view stands that serves; it is begun where there is none. */
export const stand = (store: Store, view: ViewId): Effect.Effect<ViewRow, JournalError> =>
  Effect.flatMap(serving(store, store.connection, "view", view), (found) =>
    found === undefined
      ? store.connection.transaction("view", (session) => standIn(store, session, view))
      : Effect.succeed(found)
  )

/** The same inside a transaction that is going on, on its session: another one may not be had. */
export const standIn = (store: Store, session: Session, view: ViewId): Effect.Effect<ViewRow, JournalError> =>
  Effect.andThen(
    hold(store, session, view),
    Effect.flatMap(serving(store, session, "view", view), (other) =>
      other === undefined ? begun(store, session, view, true) : Effect.succeed(other)
    )
  )

const remove = (
  store: Store,
  session: Session,
  view: ViewId,
  which: "all" | "waiting",
  but = 0
): Effect.Effect<void, JournalError> =>
  Effect.asVoid(
    session.query(
      "view",
      `WITH gone AS (
        DELETE FROM leat_views WHERE ${ofView} AND id <> $4${which === "all" ? "" : " AND NOT serves"} RETURNING id
      )
      DELETE FROM leat_view_states USING gone WHERE view = gone.id`,
      [...nameOf(store, view), but]
    )
  )

export const states = (
  session: Session,
  operation: Fault.Operation,
  view: number,
  keys: ReadonlyArray<string>
): Effect.Effect<ReadonlyArray<string | undefined>, JournalError> =>
  Effect.map(
    session.query<{ readonly state: string | null }>(
      operation,
      `SELECT s.state FROM unnest($2::text[]) WITH ORDINALITY AS k (key, at)
        LEFT JOIN leat_view_states s ON s.view = $1 AND s.key = k.key ORDER BY k.at`,
      [view, texts(keys.map(Names.indexed))]
    ),
    (rows) => rows.map(({ state }) => (state === null ? undefined : EscapedText.decode(state)))
  )

const move = (condition: string): string => `
  WITH moved AS (UPDATE leat_views SET position = $1 WHERE ${condition} RETURNING id),
  rows AS (SELECT * FROM unnest($2::text[], $3::text[]) AS r (key, state)),
  put AS (
    INSERT INTO leat_view_states (view, key, state)
      SELECT moved.id, rows.key, rows.state FROM moved, rows WHERE rows.state IS NOT NULL
      ON CONFLICT (view, key) DO UPDATE SET state = excluded.state
  ),
  gone AS (
    DELETE FROM leat_view_states s USING moved, rows
      WHERE s.view = moved.id AND s.key = rows.key AND rows.state IS NULL
  )
  SELECT id FROM moved`

/** The last state of a key, where it comes twice: the database takes each once. */
const rowParameters = (rows: ReadonlyArray<Projection.Row>): ReadonlyArray<unknown> => {
  const states = new Map(rows.map(([key, state]) => [Names.indexed(key), state]))
  return [
    texts([...states.keys()]),
    texts(Array.from(states.values(), (state) => (state === undefined ? null : EscapedText.encode(state))))
  ]
}

/** In a transaction that holds the view. */
export const write = (
  session: Session,
  view: number,
  to: number,
  rows: ReadonlyArray<Projection.Row>
): Effect.Effect<void, JournalError> =>
  Effect.asVoid(session.query("commit", move("id = $4"), [to, ...rowParameters(rows), view]))

const advance = move("namespace = $4 AND name = $5 AND version = $6 AND generation = $7 AND position = $8")

const plain = ({ generation, position }: ViewRow): Standing => ({ generation, position })

export const make = (store: Store): ViewStore => ({
  stand: (view) => Effect.map(stand(store, view), plain),
  begin: (view) =>
    alone(store, view, (session) =>
      Effect.gen(function* () {
        const row = yield* begun(store, session, view, false)
        yield* remove(store, session, view, "waiting", row.id)
        return plain(row)
      })
    ),
  states: (view, keys, generation) =>
    Effect.gen(function* () {
      const { connection } = store
      const [found] = yield* connection.query<ViewRow>(
        "view",
        `SELECT ${columns} FROM leat_views WHERE ${ofView} AND ${generation === undefined ? "serves" : "generation = $4"}`,
        [...nameOf(store, view), ...(generation === undefined ? [] : [generation])]
      )
      return found === undefined ? keys.map(() => undefined) : yield* states(connection, "view", found.id, keys)
    }),
  advance: (view, from, to, rows) =>
    Effect.map(
      store.connection.query("view", advance, [
        to,
        ...rowParameters(rows),
        ...nameOf(store, view),
        from.generation,
        from.position
      ]),
      (moved) => moved.length === 1
    ),
  swap: (view, generation) =>
    alone(store, view, (session) =>
      Effect.gen(function* () {
        const [next] = yield* session.query<{ readonly id: number }>(
          "view",
          `UPDATE leat_views SET serves = true WHERE ${ofView} AND generation = $4 RETURNING id::double precision`,
          [...nameOf(store, view), generation]
        )
        if (next === undefined) return false
        yield* remove(store, session, view, "all", next.id)
        return true
      })
    ),
  drop: (view) => alone(store, view, (session) => remove(store, session, view, "all"))
})
