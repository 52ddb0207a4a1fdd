import * as Effect from "effect/Effect"

import type { Head, JournaledOutcome, JournalError, LaneRequest } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Lane } from "./BatchRun.ts"

/** One read: where each lane's stream stands, and which deliveries were settled before. */
export const open = (run: BatchRun): Effect.Effect<void, JournalError> => {
  const { journal } = run.environment
  if (!journal.durable) return Effect.void
  const lanes = [...run.lanes.values()]
  return Effect.map(journal.open(run.definition.name, requestsOf(lanes)), ({ heads, parked, unpublished }) => {
    run.letters = parked
    run.unpublished = unpublished
    for (let index = 0; index < lanes.length; index++) {
      const lane = lanes[index]
      const head = heads[index]
      if (lane !== undefined && head !== undefined) stand(run, lane, head)
    }
  })
}

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
