import * as Cause from "effect/Cause"

import * as Outcome from "../../Outcome.ts"

/** A defect with its trace, an expected failure in one line. */
export const describe = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasDies(cause)) return Cause.pretty(cause)
  return lineOf(Cause.squash(cause))
}

const lineOf = (error: unknown): string => {
  if (error instanceof Error) return `${error.name}: ${error.message}`
  if (typeof error !== "object" || error === null) return String(error)
  const parts = ["_tag", "message"].flatMap((name) => (name in error ? String(error[name as keyof typeof error]) : []))
  return parts.length === 0 ? "a failure without a message" : parts.join(": ")
}

/** A schema's message has a line for each fault. */
export const oneLine = (text: string): string => text.replaceAll(/\s*\n\s*/g, " ").slice(0, longest.reason)

/** Longest reason and longest trace that are kept, in characters: the bytes of the event matter more. */
const longest = { reason: 1_000, trace: 8_000 }

/** What a person who looks at a dead letter reads: a line, and where it happened. */
export const parkedFor = (cause: Cause.Cause<unknown>): Outcome.Parked => {
  const error = Cause.squash(cause)
  // The stack without the causes below: those may hold an address or a body.
  const trace = error instanceof Error ? error.stack?.slice(0, longest.trace) : undefined
  return Outcome.parked(oneLine(lineOf(error)), trace)
}
