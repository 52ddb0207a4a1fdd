/** What both databases say when something is wrong. No message repeats an address: it may hold a password. */
import { JournalError } from "@leat/core/Journal"

export type Operation = JournalError["operation"]

export const fault = (
  operation: Operation,
  reason: JournalError["reason"],
  message: string,
  cause?: unknown
): JournalError =>
  new JournalError({
    operation,
    reason,
    message,
    retryable: reason === "Unavailable",
    ...(cause === undefined ? undefined : { cause })
  })

export const incompatible = (found: number, known: number): JournalError =>
  fault(
    "connect",
    "Incompatible",
    `the journal's tables are of version ${found}, this program knows ${known}: run a newer program, or give this one a database of its own`
  )

/** A row that JSON or the codec of outcomes couldn't read. */
export const corrupt = (operation: Operation, cause: SyntaxError): JournalError =>
  fault(operation, "Corrupt", `an entry can't be read back: ${cause.message}`, cause)
