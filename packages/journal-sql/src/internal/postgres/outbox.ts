/** Entries whose events wait to be published. */
import { outboxHold } from "@leat/core/Journal"
import type { Entry, JournalError } from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import * as EscapedText from "../escapedText.ts"
import * as Entries from "./entries.ts"
import { numbers } from "./parameters.ts"
import type { Store } from "./Store.ts"

/** Two round trips: the entries are read after the claim is committed, for a claim may have waited for another one. */
export const claim = (store: Store, worker: string, limit: number): Effect.Effect<ReadonlyArray<Entry>, JournalError> =>
  Effect.flatMap(
    store.connection.query<{ readonly position: number }>("outbox", "SELECT leat_claim_1($1, $2, $3, $4) AS position", [
      store.namespace,
      EscapedText.encode(worker),
      limit,
      outboxHold
    ]),
    (taken) =>
      Entries.at(
        store,
        "outbox",
        taken.map(({ position }) => position)
      )
  )

export const settle = (
  { connection, namespace }: Store,
  worker: string,
  published: ReadonlyArray<number>,
  returned: ReadonlyArray<number>
): Effect.Effect<void, JournalError> =>
  published.length + returned.length === 0
    ? Effect.void
    : Effect.asVoid(
        connection.query("outbox", "SELECT leat_settle_1($1, $2, $3, $4)", [
          namespace,
          EscapedText.encode(worker),
          numbers(published),
          numbers(returned)
        ])
      )
