import { createServer } from "node:net"
import type { AddressInfo } from "node:net"
import { inspect } from "node:util"

import { assert, describe, it } from "@effect/vitest"
import type { LaneCommit } from "@leat/core/Journal"
import * as JournalSuite from "@leat/core/testing/JournalSuite"
import * as PostgresJournal from "@leat/journal-sql/PostgresJournal"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Stream from "effect/Stream"
import { inject } from "vitest"

import { PostgresServer } from "../../../scripts/postgres-server.ts"
import * as Database from "./Database.ts"
import { draft, failure, lane, program } from "./drafts.ts"

const server = inject("postgres").url

const layer = (url: string, options: Partial<PostgresJournal.PostgresOptions> = {}) =>
  PostgresJournal.layer({ url: Redacted.make(url), ...options })

JournalSuite.suite("PostgreSQL", layer(await Database.create(server)), { timeout: 60_000 })

JournalSuite.properties("PostgreSQL", layer(await Database.create(server)), { runs: 20 })

describe("a database", () => {
  it("is made ready by whoever starts first, of ten that start at once", async () => {
    const url = await Database.create(server)
    const programs = Array.from({ length: 10 }, () => program(layer(url)))
    const verdicts = await Promise.all(
      programs.map(({ use }, index) => use((journal) => journal.commit("w", [lane(String(index), 0, "1")])))
    )
    assert.deepStrictEqual(
      verdicts.flatMap((own) => own.map((one) => (one === "conflict" ? 0 : one.position))).toSorted((a, b) => a - b),
      [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]
    )
    await Promise.all(programs.map(({ stop }) => stop()))
  })

  it("keeps namespaces apart", async () => {
    const url = await Database.create(server)
    const [a, b] = [program(layer(url, { namespace: "a" })), program(layer(url, { namespace: "b" }))]
    await a.use((journal) => journal.commit("w", [lane("k", 0, "1"), lane("l", 0, "1")]))
    assert.deepStrictEqual(await b.use((journal) => journal.commit("w", [lane("k", 0, "1")])), [{ position: 1 }])
    assert.deepStrictEqual((await b.entries(0)).length, 1)
    await Promise.all([a.stop(), b.stop()])
  })

  it("takes keys, types and ids of any length and any characters", async () => {
    const { entries, stop, use } = program(layer(await Database.create(server)))
    const names = [
      "\u0000",
      "\u0010",
      "\ud800",
      "é".repeat(9_000),
      `${"é".repeat(9_000)}\u0000`,
      "\u{1f600}".repeat(3_000)
    ]
    const lanes = names.map((name): LaneCommit => ({ key: name, expected: 0, entries: [draft(name, { type: name })] }))
    assert.notInclude(await use((journal) => journal.commit("w", lanes)), "conflict")
    assert.deepStrictEqual(
      (await entries(0)).map(({ id, key, type }) => [key, type, id]),
      names.map((name) => [name, name, name])
    )
    const asked = names.map((name) => ({ key: name, deliveries: [{ type: name, id: name }] }))
    const { heads } = await use((journal) => journal.open("w", asked))
    assert.isTrue(heads.every(({ known, version }) => version === 1 && known?.[0]?._tag === "Handled"))
    await stop()
  })
})

describe("positions", () => {
  it("are seen in order, and none is passed over, while a transaction is slow to end", async () => {
    const url = await Database.create(server)
    const { stop, use } = program(layer(url))
    await use((journal) => journal.commit("w", [lane("first", 0, "1")]))
    const seen = use((journal) => Stream.runCollect(Stream.take(journal.subscribe(0), 102)))
    const slow = Database.run(url, "BEGIN", slowCommit, "SELECT pg_sleep(0.5)", "COMMIT")
    await use(() => Effect.sleep("200 millis"))
    const lanes = Array.from({ length: 100 }, (_, index) => lane(`fast-${index}`, 0, "1"))
    await Promise.all([slow, ...lanes.map((one) => use((journal) => journal.commit("w", [one])))])
    assert.deepStrictEqual(
      (await seen).map(({ position }) => position),
      Array.from({ length: 102 }, (_, index) => index + 1)
    )
    await stop()
  })

  it("have no gap where a transaction is rolled back", async () => {
    const url = await Database.create(server)
    const { stop, use } = program(layer(url))
    await use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    await Database.run(url, "BEGIN", slowCommit, "ROLLBACK")
    assert.deepStrictEqual(await use((journal) => journal.commit("w", [lane("a", 1, "2")])), [{ position: 2 }])
    await stop()
  })
})

describe("a subscriber", () => {
  it("hears of what other programs commit without looking", async () => {
    const url = await Database.create(server)
    const [a, b] = [program(layer(url, { poll: "1 hour" })), program(layer(url, { poll: "1 hour" }))]
    const heard = a.use((journal) => Stream.runCollect(Stream.take(journal.subscribe(0), 2)))
    await b.use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    await b.use((journal) => Effect.andThen(Effect.sleep("300 millis"), journal.commit("w", [lane("a", 1, "2")])))
    assert.deepStrictEqual(
      (await heard).map(({ id }) => id),
      ["1", "2"]
    )
    await Promise.all([a.stop(), b.stop()])
  })
})

describe("commits that meet", () => {
  it("never wait for each other in a circle", { timeout: 60_000 }, async () => {
    const url = await Database.create(server)
    const { stop, use } = program(layer(url))
    const keys = Array.from({ length: 20 }, (_, index) => `key-${index}`)
    const round = (writer: number, turn: number) =>
      use((journal) =>
        Effect.gen(function* () {
          const mine = (writer + turn) % 2 === 0 ? keys : keys.toReversed()
          const { heads } = yield* journal.open(
            "w",
            mine.map((key) => ({ key, deliveries: [] }))
          )
          const lanes = mine.map((key, index) => lane(key, heads[index]?.version ?? 0, `${writer}/${turn}`))
          const verdicts = yield* journal.commit("w", lanes)
          return verdicts.filter((verdict) => verdict !== "conflict").length
        })
      )
    let committed = 0
    for (let turn = 0; turn < 20; turn += 1) {
      const counts = await Promise.all(Array.from({ length: 8 }, (_, writer) => round(writer, turn)))
      committed += counts.reduce((sum, one) => sum + one)
    }
    assert.isAtLeast(committed, 20 * keys.length)
    const [{ deadlocks } = { deadlocks: -1 }] = await Database.query<{ readonly deadlocks: number }>(
      url,
      "SELECT deadlocks::int FROM pg_stat_database WHERE datname = current_database()"
    )
    assert.strictEqual(deadlocks, 0)
    await stop()
  })
})

describe("a server", () => {
  const secret = "s3cr3t-pa55"

  const refuses = async (url: string, reason: string, retryable: boolean) => {
    const error = await failure(layer(url))
    assert.deepStrictEqual(
      [error._tag, error.operation, error.reason, error.retryable],
      ["JournalError", "connect", reason, retryable]
    )
    assert.notInclude(inspect(error, { depth: 20, showHidden: true }), secret)
    assert.notInclude(JSON.stringify(error), secret)
  }

  it("that is no address is refused, and the address is not repeated", () =>
    refuses(`host:${secret}@x`, "Refused", false))

  it("of another kind is refused, and its address is not repeated", () =>
    refuses(`mysql://me:${secret}@127.0.0.1/db`, "Refused", false))

  it("that nobody started is unavailable", () => refuses(`postgres://me:${secret}@127.0.0.1:1/db`, "Unavailable", true))

  it("without this database refuses", () => {
    const url = new URL(server)
    url.pathname = "/nowhere"
    url.password = secret
    return refuses(url.href, "Refused", false)
  })

  it("that takes no password refuses, and the password is not repeated", async () => {
    // The servers of these tests trust everybody; what one with passwords answers is this message.
    const fields = ["SFATAL", "C28P01", 'Mpassword authentication failed for user "me"', ""].join("\0") + "\0"
    const message = Buffer.alloc(5 + fields.length)
    message.write("E", 0)
    message.writeInt32BE(4 + fields.length, 1)
    message.write(fields, 5)
    const strict = createServer((socket) => socket.once("data", () => socket.end(message)))
    await new Promise<void>((resolve) => strict.listen(0, "127.0.0.1", resolve))
    const { port } = strict.address() as AddressInfo
    await refuses(`postgres://me:${secret}@127.0.0.1:${port}/db?sslmode=disable`, "Refused", false)
    strict.close()
  })

  it("with the tables of a newer program is left alone", async () => {
    const url = await Database.create(server)
    await program(layer(url)).use(() => Effect.void)
    await Database.run(url, "INSERT INTO leat_migrations (version) VALUES (999)")
    const error = await failure(layer(url))
    assert.deepStrictEqual([error.reason, error.retryable], ["Incompatible", false])
    assert.match(error.message, /version 999/)
  })

  it("that goes down is unavailable, and used again when it is back", { timeout: 60_000 }, async () => {
    const first = await PostgresServer.start({ durable: true })
    const { stop, use } = program(layer(first.url))
    await use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    await first.kill()
    const error = await use((journal) => Effect.flip(journal.commit("w", [lane("a", 1, "2")])))
    assert.deepStrictEqual([error.reason, error.operation, error.retryable], ["Unavailable", "commit", true])
    const second = await PostgresServer.start({ port: first.port, dataDir: first.dataDir })
    assert.deepStrictEqual(await use((journal) => journal.commit("w", [lane("a", 1, "2")])), [{ position: 2 }])
    await stop()
    await second.stop()
  })
})

describe("a server that stands still", () => {
  it("is unavailable after the timeout, and used again when it goes on", { timeout: 60_000 }, async () => {
    const own = await PostgresServer.start()
    const { stop, use } = program(layer(own.url, { timeout: "500 millis", maxConnections: 2 }))
    await use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    own.freeze()
    for (let tried = 0; tried < 4; tried++) {
      const asked = performance.now()
      const error = await use((journal) => Effect.flip(journal.commit("w", [lane("a", 1, "2")])))
      assert.deepStrictEqual([error.reason, error.operation, error.retryable], ["Unavailable", "commit", true])
      assert.isBelow(performance.now() - asked, 3_000)
    }
    own.thaw()
    const settle = () => use((journal) => Effect.exit(journal.commit("w", [lane("a", 1, "2")])))
    // What was given up may have been made when the server went on: then it is a conflict, and never twice.
    while ((await settle())._tag !== "Success") await new Promise((resolve) => setTimeout(resolve, 100))
    const heads = await use((journal) => journal.open("w", [{ key: "a", deliveries: [{ type: "Tested", id: "2" }] }]))
    assert.deepStrictEqual(
      heads.heads.map(({ known, version }) => [version, known?.[0]?._tag]),
      [[2, "Handled"]]
    )
    await stop()
    await own.stop()
  })
})

describe("a program that ends while the server stands still", () => {
  it("regression: ends in a moment, also with a subscriber", { timeout: 60_000 }, async () => {
    const own = await PostgresServer.start()
    const { stop, use } = program(layer(own.url, { timeout: "500 millis" }))
    const following = use((journal) => Effect.timeoutOption(Stream.runDrain(journal.subscribe(0)), "1 second"))
    await use((journal) => journal.commit("w", [lane("a", 0, "1")]))
    await following
    own.freeze()
    const asked = performance.now()
    await stop()
    assert.isBelow(performance.now() - asked, 5_000)
    own.thaw()
    await own.stop()
  })
})

/** A commit of somebody whose transaction ends when he likes. */
const slowCommit = `SELECT leat_commit_1(
  1, 'w', 15000,
  ARRAY['slow'], ARRAY[NULL]::text[], ARRAY[0], ARRAY[1], ARRAY[0], ARRAY[0], ARRAY[0], ARRAY[false],
  ARRAY[1], ARRAY[1], ARRAY[1], ARRAY['Tested'], ARRAY['1'], ARRAY['0'], ARRAY['1'], ARRAY[''], ARRAY[0],
  ARRAY['\\x']::bytea[], ARRAY['Handled'], ARRAY[NULL]::text[], ARRAY[1], ARRAY[1], ARRAY[NULL]::text[],
  ARRAY[1], ARRAY[NULL]::text[], ARRAY[NULL]::text[], ARRAY[NULL]::double precision[]
)`
