/** What the drafts of a lane do to its stream. */
import type { Draft, LaneCommit } from "@leat/core/Journal"

/** It joins those that wait on the stream. */
export const parks = ({ outcome, resolves }: Draft): boolean => resolves === undefined && outcome._tag === "Parked"

/** The entry that it resolves waits no longer. */
export const ends = ({ outcome, resolves }: Draft): boolean => resolves !== undefined && outcome._tag !== "Parked"

export const emits = ({ outcome }: Draft): boolean => outcome._tag === "Handled" && outcome.emitted.length > 0

/** How many entries go to the outbox. */
export const unpublished = ({ entries, outbox }: LaneCommit): number =>
  outbox === undefined ? 0 : count(entries, emits)

export const count = (entries: ReadonlyArray<Draft>, matches: (draft: Draft) => boolean): number => {
  let total = 0
  for (const draft of entries) if (matches(draft)) total += 1
  return total
}

/** A lane that would record one delivery twice. */
export const repeatsItself = ({ entries }: LaneCommit): boolean => {
  if (entries.length < 2) return false
  const originals = entries.filter(({ resolves }) => resolves === undefined)
  return new Set(originals.map(({ id, type }) => JSON.stringify([type, id]))).size < originals.length
}
