import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import type { Codec } from "../../Codec.ts"
import type { Entry, JournaledOutcome } from "../../Journal.ts"
import { toDelivery } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import * as Step from "../../Step.ts"
import type { Definition, Environment, Work } from "./BatchRun.ts"
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
  /** Of today's worker. */
  readonly workerVersion: string | undefined
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
  const conclude = (exit: Exit.Exit<unknown, unknown>): Rerun => ({
    entry,
    outcome: conclusion(run, work, exit),
    steps: work.recorded,
    workerVersion: definition.version
  })
  if (work.undecodable !== undefined) return Effect.succeed(conclude(Exit.fail(work.undecodable)))
  const own = determined(environment.context, entry.at, work.idempotencyKey)
  const running = Effect.suspend(() => call(work, own))
  return Effect.map(Effect.exit(Effect.provideContext(running, own)), conclude)
}

const noSteps = {}

/** A run that asks for what was not recorded says nothing of what today's code does: no policy parks or skips it. */
const conclusion = (run: BatchRun, work: Work, exit: Exit.Exit<unknown, unknown>): Rerun["outcome"] => {
  if (Exit.isFailure(exit) && Cause.squash(exit.cause) instanceof Step.StepNotRecorded) {
    return Outcome.failed(exit.cause, false)
  }
  conclude(run, work, exit)
  const outcome = run.outcomes[work.index]
  return outcome?._tag === "Failed" ? outcome : (journaled(work, outcome) ?? Outcome.failed(Cause.empty, true))
}
