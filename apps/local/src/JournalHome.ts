/** Where the system keeps its journal: `DATABASE_URL`, else one SQLite file that stays between starts. */
import { resolve } from "node:path"

import * as Retention from "@leat/core/Retention"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as Config from "effect/Config"
import * as Layer from "effect/Layer"

/** Beside the clone's other state, and out of its history. */
const file = resolve(import.meta.dirname, "../../../.leat/journal.sqlite")

/** The address that the Lambda gets too: its thread and this process share the journal. */
export const url: Config.Config<string> = Config.withDefault(Config.NonEmptyString("DATABASE_URL"), `sqlite:${file}`)

/** What a week of starts leaves behind is enough to look at. */
export const layer = Retention.layer({ forgetAfter: "7 days" }).pipe(
  Layer.provideMerge(JournalConfig.layerConfig({ withoutUrl: { sqlite: file } }))
)
