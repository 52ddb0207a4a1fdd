/** A process that starts with the journal of its environment, commits once and ends. */
import { Journal } from "@leat/core/Journal"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as Effect from "effect/Effect"

import { lane } from "./drafts.ts"

const verdicts = await Effect.runPromise(
  Effect.provide(
    Effect.flatMap(Journal, (journal) => journal.commit("starter", [lane(String(process.pid), 0, "1")])),
    JournalConfig.layerConfig({ withoutUrl: "none" })
  )
)

process.stdout.write(JSON.stringify(verdicts))
