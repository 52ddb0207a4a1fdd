import * as Effect from "effect/Effect"

import type { JournalError, LaneRequest } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Lane } from "./BatchRun.ts"

/** One read: where each lane's stream stands, and which deliveries were settled before. */
export const open = (run: BatchRun): Effect.Effect<void, JournalError> => {
  const { journal } = run.environment
  if (!journal.durable) return Effect.void
  const lanes = [...run.lanes.values()]
  return Effect.map(journal.open(run.definition.name, requestsOf(lanes)), (heads) => {
    for (let index = 0; index < lanes.length; index++) {
      const lane = lanes[index]
      const head = heads[index]
      if (lane === undefined || head === undefined) continue
      lane.expected = head.version
      lane.parked = head.parked > 0
      head.known?.forEach((outcome, at) => {
        const work = lane.works[at]
        if (outcome !== undefined && work !== undefined) run.outcomes[work.index] = Outcome.duplicate
      })
    }
  })
}

/** What the journal is asked of lanes. */
export const requestsOf = (lanes: ReadonlyArray<Lane>): ReadonlyArray<LaneRequest> =>
  lanes.map((lane) => ({
    key: lane.key,
    deliveries: lane.works.map((work) => ({ type: work.tag, id: work.id }))
  }))
