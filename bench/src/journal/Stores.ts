import { readFileSync } from "node:fs"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

import * as PgClient from "@effect/sql-pg/PgClient"
import { layerMemory } from "@leat/core/Journal"
import type { Journal, JournalError } from "@leat/core/Journal"
import * as PostgresJournal from "@leat/journal-sql/PostgresJournal"
import * as SqliteJournal from "@leat/journal-sql/SqliteJournal"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

import { PostgresServer } from "../../../scripts/postgres-server.ts"
import { temporaryDir } from "../../../scripts/servers/temporary-dir.ts"
import * as Cores from "../Cores.ts"

export const names = ["memory", "sqlite", "postgres"] as const
export type StoreName = (typeof names)[number]

/** Where a journal lies: plain data, so that a child can be told. */
export type Address = { readonly store: "memory" } | Durable

/** Where a journal lies that another process can look into. */
export type Durable =
  | { readonly store: "sqlite"; readonly file: string }
  | { readonly store: "postgres"; readonly url: string }

/** A folder for files of SQLite and a PostgreSQL whose commits wait for the disk, on the core that is not measured. */
export interface Stores {
  /** A store that nobody has written to. */
  readonly fresh: (store: StoreName) => Promise<Address>
  readonly freshDurable: (store: Durable["store"]) => Promise<Durable>
  /** What a load leaves for later is done now: half-full pages of the log, statistics, rows to be frozen. */
  readonly settle: (address: Address) => Promise<void>
  /** How many entries there are. */
  readonly count: (address: Durable) => Promise<number>
  readonly close: () => Promise<void>
}

export const start = async (): Promise<Stores> => {
  const folder = temporaryDir("leat-bench-")
  const server = await PostgresServer.start({ durable: true })
  for (const pid of [server.pid, ...childrenOf(server.pid)]) Cores.pin(Cores.others, pid)
  let made = 0
  const freshDurable = async (store: Durable["store"]): Promise<Durable> => {
    made += 1
    if (store === "sqlite") return { store, file: join(folder.path, `journal-${made}.db`) }
    await query(server.url, `CREATE DATABASE journal_${made}`)
    return { store, url: server.url.replace(/[^/]*$/, `journal_${made}`) }
  }
  return {
    freshDurable,
    fresh: async (store) => (store === "memory" ? { store } : freshDurable(store)),
    settle: async (address) => {
      if (address.store !== "postgres") return
      await query(address.url, "VACUUM ANALYZE")
      await query(address.url, "CHECKPOINT")
    },
    count: async (address) => {
      const statement = "SELECT count(*) AS total FROM leat_entries"
      if (address.store === "postgres") return Number((await query(address.url, statement))[0]?.["total"])
      const db = new DatabaseSync(address.file, { readOnly: true })
      try {
        return Number(db.prepare(statement).get()?.["total"])
      } finally {
        db.close()
      }
    },
    close: async () => {
      await server.stop()
      folder.discard()
    }
  }
}

/** Backends inherit the postmaster's core; its helpers run already. Linux only, as is pinning. */
const childrenOf = (pid: number): ReadonlyArray<number> => {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim().split(" ").map(Number)
  } catch {
    return []
  }
}

const query = (url: string, statement: string) =>
  Effect.flatMap(PgClient.PgClient, (sql) => sql.unsafe<{ readonly [column: string]: unknown }>(statement)).pipe(
    Effect.provide(PgClient.layer({ url: Redacted.make(url) })),
    Effect.runPromise
  )

/** The value of `DATABASE_URL` for an address. */
export const urlOf = (address: Durable): string =>
  address.store === "postgres" ? address.url : `sqlite:${address.file}`

/** The journal as a program gets it by default. */
export const layer = (address: Address): Layer.Layer<Journal, JournalError> =>
  address.store === "memory"
    ? layerMemory
    : address.store === "sqlite"
      ? SqliteJournal.layer({ file: address.file })
      : PostgresJournal.layer({ url: Redacted.make(address.url) })
