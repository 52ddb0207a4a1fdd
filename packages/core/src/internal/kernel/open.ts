import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import { JournalError } from "../../Journal.ts"
import type { Head, JournaledOutcome, LaneRequest } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Lane } from "./BatchRun.ts"
import { reclaim } from "./reclaim.ts"

/** One read: where each lane's stream stands, and which deliveries were settled before. */
export const open = (run: BatchRun): Effect.Effect<void, JournalError> => {
  const { journal } = run.environment
  if (!journal.durable) return Effect.void
  const lanes = [...run.lanes.values()]
  const opened = Effect.map(inTime(run, journal.open(run.definition.name, requestsOf(lanes))), (found) => {
    run.letters = found.parked
    run.unpublished = found.unpublished
    for (let index = 0; index < lanes.length; index++) {
      const lane = lanes[index]
      const head = found.heads[index]
      if (lane !== undefined && head !== undefined) stand(run, lane, head)
    }
  })
  const { redrives } = run
  if (redrives === undefined) return opened
  return Effect.andThen(
    opened,
    Effect.forEach(lanes, (lane) => reclaim(run, lane, redrives), { discard: true })
  )
}

/** A journal that stands still must not keep a batch beyond its deadline: nothing has begun yet, so it comes again. */
const inTime = <A>(run: BatchRun, self: Effect.Effect<A, JournalError>): Effect.Effect<A, JournalError> =>
  Effect.flatMap(
    run.untilStartBy(self),
    Option.match({ onNone: () => Effect.fail(late), onSome: (found) => Effect.succeed(found) })
  )

const late = new JournalError({
  operation: "open",
  reason: "Unavailable",
  message: "the journal did not answer before the deadline",
  retryable: true
})

const stand = (run: BatchRun, lane: Lane, head: Head): void => {
  lane.expected = head.version
  lane.letters = head.parked
  lane.unpublished = head.unpublished
  // A redrive is at the head of what is parked: nothing of it waits behind another.
  lane.parked = head.parked > 0 && run.redrives === undefined
  head.known?.forEach((outcome, at) => {
    const work = lane.works[at]
    if (work === undefined || outcome === undefined || !isKnown(run, outcome)) return
    run.outcomes[work.index] = Outcome.duplicateOf(outcome)
  })
}

/** That an event is parked is what a redrive is about. */
const isKnown = (run: BatchRun, outcome: JournaledOutcome): boolean =>
  run.redrives === undefined || outcome._tag !== "Parked"

/** What the journal is asked of lanes. */
export const requestsOf = (lanes: ReadonlyArray<Lane>): ReadonlyArray<LaneRequest> =>
  lanes.map((lane) => ({
    key: lane.key,
    deliveries: lane.works.map((work) => ({ type: work.tag, id: work.id }))
  }))
