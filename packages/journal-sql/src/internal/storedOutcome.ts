/** An outcome as two columns: its tag, and as JSON what there is beside it. */
import * as Envelope from "@leat/core/Envelope"
import type { JournaledOutcome } from "@leat/core/Journal"

import * as EscapedText from "./escapedText.ts"

/** `detail`: an array of envelopes for what was handled; `null` for an empty one, the good path of most workers. */
export const detailOf = (outcome: JournaledOutcome): string | null => {
  if (outcome._tag === "Handled") return outcome.emitted.length === 0 ? null : JSON.stringify(outcome.emitted)
  const { _tag, ...detail } = outcome
  return JSON.stringify(detail)
}

const handledNothing: JournaledOutcome = { _tag: "Handled", emitted: [] }

/** Throws where the columns don't make an outcome. */
export const read = (tag: string, detail: string | null): JournaledOutcome => {
  if (tag === "Handled") return detail === null ? handledNothing : { _tag: tag, emitted: envelopes(detail) }
  if (tag === "Skipped" || tag === "Parked") return { ...withReason(detail), _tag: tag }
  throw new SyntaxError(`no outcome is called ${JSON.stringify(EscapedText.decode(tag))}`)
}

/** JSON leaves out what is `undefined`; an envelope has all its members. */
const envelopes = (detail: string): ReadonlyArray<Envelope.Envelope> =>
  (JSON.parse(detail) as ReadonlyArray<Envelope.Envelope>).map(Envelope.make)

const withReason = (detail: string | null): { readonly reason: string } => {
  const parsed: unknown = detail === null ? undefined : JSON.parse(detail)
  if (typeof parsed !== "object" || parsed === null || !("reason" in parsed) || typeof parsed.reason !== "string") {
    throw new SyntaxError("an outcome has lost its reason")
  }
  return { ...parsed, reason: parsed.reason }
}
