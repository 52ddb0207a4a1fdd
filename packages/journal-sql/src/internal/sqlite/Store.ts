/** What every operation on SQLite needs: the connection, the namespace and the clock. */
import type { JournalError } from "@leat/core/Journal"
import type * as Projection from "@leat/core/Projection"
import * as Effect from "effect/Effect"

import type * as Bell from "../bell.ts"
import type * as Fault from "../fault.ts"
import type { Database } from "./Database.ts"
import * as SqliteError from "./sqliteError.ts"

export interface Store {
  readonly db: Database
  readonly file: string
  /** Number of the namespace in `leat_namespaces`. */
  readonly namespace: number
  /** Place of the namespace's position 0: see {@link placesOf}. */
  readonly base: number
  readonly now: () => number
  readonly bell: Bell.Bell
  readonly inline: ReadonlyArray<Projection.Any>
}

/**
 * An entry's row number is its *place*: the namespace's number × 2^40 + its position. So the table itself is in order of
 * commit in each namespace, appended at its end, and needs no index for it.
 */
export const placesOf = 2 ** 40

/** More would not be exact numbers any more. */
export const maxNamespaces = 2 ** 13 - 1

/** Runs synchronous work on the database; what SQLite throws becomes the error, anything else is a defect. */
export const attempt = <A>(
  store: Pick<Store, "file">,
  operation: Fault.Operation,
  work: () => A
): Effect.Effect<A, JournalError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (thrown) {
      const error = SqliteError.toJournalError(operation, thrown, store.file)
      return error === undefined ? Effect.die(thrown) : Effect.fail(error)
    }
  })
