import * as Effect from "effect/Effect"

import type { Codec } from "../../Codec.ts"
import type { Entry, JournaledOutcome } from "../../Journal.ts"
import { toDelivery } from "../../Journal.ts"
import type * as Outcome from "../../Outcome.ts"
import type { Definition, Environment } from "./BatchRun.ts"
import { BatchRun } from "./BatchRun.ts"
import { journaled } from "./commit.ts"
import { decode } from "./decode.ts"
import { determined } from "./determined.ts"
import { call, conclude } from "./handle.ts"

/** What today's code makes of a recorded entry. */
export interface Rerun {
  readonly entry: Entry
  /** As it would be written; a failure that would not be settled as it is. */
  readonly outcome: JournaledOutcome | Outcome.Failed
  readonly steps: Entry["steps"]
}

/** One after the other: a handler may keep something between events, and a replay must be the same twice. */
export const rerun = (
  definition: Definition,
  environment: Environment,
  codec: Codec,
  entries: ReadonlyArray<Entry>
): Effect.Effect<ReadonlyArray<Rerun>> =>
  Effect.forEach(entries, (entry) => rerunOne(definition, environment, codec, entry))

const rerunOne = (
  definition: Definition,
  environment: Environment,
  codec: Codec,
  entry: Entry
): Effect.Effect<Rerun> => {
  const run = new BatchRun(definition, environment, [toDelivery(entry)])
  decode(run, codec)
  const [work] = run.works
  if (work === undefined) return Effect.die("a delivery gave no work")
  work.replayed = entry.steps ?? noSteps
  if (work.undecodable !== undefined) {
    return Effect.succeed({ entry, outcome: { _tag: "Parked", reason: work.undecodable.message }, steps: undefined })
  }
  const own = determined(environment.context, entry.at, work.idempotencyKey)
  const running = Effect.provideContext(
    Effect.suspend(() => call(work, own)),
    own
  )
  return Effect.map(Effect.exit(running), (exit) => {
    conclude(run, work, exit)
    const outcome = run.outcomes[0]
    const recorded = outcome?._tag === "Failed" ? outcome : journaled(work, outcome)
    return { entry, outcome: recorded ?? { _tag: "Handled", emitted: [] }, steps: work.recorded }
  })
}

const noSteps = {}
