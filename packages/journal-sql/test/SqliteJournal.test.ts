import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { DatabaseSync } from "node:sqlite"

import { afterAll, assert, describe, it } from "@effect/vitest"
import * as JournalSuite from "@leat/core/testing/JournalSuite"
import * as SqliteJournal from "@leat/journal-sql/SqliteJournal"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import { draft, failure, lane, program } from "./drafts.ts"

const folder = mkdtempSync(join(tmpdir(), "leat-journal-"))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

let unused = 0
const freshFile = () => join(folder, `${(unused += 1)}`, "journal.db")

const on = (file: string, namespace?: string) => program(SqliteJournal.layer({ file, namespace, poll: 5 }))

JournalSuite.suite("SQLite", SqliteJournal.layer({ file: freshFile() }))

JournalSuite.properties("SQLite", SqliteJournal.layer({ file: freshFile() }), { runs: 20 })

JournalSuite.suite("SQLite in memory", SqliteJournal.layer({ file: ":memory:" }))

describe("a SQLite file", () => {
  it("is there again for the next process, with its positions", async () => {
    const file = freshFile()
    const first = on(file)
    await first.use((journal) => journal.commit("w", [lane("a", 0, "1", "2")]))
    await first.stop()
    const second = on(file)
    const verdicts = await second.use((journal) => journal.commit("w", [lane("a", 2, "3"), lane("b", 1, "1")]))
    assert.deepStrictEqual(verdicts, [{ position: 3 }, "conflict"])
    assert.deepStrictEqual(
      (await second.entries(0)).map(({ id, version }) => [id, version]),
      [
        ["1", 1],
        ["2", 2],
        ["3", 3]
      ]
    )
    await second.stop()
  })

  it("is shared by programs: one commits, the other knows, and hears of it", async () => {
    const file = freshFile()
    const [a, b] = [on(file), on(file)]
    const heard = b.use((journal) => Stream.runCollect(Stream.take(journal.subscribe(0), 2)))
    await a.use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    assert.deepStrictEqual(await b.use((journal) => journal.commit("w", [lane("a", 0, "1")])), ["conflict"])
    await b.use((journal) => journal.commit("w", [lane("a", 1, "2")]))
    assert.deepStrictEqual(
      (await heard).map(({ id, position }) => [position, id]),
      [
        [1, "1"],
        [2, "2"]
      ]
    )
    await Promise.all([a.stop(), b.stop()])
  })

  it("keeps namespaces apart: each has positions from 1, streams and parked entries of its own", async () => {
    const file = freshFile()
    const [a, b] = [on(file, "a"), on(file, "b")]
    const parked = draft("1", { outcome: { _tag: "Parked", reason: "for a test" } })
    await a.use((journal) => journal.commit("w", [{ key: "k", expected: 0, entries: [parked] }]))
    await b.use((journal) => journal.commit("w", [lane("k", 0, "1"), lane("l", 0, "1")]))
    assert.deepStrictEqual((await a.entries(0, { keys: ["k"] })).length, 1)
    assert.deepStrictEqual(
      (await b.entries(0)).map(({ position }) => position),
      [1, 2]
    )
    assert.deepStrictEqual(await b.use((journal) => journal.parked("w")), [])
    await Promise.all([a.stop(), b.stop()])
  })

  it("gives back a stream of many entries, and crosses what was forgotten", { timeout: 30_000 }, async () => {
    const { entries, stop, use } = on(freshFile())
    const count = 24_000
    for (let from = 0; from < count; from += 4_000) {
      const ids = Array.from({ length: 4_000 }, (_, index) => String(from + index))
      await use((journal) => journal.commit("w", [lane("long", from, ...ids)]))
    }
    await use((journal) => journal.commit("w", [lane("short", 0, "1")]))
    assert.strictEqual((await entries(0, { keys: ["long"] })).length, count)
    assert.strictEqual((await entries(0, { worker: "w", keys: ["short"] })).length, 1)
    const pruned = await use((journal) => journal.prune({ forgetBefore: Number.MAX_SAFE_INTEGER }))
    assert.deepStrictEqual(pruned, { compacted: 0, forgotten: count + 1 })
    await use((journal) => journal.commit("w", [lane("short", 1, "2")]))
    assert.deepStrictEqual(
      (await entries(0)).map(({ position, version }) => [position, version]),
      [[count + 2, 2]]
    )
    await stop()
  })
})

describe("a SQLite file that is not as it should be", () => {
  it("is refused where it is something else", async () => {
    const file = join(folder, "text.db")
    writeFileSync(file, "a text, and long enough to be looked at as a database, whose first page begins with a title.")
    const error = await failure(SqliteJournal.layer({ file }))
    assert.deepStrictEqual([error.reason, error.operation, error.retryable], ["Refused", "connect", false])
    assert.strictEqual((await failure(SqliteJournal.layer({ file: folder }))).reason, "Refused")
    assert.strictEqual((await failure(SqliteJournal.layer({ file: join(file, "below.db") }))).reason, "Refused")
  })

  it("is left alone where a newer program wrote it", async () => {
    const file = freshFile()
    await on(file).use(() => Effect.void)
    const other = new DatabaseSync(file)
    other.exec("INSERT INTO leat_migrations VALUES (999, 0)")
    other.close()
    const error = await failure(SqliteJournal.layer({ file }))
    assert.deepStrictEqual([error.reason, error.retryable], ["Incompatible", false])
    assert.match(error.message, /version 999/)
  })

  it("is said to be corrupt where an entry can't be read back", async () => {
    const file = freshFile()
    const { stop, use } = on(file)
    await use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    const other = new DatabaseSync(file)
    other.exec("UPDATE leat_entries SET detail = '[{'")
    other.close()
    const error = await use((journal) => Effect.flip(Stream.runDrain(journal.read(0))))
    assert.deepStrictEqual([error.reason, error.operation], ["Corrupt", "read"])
    await stop()
  })
})
