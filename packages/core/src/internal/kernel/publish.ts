import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import * as Envelope from "../../Envelope.ts"
import type * as Event from "../../Event.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Work } from "./BatchRun.ts"

/**
 * Without a journal: sends what handlers returned, before anything of it is acknowledged: a crash in between sends it
 * again, under the same ids. A record whose event was not accepted is failed, and so is what follows on its lane. With a
 * journal events are committed first, and `relay` sends them.
 */
export const publish = (run: BatchRun): Effect.Effect<void> => {
  const { journal, publisher } = run.environment
  if (publisher === undefined) {
    for (const work of run.works) run.dropped += emittedBy(run, work).length
    return Effect.void
  }
  if (journal.durable) return Effect.void
  const emitting = run.works.filter((work) => emittedBy(run, work).length > 0)
  if (emitting.length === 0) return Effect.void
  const sent = emitting.flatMap((work) => encode(run, work).map((envelope) => ({ work, envelope })))
  const publishing = run.beforeDeadline(Effect.exit(publisher.publish(sent.map(({ envelope }) => envelope))))
  return Effect.map(publishing, (answers = late) => {
    sent.forEach(({ work }, index) => {
      const answer = Exit.isSuccess(answers) ? answers.value[index] : answers
      if (answer === undefined || Exit.isFailure(answer)) {
        run.revoke(
          work.lane,
          Outcome.failed(answer?.cause ?? Cause.die("the publisher gave no answer"), true),
          work.index
        )
      }
    })
  })
}

const late: Exit.Exit<never> = Exit.die("the publisher did not answer before the deadline")

const emittedBy = (run: BatchRun, work: Work): ReadonlyArray<Event.Emitted> => {
  const outcome = run.outcomes[work.index]
  return outcome?._tag === "Handled" ? outcome.emitted : []
}

/** A payload that breaks its own schema is the handler's bug: its lane fails, the batch goes on. */
const encode = (run: BatchRun, work: Work): ReadonlyArray<Envelope.Envelope> => {
  try {
    return emittedBy(run, work).map((event, index) => toEnvelope(work, event, index))
  } catch (defect) {
    run.revoke(work.lane, Outcome.failed(Cause.die(defect), false), work.index)
    return []
  }
}

/** Ids are a function of the cause, so a repeated run emits the same ones: `{eventId}/{worker}/{index}`. */
export const toEnvelope = (work: Work, event: Event.Emitted, index: number): Envelope.Envelope =>
  Envelope.make({
    id: `${work.id}/${work.worker}/${index}`,
    type: event.type,
    version: event.version,
    source: work.worker,
    key: event.partitionKey,
    correlationId: work.correlationId,
    causationId: work.id,
    data: event.data
  })
