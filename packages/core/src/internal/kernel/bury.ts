import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Work } from "./BatchRun.ts"
import { describe } from "./describe.ts"

/**
 * Hands given-up works to the dead-letter sink, in one call. An accepted one is settled and its lane goes on; one that
 * is not accepted stays unsettled, so the transport keeps it.
 */
export const bury = (run: BatchRun, works: ReadonlyArray<Work>): Effect.Effect<void> => {
  const { clock, sink } = run.environment
  if (works.length === 0 || sink === undefined) return Effect.void
  const at = clock.currentTimeMillisUnsafe()
  const reasons = works.map((work) => reason(run, work))
  const letters = works.map((work, index) => ({
    worker: run.definition.name,
    delivery: work.delivery,
    reason: reasons[index] ?? "",
    at
  }))
  return Effect.map(run.beforeDeadline(Effect.exit(sink.accept(letters))), (accepted = late) => {
    works.forEach((work, index) => {
      const answer = Exit.isSuccess(accepted) ? accepted.value[index] : accepted
      run.latencies[work.index] = run.elapsed()
      if (answer !== undefined && Exit.isSuccess(answer)) {
        work.lane.blocked = false
        run.settle(work, Outcome.parked(reasons[index] ?? ""))
      } else run.block(work, Outcome.failed(answer?.cause ?? Cause.die("the sink gave no answer"), true))
    })
  })
}

const late: Exit.Exit<never> = Exit.die("the dead-letter sink did not answer before the deadline")

const reason = (run: BatchRun, work: Work): string => {
  if (work.undecodable !== undefined) return work.undecodable.message
  const outcome = run.outcomes[work.index]
  return outcome?._tag === "Failed" ? describe(outcome.cause) : ""
}
