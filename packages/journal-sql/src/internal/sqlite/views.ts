/** The views of projections, in the same file. */
import type * as Projection from "@leat/core/Projection"
import type { Standing, ViewId, ViewStore } from "@leat/core/View"
import * as Effect from "effect/Effect"

import * as EscapedText from "../escapedText.ts"
import { attempt } from "./Store.ts"
import type { Store } from "./Store.ts"

export interface ViewRow extends Standing {
  readonly id: number
}

const serving = `SELECT id, generation, position FROM leat_views
  WHERE namespace = ? AND name = ? AND version = ? AND serves = 1`

const ofGeneration = `SELECT id, generation, position FROM leat_views
  WHERE namespace = ? AND name = ? AND version = ? AND generation = ?`

const find = ({ db, namespace }: Store, view: ViewId, generation?: number): ViewRow | undefined => {
  const name = EscapedText.encode(view.name)
  return generation === undefined
    ? db.get<ViewRow>(serving, namespace, name, view.version)
    : db.get<ViewRow>(ofGeneration, namespace, name, view.version, generation)
}

const insert = `INSERT INTO leat_views (namespace, name, version, generation, worker, position, serves)
  SELECT ?1, ?2, ?3, coalesce(max(generation), 0) + 1, ?4, 0, ?5 FROM leat_views
    WHERE namespace = ?1 AND name = ?2 AND version = ?3
  RETURNING id, generation, position`

const begin = ({ db, namespace }: Store, view: ViewId, serves: 0 | 1): ViewRow => {
  const worker = view.worker === undefined ? null : EscapedText.encode(view.worker)
  const begun = db.get<ViewRow>(insert, namespace, EscapedText.encode(view.name), view.version, worker, serves)
  if (begun === undefined) throw new TypeError("an INSERT … RETURNING gave no row")
  return begun
}

/** Where the view stands that serves; it is begun where there is none. In a transaction that writes. */
export const standing = (store: Store, view: ViewId): ViewRow => find(store, view) ?? begin(store, view, 1)

const stateOf = "SELECT state FROM leat_view_states WHERE view = ? AND key = ?"

export const states = ({ db }: Store, view: number, keys: ReadonlyArray<string>): ReadonlyArray<string | undefined> =>
  keys.map((key) => {
    const found = db.get<{ readonly state: string }>(stateOf, view, EscapedText.encode(key))
    return found === undefined ? undefined : EscapedText.decode(found.state)
  })

const putState =
  "INSERT INTO leat_view_states (view, key, state) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET state = excluded.state"

const removeState = "DELETE FROM leat_view_states WHERE view = ? AND key = ?"

const move = "UPDATE leat_views SET position = ? WHERE id = ?"

/** In a transaction that has seen where the view stands. */
export const write = ({ db }: Store, view: number, to: number, rows: ReadonlyArray<Projection.Row>): void => {
  for (const [key, state] of rows) {
    if (state === undefined) db.run(removeState, view, EscapedText.encode(key))
    else db.run(putState, view, EscapedText.encode(key), EscapedText.encode(state))
  }
  db.run(move, to, view)
}

const others = "SELECT id FROM leat_views WHERE namespace = ? AND name = ? AND version = ? AND id <> ? AND serves <= ?"

/** Removes generations of the view, but for one: all, or only what doesn't serve. */
const remove = ({ db, namespace }: Store, view: ViewId, which: "all" | "waiting", but = 0): void => {
  const serves = which === "all" ? 1 : 0
  const name = EscapedText.encode(view.name)
  for (const { id } of db.all<{ readonly id: number }>(others, namespace, name, view.version, but, serves)) {
    db.run("DELETE FROM leat_view_states WHERE view = ?", id)
    db.run("DELETE FROM leat_views WHERE id = ?", id)
  }
}

const plain = ({ generation, position }: ViewRow): Standing => ({ generation, position })

export const make = (store: Store): ViewStore => {
  const written = <A>(body: () => A) => attempt(store, "view", () => store.db.write(body))
  return {
    stand: (view) =>
      Effect.flatMap(
        attempt(store, "view", () => find(store, view)),
        (found) => (found === undefined ? written(() => plain(standing(store, view))) : Effect.succeed(plain(found)))
      ),
    begin: (view) =>
      written(() => {
        const begun = begin(store, view, 0)
        remove(store, view, "waiting", begun.id)
        return plain(begun)
      }),
    states: (view, keys, generation) =>
      attempt(store, "view", () =>
        store.db.read(() => {
          const found = find(store, view, generation)
          return found === undefined ? keys.map(() => undefined) : states(store, found.id, keys)
        })
      ),
    advance: (view, from, to, rows) =>
      written(() => {
        const found = find(store, view, from.generation)
        if (found?.position !== from.position) return false
        write(store, found.id, to, rows)
        return true
      }),
    swap: (view, generation) =>
      written(() => {
        const next = find(store, view, generation)
        if (next === undefined) return false
        remove(store, view, "all", next.id)
        store.db.run("UPDATE leat_views SET serves = 1 WHERE id = ?", next.id)
        return true
      }),
    drop: (view) => written(() => remove(store, view, "all"))
  }
}
