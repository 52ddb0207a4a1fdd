import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import * as Outbox from "../../Outbox.ts"
import type { BatchRun } from "./BatchRun.ts"

/**
 * Sends what this batch committed, and then what waits from before, until the deadline; the rest waits for the next relay.
 * The outcomes stand whatever comes of it.
 */
export const relay = (run: BatchRun): Effect.Effect<void> => {
  const { journal, publisher } = run.environment
  if (!journal.durable || publisher === undefined || (run.held.length === 0 && run.unpublished === 0)) return Effect.void
  const worker = run.definition.name
  const sending = Effect.andThen(
    run.held.length === 0 ? Effect.void : Outbox.send(journal, publisher, worker, run.held),
    run.unpublished === 0 ? Effect.void : Outbox.drain(journal, publisher, worker)
  )
  return Effect.map(run.beforeDeadline(Effect.exit(sending)), (exit) => {
    if (exit === undefined) run.tell({ _tag: "RelayFailed", worker, reason: "the deadline passed" })
    else if (Exit.isFailure(exit)) run.tell({ _tag: "RelayFailed", worker, reason: Cause.pretty(exit.cause) })
  })
}
