/** What every operation on PostgreSQL needs. */
import type { JournalError } from "@leat/core/Journal"
import type * as Projection from "@leat/core/Projection"
import * as Effect from "effect/Effect"

import type * as Bell from "../bell.ts"
import * as Fault from "../fault.ts"
import type { Connection } from "./Connection.ts"

export interface Store {
  readonly connection: Connection
  /** Number of the namespace in `leat_namespaces`. */
  readonly namespace: number
  readonly bell: Bell.Bell
  readonly inline: ReadonlyArray<Projection.Any>
}

/** Reads rows back; what can't be read is the journal's fault, anything else ours. */
export const decode = <A>(operation: Fault.Operation, read: () => A): Effect.Effect<A, JournalError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(read())
    } catch (thrown) {
      return thrown instanceof SyntaxError ? Fault.corrupt(operation, thrown) : Effect.die(thrown)
    }
  })
