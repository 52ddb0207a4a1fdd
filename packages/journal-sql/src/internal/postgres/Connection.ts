import type * as PgConnection from "@effect/sql-pg/PgConnection"
import * as PgPool from "@effect/sql-pg/PgPool"
/** Sessions with the server: queries, transactions, and the errors of both as the journal's. */
import type { JournalError } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"

import * as Fault from "../fault.ts"
import * as PostgresError from "./postgresError.ts"

/** Where statements go: a session of its own, or any of the pool. */
export interface Session {
  readonly query: <Row>(
    operation: Fault.Operation,
    sql: string,
    values?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, JournalError>
}

export interface Connection extends Session {
  /** All or nothing, on one session. */
  readonly transaction: <A>(
    operation: Fault.Operation,
    body: (session: Session) => Effect.Effect<A, JournalError>
  ) => Effect.Effect<A, JournalError>
  readonly pool: PgPool.PgPool
}

/**
 * Gives up after a while. A server that stands still keeps the driver waiting also for an interruption, so the statement is
 * left to a fiber of its own: it holds its session until the server answers or the connection is found dead. A commit that
 * was given up may have been made; compare-and-set makes trying it again safe. What calls `begun` is bounded by its own
 * statements from then on.
 */
const bounded =
  (timeout: number, address: string, operation: Fault.Operation) =>
  <A>(self: (begun: () => void) => Effect.Effect<A, JournalError>): Effect.Effect<A, JournalError> =>
    Effect.callback<A, JournalError>((resume) => {
      const alarm = setTimeout(() => {
        // First the answer: a fiber that ends at once answers too.
        resume(Fault.fault(operation, "Unavailable", `${address} did not answer within ${timeout} ms`))
        fiber.interruptUnsafe()
      }, timeout)
      const fiber = Effect.runFork(self(() => clearTimeout(alarm)))
      fiber.addObserver((exit) => {
        clearTimeout(alarm)
        resume(exit)
      })
      return Effect.sync(() => {
        clearTimeout(alarm)
        fiber.interruptUnsafe()
      })
    })

/** `address`: host, port and database, for messages; `timeout`: milliseconds for a statement. */
export const make = (
  config: PgPool.Config,
  address: string,
  timeout: number
): Effect.Effect<Connection, JournalError, Scope.Scope> =>
  Effect.gen(function* () {
    const fail = (operation: Fault.Operation) => (error: SqlError) =>
      PostgresError.toJournalError(operation, error, address)
    const pool = yield* Effect.mapError(PgPool.make(config), fail("connect"))
    const on = (
      use: <A>(f: (session: PgConnection.PgConnection) => Effect.Effect<A, SqlError>) => Effect.Effect<A, SqlError>
    ): Session => ({
      query: <Row>(operation: Fault.Operation, sql: string, values?: ReadonlyArray<unknown>) =>
        bounded(
          timeout,
          address,
          operation
        )(() =>
          Effect.mapBoth(
            use((session) => session.query(sql, values)),
            { onFailure: fail(operation), onSuccess: ({ rows }) => rows as ReadonlyArray<Row> }
          )
        )
    })
    return {
      ...on((f) => pool.use(f)),
      pool,
      transaction: (operation, body) =>
        bounded(
          timeout,
          address,
          operation
        )((begun) =>
          Effect.scoped(
            Effect.flatMap(Effect.mapError(pool.reserve, fail(operation)), (session) => {
              begun()
              return inTransaction(
                on((f) => f(session)),
                operation,
                body
              )
            })
          )
        )
    }
  })

/** A program that was stopped in the middle holds locks: the server ends it, so that the others go on. */
const leaveNobodyWaiting = "SET LOCAL idle_in_transaction_session_timeout = '10s'"

const inTransaction = <A>(
  session: Session,
  operation: Fault.Operation,
  body: (session: Session) => Effect.Effect<A, JournalError>
): Effect.Effect<A, JournalError> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.andThen(
      Effect.andThen(session.query(operation, "BEGIN"), session.query(operation, leaveNobodyWaiting)),
      Effect.flatMap(Effect.exit(restore(body(session))), (exit) =>
        Exit.isSuccess(exit)
          ? Effect.as(session.query(operation, "COMMIT"), exit.value)
          : Effect.andThen(Effect.ignore(session.query(operation, "ROLLBACK")), exit)
      )
    )
  )
