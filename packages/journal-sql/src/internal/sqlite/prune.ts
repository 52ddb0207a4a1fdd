/** Removes what is old and needed by nothing. */
import type { Cutoffs, JournalError, Pruned } from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import { attempt, placesOf } from "./Store.ts"
import type { Store } from "./Store.ts"

/** Entries looked at in one transaction: others wait no longer than this takes. */
const step = 5_000

export const prune = (store: Store, cutoffs: Cutoffs): Effect.Effect<Pruned, JournalError> =>
  Effect.gen(function* () {
    const total = { compacted: 0, forgotten: 0 }
    let cursor = store.base
    while (true) {
      const done = yield* attempt(store, "prune", () => store.db.write(() => pruneStep(store, cursor, cutoffs)))
      if (done === undefined) return total
      total.compacted += done.compacted
      total.forgotten += done.forgotten
      cursor = done.last
      // The transactions of others get their turn.
      yield* Effect.yieldNow
    }
  })

const nextStep = `SELECT max(place) AS last, min(at) AS oldest
  FROM (SELECT place, at FROM leat_entries WHERE place > ? AND place < ? ORDER BY place LIMIT ${step})`

/** What holds back no entry: nothing parked in its stream, not in the outbox, folded by every view that folds it. */
const needless = `place > ?1 AND place <= ?2 AND at < ?3
  AND NOT EXISTS (SELECT 1 FROM leat_streams s WHERE s.id = leat_entries.stream AND s.parked > 0)
  AND NOT EXISTS (SELECT 1 FROM leat_outbox o WHERE o.place = leat_entries.place)
  AND NOT EXISTS (
    SELECT 1 FROM leat_views v WHERE v.namespace = ?4 AND leat_entries.place > ?5 + v.position
      AND (v.worker IS NULL OR v.worker = (SELECT worker FROM leat_streams s WHERE s.id = leat_entries.stream))
  )`

const forget = `DELETE FROM leat_entries WHERE ${needless}`

const compact = `UPDATE leat_entries
  SET compacted = 1, bytes = NULL, steps = NULL, detail = CASE outcome WHEN 'Handled' THEN NULL ELSE detail END
  WHERE compacted = 0 AND ${needless}`

const pruneStep = (
  { base, db, namespace }: Store,
  cursor: number,
  { compactBefore = -Infinity, forgetBefore = -Infinity }: Cutoffs
): (Pruned & { readonly last: number }) | undefined => {
  const end = base + placesOf
  const found = db.get<{ readonly last: number | null; readonly oldest: number | null }>(nextStep, cursor, end)
  const { last, oldest } = found ?? { last: null, oldest: null }
  // Entries come in order of time: where a whole step is young, all that follow are.
  if (last === null || oldest === null || oldest >= Math.max(compactBefore, forgetBefore)) return undefined
  const before = (cutoff: number) => [cursor, last, cutoff, namespace, base] as const
  return {
    last,
    forgotten: forgetBefore === -Infinity ? 0 : db.run(forget, ...before(forgetBefore)),
    compacted: compactBefore === -Infinity ? 0 : db.run(compact, ...before(compactBefore))
  }
}
