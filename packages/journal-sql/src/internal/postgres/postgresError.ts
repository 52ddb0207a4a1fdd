/** PostgreSQL's errors as the journal's reasons. */
import type { JournalError } from "@leat/core/Journal"
import type { SqlError } from "effect/sql/SqlError"

import * as Fault from "../fault.ts"

/** Five characters, where the server itself answered. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
export const stateOf = (error: SqlError): string | undefined => {
  const { cause } = error.reason
  return typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string"
    ? cause.code
    : undefined
}

/** What passes by itself: no resources (53), shutdown and crash (57P), a server that fails over and can't write (25006). */
const passing = /^(53|57P|58|XX|25006$)/

/** It does not let us in, has no such database, or lacks a right. */
const refusing = /^(28|3D|3F|42501$)/

export const toJournalError = (operation: Fault.Operation, error: SqlError, address: string): JournalError => {
  const { reason } = error
  return Fault.fault(operation, reasonOf(error), `PostgreSQL at ${address}: ${textOf(reason)}`, error)
}

const reasonOf = (error: SqlError): JournalError["reason"] => {
  const state = stateOf(error) ?? ""
  if (error.reason._tag === "AuthenticationError" || refusing.test(state)) return "Refused"
  if (error.reason.isRetryable || passing.test(state)) return "Unavailable"
  // Tables or functions that are missing or other than ours.
  return state.startsWith("42") ? "Incompatible" : "Refused"
}

/** The client's own words say where it failed, the cause's say why. */
const textOf = ({ cause, message }: SqlError["reason"]): string =>
  [message.replace(/^Pg\w+: /, ""), whyOf(cause)].filter((text) => text !== "").join(": ")

/** What a socket throws that tried several addresses has a code and no message. */
const whyOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return ""
  if (cause.message !== "") return cause.message
  return "code" in cause && typeof cause.code === "string" ? cause.code : ""
}
