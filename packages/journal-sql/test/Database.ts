/** Databases of a test file's own, on the server that all integration tests share. */
import * as PgConnection from "@effect/sql-pg/PgConnection"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

/** Runs a statement on the database at the URL, as somebody who is not the journal. */
export const query = <Row>(url: string, ...statements: ReadonlyArray<string>): Promise<ReadonlyArray<Row>> =>
  Effect.runPromise(
    Effect.scoped(
      Effect.gen(function* () {
        const connection = yield* PgConnection.make({ url: Redacted.make(url) })
        let rows: ReadonlyArray<unknown> = []
        for (const statement of statements) rows = (yield* connection.query(statement)).rows
        return rows as ReadonlyArray<Row>
      })
    )
  )

/** The same for what gives nothing. */
export const run = async (url: string, ...statements: ReadonlyArray<string>): Promise<void> => {
  await query(url, ...statements)
}

/** Creates a database on the server at a URL, and gives the database's. */
export const create = async (server: string): Promise<string> => {
  const url = new URL(server)
  const name = `leat_${process.pid}_${performance.now().toString(36).replace(".", "")}`
  await run(server, `CREATE DATABASE ${name}`)
  url.pathname = `/${name}`
  return url.href
}
