/** SQLite's result codes as the journal's reasons. */
import { JournalError } from "@leat/core/Journal"

import * as Fault from "../fault.ts"

export interface SqliteError extends Error {
  readonly errcode: number
  readonly errstr: string
}

/** @see https://www.sqlite.org/rescode.html the low byte is the primary code */
const primaries: { readonly [code: number]: Primary } = {
  3: "refused",
  5: "busy",
  6: "busy",
  8: "refused",
  10: "failing",
  11: "corrupt",
  13: "failing",
  14: "refused",
  23: "refused",
  26: "notDatabase"
}

type Primary = "busy" | "failing" | "refused" | "corrupt" | "notDatabase"

const constraintUnique = 2067

/** What SQLite threw, if it was SQLite. */
export const errorOf = (
  error: unknown
): { readonly primary: Primary | undefined; readonly unique: boolean; readonly error: SqliteError } | undefined => {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number") return undefined
  return {
    primary: primaries[error.errcode & 0xff],
    unique: error.errcode === constraintUnique,
    error: error as SqliteError
  }
}

/** `undefined` for what is no fault of the database: a defect. */
export const toJournalError = (operation: Fault.Operation, thrown: unknown, file: string): JournalError | undefined => {
  if (thrown instanceof JournalError) return thrown
  if (thrown instanceof SyntaxError) return Fault.corrupt(operation, thrown)
  const known = errorOf(thrown)
  if (known === undefined) return fileFault(operation, thrown, file)
  const { error, primary } = known
  switch (primary) {
    case "busy":
      return Fault.fault(operation, "Unavailable", `another process keeps ${file} locked`, error)
    case "failing":
      return Fault.fault(operation, "Unavailable", `${file}: ${error.errstr}`, error)
    case "corrupt":
      return Fault.fault(operation, "Corrupt", `${file}: ${error.errstr}`, error)
    case "notDatabase":
      return Fault.fault(operation, "Refused", `${file} is no SQLite database`, error)
    default:
      return Fault.fault(operation, "Refused", `${file}: ${error.errstr}: ${error.message}`, error)
  }
}

/** The folder could not be made. */
const fileFault = (operation: Fault.Operation, thrown: unknown, file: string): JournalError | undefined =>
  thrown instanceof Error && "syscall" in thrown && "code" in thrown
    ? Fault.fault(operation, "Refused", `${file}: ${String(thrown.code)}`, thrown)
    : undefined
