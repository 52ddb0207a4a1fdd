/**
 * The bar for a commit: the same rows, in one statement, into the journal's own table of entries in a store that nobody
 * else uses, with the same indexes and the same settings. No streams, no versions, no positions to hand out.
 */
import { DatabaseSync } from "node:sqlite"
import type { SQLInputValue } from "node:sqlite"

import * as PgPool from "@effect/sql-pg/PgPool"
import * as PgTypes from "@effect/sql-pg/PgTypes"
import type { Draft } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import * as Scope from "effect/Scope"

import * as Requests from "./requests.ts"
import type { Request } from "./requests.ts"
import type { Address } from "./Stores.ts"

/** Writes batches of a fixed size, each in a transaction of its own. */
export interface Raw {
  readonly write: (batches: ReadonlyArray<ReadonlyArray<Request>>) => Promise<void>
  readonly close: () => Promise<void>
}

/** In a store whose tables a journal has made. */
export const open = async (address: Address, size: number): Promise<Raw> => {
  if (address.store === "memory") return openMemory()
  return address.store === "sqlite" ? openSqlite(address.file, size) : openPostgres(address.url)
}

const openMemory = (): Raw => {
  const entries: Array<Draft> = []
  const byKey = new Map<string, Draft>()
  const byId = new Map<string, Draft>()
  return {
    write: (batches) => {
      for (const batch of batches) {
        for (const { draft, key } of batch) {
          entries.push(draft)
          byKey.set(key, draft)
          byId.set(draft.id, draft)
        }
      }
      return Promise.resolve()
    },
    close: () => Promise.resolve()
  }
}

/** Numbers keys in the order in which they come, as a journal does its streams, and entries. */
class Numbers {
  #place = 0
  readonly #streams = new Map<string, number>()

  rowOf(request: Request): Row {
    const { key } = request
    const stream = this.#streams.get(key) ?? this.#streams.size + 1
    this.#streams.set(key, stream)
    return rowOf(request, (this.#place += 1), stream)
  }
}

type Row = ReturnType<typeof rowOf>

/** The columns that a journal writes of an entry; SQLite and PostgreSQL each have most of them. */
const rowOf = ({ draft }: Pick<Request, "draft">, place: number, stream: number) => {
  const { attempts, bytes, duration, id, outcome, source, steps, type } = draft
  return {
    namespace: 1,
    place,
    position: place,
    stream,
    version: place,
    // As good as any other hash of six bytes.
    digest: (Math.imul(place, 2_654_435_761) >>> 0) * 2 ** 16,
    at: source.arrival,
    resolves: null,
    type,
    event_id: id,
    outcome: outcome._tag,
    attempts,
    duration,
    worker_version: "1",
    partition: source.partition,
    source_position: source.position,
    partition_key: source.partitionKey,
    arrival: source.arrival,
    detail: outcome._tag === "Handled" ? JSON.stringify(outcome.emitted) : null,
    steps: JSON.stringify(steps),
    bytes
  }
}

const columnsOf = (table: ReadonlyArray<{ readonly name: string }>) => {
  const row = rowOf(Requests.feed(2, 1)(), 0, 0)
  return table.map(({ name }) => name).filter((name): name is keyof Row => Object.hasOwn(row, name))
}

const openSqlite = (file: string, size: number): Raw => {
  const db = new DatabaseSync(file)
  // As SqliteJournal has it: in WAL mode, and with these settings of the connection.
  db.exec("PRAGMA synchronous = full; PRAGMA cache_size = -65536; PRAGMA wal_autocheckpoint = 4000")
  const columns = columnsOf(db.prepare("SELECT name FROM pragma_table_info('leat_entries')").all() as never)
  const placeholders = `(${columns.map(() => "?").join(", ")})`
  const rows = Array.from({ length: size }, () => placeholders).join(", ")
  const insert = db.prepare(`INSERT INTO leat_entries (${columns.join(", ")}) VALUES ${rows}`)
  const numbers = new Numbers()
  return {
    write: (batches) => {
      for (const batch of batches) {
        const values: Array<SQLInputValue> = []
        for (const request of batch) {
          const row = numbers.rowOf(request)
          for (const column of columns) values.push(row[column])
        }
        db.exec("BEGIN IMMEDIATE")
        insert.run(...values)
        db.exec("COMMIT")
      }
      return Promise.resolve()
    },
    close: () => Promise.resolve(db.close())
  }
}

/** One array a column: with a parameter for each value instead, PostgreSQL takes longer. */
const openPostgres = async (url: string): Promise<Raw> => {
  const scope = Scope.makeUnsafe()
  const pool = await Effect.runPromise(Scope.provide(PgPool.make({ url: Redacted.make(url) }), scope))
  const query = (sql: string, values?: ReadonlyArray<unknown>) => pool.use((session) => session.query(sql, values))
  const found = await Effect.runPromise(query(columnsAndTypes))
  const table = found.rows as ReadonlyArray<unknown> as ReadonlyArray<{ readonly name: string; readonly type: string }>
  const columns = columnsOf(table)
  const types = columns.map(
    (column) => arrayTypes[table.find(({ name }) => name === column)?.type ?? ""] ?? arrayTypes["text"]
  )
  const arrays = types.map((type, index) => `$${index + 1}::${type?.sql}[]`)
  const insert = `INSERT INTO leat_entries (${columns.join(", ")}) SELECT * FROM unnest(${arrays.join(", ")})`
  const numbers = new Numbers()
  const write = (batch: ReadonlyArray<Request>) => {
    const rows = batch.map((request) => numbers.rowOf(request))
    const arrayOf = (column: keyof Row, oid: number) =>
      PgTypes.array(
        rows.map((row) => row[column]),
        oid
      )
    const values = columns.map((column, index) => Result.getOrThrow(arrayOf(column, types[index]?.oid ?? 0)))
    return query(insert, values)
  }
  return {
    write: (batches) => Effect.runPromise(Effect.forEach(batches, write, { discard: true })),
    close: () => Effect.runPromise(Scope.close(scope, Exit.void))
  }
}

/** How a column's values are sent; PostgreSQL makes bigints of doubles as the rows go in, the client would want BigInts. */
const arrayTypes: { readonly [column: string]: { readonly sql: string; readonly oid: number } } = {
  bigint: { sql: "double precision", oid: PgTypes.OID.float8 },
  "double precision": { sql: "double precision", oid: PgTypes.OID.float8 },
  integer: { sql: "integer", oid: PgTypes.OID.int4 },
  text: { sql: "text", oid: PgTypes.OID.text },
  bytea: { sql: "bytea", oid: PgTypes.OID.bytea }
}

const columnsAndTypes = `SELECT attname AS name, format_type(atttypid, NULL) AS type FROM pg_attribute
  WHERE attrelid = 'leat_entries'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`
