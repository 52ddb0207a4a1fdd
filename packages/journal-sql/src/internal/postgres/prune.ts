/** Removes what is old and needed by nothing, a few thousand entries a transaction. */
import type { Cutoffs, JournalError, Pruned } from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import type { Store } from "./Store.ts"

/** Entries looked at in one transaction: others wait no longer than this takes. */
const step = 5_000

interface Row extends Pruned {
  readonly seen: number
}

export const prune = (
  { connection, namespace }: Store,
  { compactBefore = -Infinity, forgetBefore = -Infinity }: Cutoffs
): Effect.Effect<Pruned, JournalError> =>
  Effect.gen(function* () {
    const total = { compacted: 0, forgotten: 0 }
    let after = 0
    while (true) {
      const [done] = yield* connection.query<Row>("prune", "SELECT * FROM leat_prune_1($1, $2, $3, $4, $5)", [
        namespace,
        after,
        step,
        compactBefore,
        forgetBefore
      ])
      if (done === undefined) return total
      total.compacted += done.compacted
      total.forgotten += done.forgotten
      after = done.seen
    }
  })
