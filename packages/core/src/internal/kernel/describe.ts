import * as Cause from "effect/Cause"

/** A defect with its trace, an expected failure in one line. */
export const describe = (cause: Cause.Cause<unknown>): string => {
  if (Cause.hasDies(cause)) return Cause.pretty(cause)
  const error = Cause.squash(cause)
  return error instanceof Error ? `${error.name}: ${error.message}` : String(error)
}
