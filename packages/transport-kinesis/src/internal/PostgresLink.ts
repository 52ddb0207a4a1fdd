/** Statements on a PostgreSQL, each bounded in time, their errors by reason. */
import * as PgPool from "@effect/sql-pg/PgPool"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { SqlError } from "effect/sql/SqlError"

import { bounded } from "./Bounded.ts"

/** Why PostgreSQL did not do what it was asked. */
export interface PostgresFault {
  readonly reason: "Unavailable" | "Refused"
  readonly message: string
  readonly cause?: unknown
}

export interface PostgresLink {
  readonly query: <Row>(
    sql: string,
    values?: ReadonlyArray<unknown>
  ) => Effect.Effect<ReadonlyArray<Row>, PostgresFault>
}

/** Host, port and database, for messages: what can't hold a password, and only of a URL that is one. */
export const nameOf = (secret: Redacted.Redacted): Effect.Effect<string, PostgresFault> => {
  const url = URL.parse(Redacted.value(secret))
  return url === null || !/^postgres(ql)?:$/.test(url.protocol)
    ? Effect.fail({
        reason: "Refused",
        message: "the URL of PostgreSQL is not postgres://user:password@host:port/database"
      })
    : Effect.succeed(`${url.hostname || "localhost"}:${url.port || "5432"}${url.pathname}`)
}

export const open = (
  config: PgPool.Config & { readonly url: Redacted.Redacted },
  timeout: number
): Effect.Effect<PostgresLink, PostgresFault, Scope.Scope> =>
  Effect.gen(function* () {
    const name = yield* nameOf(config.url)
    const pool = yield* Effect.mapError(PgPool.make({ connectTimeout: timeout, ...config }), (error) =>
      toFault(name, error)
    )
    return {
      query: <Row>(sql: string, values?: ReadonlyArray<unknown>) =>
        Effect.mapBoth(
          pool.use((session) => session.query(sql, values)),
          { onFailure: (error) => toFault(name, error), onSuccess: ({ rows }) => rows as ReadonlyArray<Row> }
        ).pipe(bounded(timeout, () => late(name, timeout)))
    }
  })

export const late = (name: string, timeout: number): PostgresFault => ({
  reason: "Unavailable",
  message: `PostgreSQL at ${name} did not answer within ${timeout} ms`
})

/** What passes by itself: no resources (53), shutdown and crash (57P), a server that fails over and can't write (25006). */
const passing = /^(40|53|57P|58|XX|25006$)/

export const toFault = (name: string, error: SqlError): PostgresFault => {
  const { reason } = error
  const unavailable = reason._tag !== "AuthenticationError" && (reason.isRetryable || passing.test(stateOf(error)))
  return {
    reason: unavailable ? "Unavailable" : "Refused",
    message: `PostgreSQL at ${name}: ${textOf(reason)}`,
    cause: error
  }
}

/** Five characters, where the server itself answered. @see https://www.postgresql.org/docs/current/errcodes-appendix.html */
const stateOf = ({ reason: { cause } }: SqlError): string =>
  typeof cause === "object" && cause !== null && "code" in cause && typeof cause.code === "string" ? cause.code : ""

/** The client's own words say where it failed, the cause's say why. */
const textOf = ({ cause, message }: SqlError["reason"]): string =>
  [message.replace(/^Pg\w+: /, ""), whyOf(cause)].filter((text) => text !== "").join(": ")

/** What a socket throws that tried several addresses has a code and no message. */
const whyOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return ""
  if (cause.message !== "") return cause.message
  return "code" in cause && typeof cause.code === "string" ? cause.code : ""
}
