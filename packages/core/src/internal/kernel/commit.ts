import * as Effect from "effect/Effect"

import type { Draft, Head, JournaledOutcome, JournalError, LaneCommit } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Lane, Work } from "./BatchRun.ts"
import { requestsOf } from "./open.ts"
import { conflict, reclaim } from "./reclaim.ts"

/** How often a lane whose entries a moved stream does not change is read again after a conflict. */
const reopenings = 5

/** One write: each lane whole or not at all. */
export const commit = (run: BatchRun): Effect.Effect<void, JournalError> =>
  run.environment.journal.durable ? Effect.uninterruptible(commitLanes(run, [...run.lanes.values()], 0)) : Effect.void

/** A lane with what is written of it. */
interface Write extends LaneCommit {
  readonly lane: Lane
}

const commitLanes: (run: BatchRun, lanes: ReadonlyArray<Lane>, reopened: number) => Effect.Effect<void, JournalError> =
  Effect.fnUntraced(function* (run, lanes, reopened) {
    const writes = lanes.map((lane) => writeOf(run, lane)).filter(({ entries }) => entries.length > 0)
    if (writes.length === 0) return
    const verdicts = yield* run.environment.journal.commit(run.definition.name, writes)
    const again: Array<Lane> = []
    writes.forEach((write, index) => {
      const verdict = verdicts[index] ?? "conflict"
      if (verdict !== "conflict") hold(run, write, verdict.position)
      else if (reopened < reopenings && maySettleLater(run, write)) again.push(write.lane)
      else run.revoke(write.lane, conflict)
    })
    if (again.length > 0) yield* reopen(run, again, reopened + 1)
  })

const writeOf = (run: BatchRun, lane: Lane): Write => ({
  lane,
  key: lane.key,
  expected: lane.expected,
  entries: drafts(run, lane),
  // What waits from before goes out first, so the lane's new events wait behind it.
  outbox: run.environment.publisher === undefined ? undefined : lane.unpublished > 0 ? "leave" : "hold"
})

/** What this run may publish itself: it committed it, and nothing of the lane waits in front of it. */
const hold = (run: BatchRun, write: Write, first: number): void => {
  if (write.outbox === "leave") run.unpublished += 1
  if (write.outbox !== "hold") return
  write.entries.forEach(({ outcome }, index) => {
    if (outcome._tag !== "Handled" || outcome.emitted.length === 0) return
    run.held.push({ position: first + index, envelopes: outcome.emitted })
  })
}

/** Parked entries only move their place; a redrive holds its lane as long as its letters are not resolved by another. */
const maySettleLater = (run: BatchRun, { entries }: Write): boolean =>
  run.redrives !== undefined || entries.every((entry) => entry.outcome._tag === "Parked")

const reopen = Effect.fnUntraced(function* (run: BatchRun, lanes: ReadonlyArray<Lane>, reopened: number) {
  const { journal } = run.environment
  const { heads } = yield* journal.open(run.definition.name, requestsOf(lanes))
  for (const [index, lane] of lanes.entries()) {
    const head = heads[index]
    if (head === undefined) continue
    if (run.redrives === undefined) rejoin(run, lane, head)
    else yield* reclaim(run, lane, run.redrives)
    lane.expected = head.version
    lane.unpublished = head.unpublished
  }
  yield* commitLanes(run, lanes, reopened)
})

/**
 * A lane of parked events whose stream moved: some may be known by now, and what they waited behind may be gone. Then they
 * come again, with all that follows: nothing may be parked in front of them.
 */
const rejoin = (run: BatchRun, lane: Lane, head: Head): void => {
  let waits = head.parked > 0
  let blocked = false
  lane.works.forEach((work, at) => {
    const known = head.known?.[at]
    if (known !== undefined) run.outcomes[work.index] = Outcome.duplicateOf(known)
    else if (blocked) run.outcomes[work.index] = Outcome.unstarted
    else if (run.outcomes[work.index]?._tag !== "Parked") return
    else if (work.tried > 0 || work.undecodable !== undefined) waits = true
    else if (!waits) {
      run.block(work, conflict)
      blocked = true
    }
  })
}

const drafts = (run: BatchRun, lane: Lane): ReadonlyArray<Draft> => {
  const entries: Array<Draft> = []
  for (const work of lane.works) {
    const outcome = run.outcomes[work.index]
    const recorded = run.redrives === undefined ? journaled(work, outcome) : redriven(work, outcome)
    if (recorded !== undefined) entries.push(draft(run, work, recorded))
  }
  return entries
}

const draft = (run: BatchRun, work: Work, outcome: JournaledOutcome): Draft => {
  const { arrival, bytes, fault, partition, partitionKey, position } = work.delivery
  return {
    type: work.tag,
    id: work.id,
    eventVersion: work.version,
    source: { partition, position, partitionKey, arrival, fault },
    bytes,
    outcome,
    attempts: work.tried,
    duration: run.latencies[work.index] ?? 0,
    workerVersion: run.definition.version,
    steps: work.recorded,
    resolves: run.redrives?.[work.index]
  }
}

const emittedNothing: JournaledOutcome = { _tag: "Handled", emitted: [] }

/** The outcome as it is written; `undefined` for what is not: it is known already, or not settled. */
export const journaled = (work: Work, outcome: Outcome.Outcome | undefined): JournaledOutcome | undefined => {
  switch (outcome?._tag) {
    case "Handled":
      return work.emitted.length === 0 ? emittedNothing : { _tag: "Handled", emitted: work.emitted }
    case "Skipped":
    case "Parked":
      return outcome
    default:
      return undefined
  }
}

/** A letter that only waits behind one that failed again stays as it is; one whose event is known is done with. */
const redriven = (work: Work, outcome: Outcome.Outcome | undefined): JournaledOutcome | undefined => {
  if (outcome?._tag === "Duplicate") return Outcome.skipped("an event of the same id was settled before")
  return outcome?._tag === "Parked" && work.tried === 0 ? undefined : journaled(work, outcome)
}
