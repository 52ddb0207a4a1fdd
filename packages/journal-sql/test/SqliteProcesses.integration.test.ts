import { execFile } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"
import { promisify } from "node:util"

import { afterAll, assert, describe, it } from "@effect/vitest"
import * as SqliteJournal from "@leat/journal-sql/SqliteJournal"
import * as Effect from "effect/Effect"

import { lane, program } from "./drafts.ts"

const folder = mkdtempSync(join(tmpdir(), "leat-processes-"))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

let unused = 0
const freshFile = () => join(folder, `${(unused += 1)}`, "journal.db")

const on = (file: string) => program(SqliteJournal.layer({ file }))

describe("a SQLite file of many processes", () => {
  it("is made by whoever starts first, of ten processes that start at once", { timeout: 60_000 }, async () => {
    const file = freshFile()
    const env = { ...process.env, DATABASE_URL: `sqlite:${file}` }
    const start = () =>
      promisify(execFile)(process.execPath, [join(import.meta.dirname, "start.ts")], { env, encoding: "utf8" })
    const verdicts = (await Promise.all(Array.from({ length: 10 }, start))).flatMap(
      ({ stdout }) => JSON.parse(stdout) as ReadonlyArray<{ readonly position: number }>
    )
    assert.deepStrictEqual(
      verdicts.map(({ position }) => position).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    )
  })

  it("is busy where another one keeps it locked, and takes the commit afterwards", { timeout: 30_000 }, async () => {
    const file = freshFile()
    const { stop, use } = on(file)
    await use(() => Effect.void)
    const other = new DatabaseSync(file)
    other.exec("BEGIN IMMEDIATE")
    const commit = (journal: Parameters<Parameters<typeof use>[0]>[0]) => journal.commit("w", [lane("a", 0, "1")])
    const error = await use((journal) => Effect.flip(commit(journal)))
    assert.deepStrictEqual([error.reason, error.operation, error.retryable], ["Unavailable", "commit", true])
    other.exec("ROLLBACK")
    assert.deepStrictEqual(await use(commit), [{ position: 1 }])
    other.close()
    await stop()
  })
})
