/** One connection to a SQLite file: prepared statements by their text, and transactions. Synchronous, as SQLite is. */
import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"
import type { SQLInputValue, StatementSync } from "node:sqlite"

import { errorOf } from "./sqliteError.ts"

export type Value = SQLInputValue

export interface DatabaseOptions {
  readonly file: string
  readonly synchronous: "full" | "normal"
}

/** Milliseconds that a statement waits for another process's transaction. */
const busyTimeout = 5_000

export class Database {
  readonly #connection: DatabaseSync
  readonly #statements = new Map<string, StatementSync>()

  constructor({ file, synchronous }: DatabaseOptions) {
    if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true })
    this.#connection = new DatabaseSync(file, { timeout: busyTimeout })
    this.#patiently(() => this.#connection.exec("PRAGMA journal_mode = WAL"))
    // The indexes take new rows anywhere: 64 MB keep their pages out of the file, and a longer log writes each of them
    // back once for many commits.
    this.#connection.exec(`
      PRAGMA synchronous = ${synchronous};
      PRAGMA cache_size = -65536;
      PRAGMA wal_autocheckpoint = 4000
    `)
  }

  exec(sql: string): void {
    this.#connection.exec(sql)
  }

  run(sql: string, ...values: ReadonlyArray<Value>): number {
    return Number(this.#prepare(sql).run(...values).changes)
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the row that its SQL selects
  get<Row>(sql: string, ...values: ReadonlyArray<Value>): Row | undefined {
    return this.#prepare(sql).get(...values) as Row | undefined
  }

  // oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names the row that its SQL selects
  all<Row>(sql: string, ...values: ReadonlyArray<Value>): ReadonlyArray<Row> {
    return this.#prepare(sql).all(...values) as ReadonlyArray<unknown> as ReadonlyArray<Row>
  }

  /** All or nothing; nobody else writes meanwhile. */
  write<A>(body: () => A): A {
    return this.#transaction("BEGIN IMMEDIATE", body)
  }

  /** Sees one state of the file, and takes its lock once for all statements. */
  read<A>(body: () => A): A {
    return this.#transaction("BEGIN", body)
  }

  close(): void {
    this.#statements.clear()
    this.#connection.close()
  }

  #transaction<A>(begin: string, body: () => A): A {
    this.run(begin)
    try {
      const result = body()
      this.run("COMMIT")
      return result
    } catch (error) {
      // A full disk has ended the transaction already.
      if (this.#connection.isTransaction) this.run("ROLLBACK")
      throw error
    }
  }

  #prepare(sql: string): StatementSync {
    const found = this.#statements.get(sql)
    if (found !== undefined) return found
    const statement = this.#connection.prepare(sql)
    this.#statements.set(sql, statement)
    return statement
  }

  /** Changing to WAL doesn't wait for others, whatever the timeout says; so this does, in the same way. */
  #patiently(body: () => void): void {
    for (let waited = 0; ; waited += pause) {
      try {
        return body()
      } catch (error) {
        if (errorOf(error)?.primary !== "busy" || waited >= busyTimeout) throw error
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause)
      }
    }
  }
}

const pause = 10
