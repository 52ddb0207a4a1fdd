/** What a user outside of the workspace writes; packages/core/test/pack.integration.test.ts runs it on the tarball. */
import { Journal } from "@leat/core"
import { SqliteJournal } from "@leat/journal-sql"
import * as Effect from "effect/Effect"

const opened = await Effect.gen(function* () {
  const journal = yield* Journal.Journal
  return yield* journal.open("films", [{ key: "user-1", deliveries: [] }])
}).pipe(Effect.provide(SqliteJournal.layer({ file: ":memory:" })), Effect.runPromise)

console.log(opened.heads[0]?.version === 0 ? "ok" : JSON.stringify(opened))
