import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

import type { Draft, JournaledOutcome, JournalError } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Lane, Work } from "./BatchRun.ts"
import { requestsOf } from "./open.ts"
import { toEnvelope } from "./publish.ts"

/** How often a lane of only parked entries is read again after a conflict. */
const reopenings = 3

/** One write: each lane whole or not at all. */
export const commit = (run: BatchRun): Effect.Effect<void, JournalError> =>
  run.environment.journal.durable ? Effect.uninterruptible(commitLanes(run, [...run.lanes.values()], 0)) : Effect.void

const commitLanes: (run: BatchRun, lanes: ReadonlyArray<Lane>, reopened: number) => Effect.Effect<void, JournalError> =
  Effect.fnUntraced(function* (run, lanes, reopened) {
    const writes = lanes
      .map((lane) => ({ lane, key: lane.key, expected: lane.expected, entries: drafts(run, lane) }))
      .filter((write) => write.entries.length > 0)
    if (writes.length === 0) return
    const verdicts = yield* run.environment.journal.commit(run.definition.name, writes)
    const conflicts = writes.filter((_, index) => verdicts[index] !== "ok")
    const again = conflicts.filter((write) => reopened < reopenings && onlyParked(write.entries))
    for (const write of conflicts) if (!again.includes(write)) run.revoke(write.lane, conflict)
    if (again.length > 0)
      yield* reopen(
        run,
        again.map((write) => write.lane),
        reopened + 1
      )
  })

/** Nothing of these lanes ran, so a moved stream changes nothing but their place in it. */
const reopen = Effect.fnUntraced(function* (run: BatchRun, lanes: ReadonlyArray<Lane>, reopened: number) {
  const heads = yield* run.environment.journal.open(run.definition.name, requestsOf(lanes))
  lanes.forEach((lane, index) => {
    const head = heads[index]
    if (head === undefined) return
    lane.expected = head.version
    lane.works.forEach((work, at) => {
      if (head.known?.[at] !== undefined) run.outcomes[work.index] = Outcome.duplicate
    })
  })
  yield* commitLanes(run, lanes, reopened)
})

const conflict = Outcome.failed(
  Cause.fail({ _tag: "VersionConflict", message: "another process worked on this key meanwhile", retryable: true }),
  true
)

const onlyParked = (entries: ReadonlyArray<Draft>) => entries.every((entry) => entry.outcome._tag === "Parked")

const drafts = (run: BatchRun, lane: Lane): ReadonlyArray<Draft> => {
  const entries: Array<Draft> = []
  for (const work of lane.works) {
    const outcome = journaled(work, run.outcomes[work.index])
    if (outcome !== undefined) entries.push(draft(run, work, outcome))
  }
  return entries
}

const draft = (run: BatchRun, work: Work, outcome: JournaledOutcome): Draft => ({
  type: work.tag,
  id: work.id,
  source: { partition: work.partition, position: work.position },
  bytes: work.delivery.bytes,
  outcome,
  attempts: work.tried,
  duration: run.latencies[work.index] ?? 0,
  workerVersion: run.definition.version
})

const emittedNothing: JournaledOutcome = { _tag: "Handled", emitted: [] }

const journaled = (work: Work, outcome: Outcome.Outcome | undefined): JournaledOutcome | undefined => {
  switch (outcome?._tag) {
    case "Handled":
      return outcome.emitted.length === 0
        ? emittedNothing
        : { _tag: "Handled", emitted: outcome.emitted.map((event, index) => toEnvelope(work, event, index)) }
    case "Skipped":
    case "Parked":
      return outcome
    default:
      return undefined
  }
}
