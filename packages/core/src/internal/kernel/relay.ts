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
  if (!journal.durable || publisher === undefined || (run.held.length === 0 && run.unpublished === 0))
    return Effect.void
  const worker = run.definition.name
  const sending = Effect.gen(function* () {
    const sent = run.held.length === 0 ? nothing : yield* Outbox.send(journal, publisher, worker, run.held)
    const drained = run.unpublished === 0 ? nothing : yield* Outbox.drain(journal, publisher, worker)
    return sent.reason ?? drained.reason
  })
  return Effect.map(run.beforeDeadline(Effect.exit(sending)), (exit = late) => {
    const reason = Exit.isFailure(exit) ? Cause.pretty(exit.cause) : exit.value
    if (reason !== undefined) run.tell({ _tag: "RelayFailed", worker, reason })
  })
}

const nothing: Outbox.Relayed = { published: 0, returned: 0, reason: undefined }

const late: Exit.Exit<string> = Exit.succeed("the deadline passed")
