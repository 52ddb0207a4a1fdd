/** Entries whose events wait to be published. */
import { outboxHold } from "@leat/core/Journal"
import type { Entry } from "@leat/core/Journal"

import * as EscapedText from "../escapedText.ts"
import * as Entries from "./entries.ts"
import type { Store } from "./Store.ts"

/** Whole streams, in the order in which they were given back; those that never were come first. */
const waiting = `SELECT o.place FROM leat_outbox o
  JOIN (
    SELECT stream, max(held_until) AS tried, min(place) AS first FROM leat_outbox
      WHERE namespace = ? AND worker = ? GROUP BY stream HAVING max(held_until) <= ?
  ) s ON s.stream = o.stream
  ORDER BY s.tried, s.first, o.place LIMIT ?`

const hold = "UPDATE leat_outbox SET held_until = ? WHERE place IN (SELECT value FROM json_each(?))"

/** Reads before it writes in one transaction that nobody else can write beside: two relays never take the same. */
export const claim = (store: Store, worker: string, limit: number): ReadonlyArray<Entry> => {
  const { db, namespace } = store
  return db.write(() => {
    const now = store.now()
    const places = db
      .all<{ readonly place: number }>(waiting, namespace, EscapedText.encode(worker), now, limit)
      .map(({ place }) => place)
    if (places.length > 0) db.run(hold, now + outboxHold, JSON.stringify(places))
    return Entries.at(store, places)
  })
}

const remove = "DELETE FROM leat_outbox WHERE place = ? AND namespace = ? AND worker = ? RETURNING stream"

const lower = "UPDATE leat_streams SET unpublished = unpublished - 1 WHERE id = ?"

const release = "UPDATE leat_outbox SET held_until = ? WHERE place = ? AND namespace = ? AND worker = ?"

export const settle = (
  { base, db, namespace, now }: Store,
  worker: string,
  published: ReadonlyArray<number>,
  returned: ReadonlyArray<number>
): void => {
  if (published.length + returned.length === 0) return
  const name = EscapedText.encode(worker)
  db.write(() => {
    for (const position of published) {
      const waiting = db.get<{ readonly stream: number }>(remove, base + position, namespace, name)
      if (waiting !== undefined) db.run(lower, waiting.stream)
    }
    for (const position of returned) db.run(release, now(), base + position, namespace, name)
  })
}
