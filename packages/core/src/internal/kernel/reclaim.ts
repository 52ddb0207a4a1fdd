import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

import type { JournalError } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { BatchRun, Lane } from "./BatchRun.ts"

export const conflict = Outcome.failed(
  Cause.fail({ _tag: "VersionConflict", message: "another process worked on this key meanwhile", retryable: true }),
  true
)

/**
 * A redrive that finds one of its letters resolved has lost to another one, or to a discard. Asked after the lane was
 * opened: what changes from then on moves the version.
 */
export const reclaim = (
  run: BatchRun,
  lane: Lane,
  redrives: ReadonlyArray<number>
): Effect.Effect<void, JournalError> => {
  const after = Math.min(...redrives) - 1
  const request = { key: lane.key, after, limit: redrives.length }
  return Effect.map(run.environment.journal.parked(run.definition.name, request), (letters) => {
    const still = new Set(letters.map(({ position }) => position))
    if (!redrives.every((position) => still.has(position))) run.revoke(lane, conflict)
  })
}
