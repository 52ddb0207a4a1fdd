import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterAll, assert, describe, it } from "@effect/vitest"
import { Journal } from "@leat/core/Journal"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const folder = mkdtempSync(join(tmpdir(), "leat-config-"))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

const provider = (env: { readonly [name: string]: string }) =>
  ConfigProvider.layer(ConfigProvider.fromEnv({ env: { ...env } }))

const address = (env: { readonly [name: string]: string }, withoutUrl: JournalConfig.WithoutUrl = "none") =>
  Effect.provide(JournalConfig.address({ withoutUrl }), provider(env))

const durable = (env: { readonly [name: string]: string }, withoutUrl: JournalConfig.WithoutUrl) =>
  Effect.map(Journal, (journal) => journal.durable).pipe(
    Effect.provide(JournalConfig.layerConfig({ withoutUrl }).pipe(Layer.provide(provider(env))))
  )

describe("DATABASE_URL", () => {
  it.effect("left out or empty means what the program says it means", () =>
    Effect.gen(function* () {
      assert.isFalse(yield* durable({}, "none"))
      assert.isFalse(yield* durable({ DATABASE_URL: "" }, "none"))
      assert.isTrue(yield* durable({}, { sqlite: join(folder, "made/default.db") }))
    })
  )

  it.effect("names a SQLite file", () =>
    Effect.gen(function* () {
      const file = (url: string) => Effect.map(address({ DATABASE_URL: url }), (found) => found)
      for (const [url, path] of [
        ["sqlite:journal.db", "journal.db"],
        ["file:./a/journal.db", "./a/journal.db"],
        ["sqlite:/var/journal.db", "/var/journal.db"],
        ["sqlite:///var/journal.db", "/var/journal.db"],
        ["sqlite::memory:", ":memory:"]
      ] as const) {
        assert.deepStrictEqual(yield* file(url), { _tag: "Sqlite", file: path, namespace: "default" })
      }
      assert.isTrue(yield* durable({ DATABASE_URL: `sqlite:${join(folder, "named.db")}` }, "none"))
    })
  )

  it.effect("names a PostgreSQL server", () =>
    Effect.gen(function* () {
      for (const url of ["postgres://me:secret@db:5433/leat", "postgresql://db/leat?sslmode=require"]) {
        assert.strictEqual((yield* address({ DATABASE_URL: url }))._tag, "Postgres")
      }
    })
  )

  it.effect("of any other kind is refused, by its name and without its value", () =>
    Effect.gen(function* () {
      for (const url of [
        "mysql://me:s3cr3t@db/leat",
        "s3cr3t",
        "sqlite:",
        "postgres:s3cr3t",
        "postgres://me:s3cr3t@:bad:/"
      ]) {
        const error = yield* Effect.flip(address({ DATABASE_URL: url }))
        assert.strictEqual(error._tag, "ConfigError")
        assert.match(error.message, /DATABASE_URL .*postgres:.*sqlite:PATH/)
        assert.notInclude(error.message, "s3cr3t")
      }
    })
  )
})

describe("JOURNAL_NAMESPACE", () => {
  it.effect("keeps programs apart that share a database", () =>
    Effect.gen(function* () {
      const found = yield* address({ JOURNAL_NAMESPACE: "tenant-1" }, { sqlite: "x.db" })
      assert.deepStrictEqual(found, { _tag: "Sqlite", file: "x.db", namespace: "tenant-1" })
      const empty = yield* address({ JOURNAL_NAMESPACE: "" }, { sqlite: "x.db" })
      assert.deepStrictEqual(empty, { _tag: "Sqlite", file: "x.db", namespace: "default" })
    })
  )
})
