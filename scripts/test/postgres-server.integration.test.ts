import { type ChildProcess, spawn } from "node:child_process"
import { once } from "node:events"
import { existsSync, mkdtempSync, rmSync } from "node:fs"
import { connect } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { afterEach, describe, expect, inject, it, vi } from "vitest"

import { ensurePostgres, ensurePostgresServer } from "../ensurePostgres.ts"
import { type PostgresOptions, PostgresServer } from "../postgres-server.ts"

const started: Array<PostgresServer> = []
const start = async (options?: PostgresOptions) => {
  const server = await PostgresServer.start(options)
  started.push(server)
  return server
}

afterEach(async () => {
  await Promise.all(started.splice(0).map((server) => server.stop()))
  vi.unstubAllEnvs()
})

const lengthOf = (body: string) => {
  const length = Buffer.alloc(4)
  length.writeInt32BE(4 + Buffer.byteLength(body))
  return length.toString("latin1")
}

const startup = "\0\x03\0\0user\0postgres\0database\0postgres\0\0"

/** The messages of the server: a letter, a length, a body. See "Message Formats" in PostgreSQL's manual. */
const messages = (bytes: Buffer): ReadonlyArray<{ readonly type: string; readonly body: string }> => {
  const found = []
  for (let at = 0; at + 5 <= bytes.length;) {
    const end = at + 1 + bytes.readInt32BE(at + 1)
    if (end > bytes.length) break
    found.push({ type: String.fromCharCode(bytes[at] ?? 0), body: bytes.toString("utf8", at + 5, end) })
    at = end
  }
  return found
}

/** The only column of the rows, the error, that the server hung up, or silence for as long as `patience`. */
const query = (port: number, sql: string, patience = 5_000): Promise<string> =>
  new Promise((resolve) => {
    let received = Buffer.alloc(0)
    const socket = connect(port, "127.0.0.1", () => socket.write(lengthOf(startup) + startup, "latin1"))
    const settle = (text: string) => {
      socket.destroy()
      resolve(text)
    }
    socket.setTimeout(patience, () => settle("silence"))
    socket.once("error", (error) => settle("code" in error ? String(error.code) : error.message))
    socket.once("close", () => settle("hung up"))
    let asked = false
    socket.on("data", (bytes) => {
      received = Buffer.concat([received, Buffer.from(bytes)])
      const all = messages(received)
      const error = all.find(({ type }) => type === "E")
      if (error !== undefined) settle(error.body.replaceAll("\0", " "))
      const ready = all.filter(({ type }) => type === "Z").length
      if (ready === 1 && !asked) {
        asked = true
        socket.write(`Q${lengthOf(`${sql}\0`)}${sql}\0`, "latin1")
      }
      // A row begins with its number of columns (2 bytes) and the length of the first (4 bytes).
      if (ready === 2) settle(all.flatMap(({ type, body }) => (type === "D" ? [body.slice(6)] : [])).join(","))
    })
  })

const firstLine = async ({ stdout }: ChildProcess): Promise<string> =>
  stdout === null ? "" : String((await once(stdout, "data"))[0]).trim()

describe("a PostgreSQL of a test's own", () => {
  it("answers once started, and is gone with its data once stopped", async () => {
    const server = await start()
    expect(await query(server.port, "select 1")).toBe("1")
    await server.stop()
    await server.stop()
    expect(await query(server.port, "select 1")).toBe("ECONNREFUSED")
    expect(existsSync(server.dataDir)).toBe(false)
  })

  it("has what was committed when it comes back on its port after a kill, durable or not", async () => {
    for (const durable of [true, false]) {
      const server = await start({ durable })
      const { port, dataDir } = server
      expect(await query(port, "show fsync")).toBe(durable ? "on" : "off")
      await query(port, "create table t as select 7 as n")
      await server.kill()
      expect(await query(port, "select 1")).toBe("ECONNREFUSED")
      const again = await start({ port, dataDir, durable })
      expect(await query(port, "select n from t")).toBe("7")
      await server.stop()
      expect(existsSync(dataDir)).toBe(true)
      await again.stop()
      expect(existsSync(dataDir)).toBe(false)
    }
  })

  it("takes down a query that runs when it is killed", async () => {
    const server = await start()
    const sleeping = query(server.port, "select pg_sleep(60)", 20_000)
    await vi.waitUntil(
      async () => (await query(server.port, "select 1 from pg_stat_activity where wait_event = 'PgSleep'")) === "1"
    )
    await server.kill()
    expect(await sleeping).toMatch(/hung up|ECONNRESET/)
  })

  it("leaves a data directory that the test made", async () => {
    const dataDir = mkdtempSync(join(tmpdir(), "leat-test-"))
    const server = await start({ dataDir })
    await query(server.port, "create table t as select 7 as n")
    await server.stop()
    const { port } = await start({ dataDir })
    expect(await query(port, "select n from t")).toBe("7")
    await started.at(-1)?.stop()
    rmSync(dataDir, { recursive: true })
  })

  it("accepts connections and says nothing while frozen, and can be stopped frozen", async () => {
    const server = await start()
    server.freeze()
    expect(await query(server.port, "select 1", 100)).toBe("silence")
    server.thaw()
    expect(await query(server.port, "select 1")).toBe("1")
    server.freeze()
    await server.stop()
    expect(await query(server.port, "select 1")).toBe("ECONNREFUSED")
  })

  it("doesn't take another server on its port for itself", async () => {
    const { port } = await start()
    await expect(start({ port })).rejects.toThrow("ended before it answered")
  })

  it("dies with the process that started it, and leaves nothing, even when that is killed", async () => {
    const module = join(import.meta.dirname, "../postgres-server.ts")
    const program = `const { PostgresServer } = await import(${JSON.stringify(module)})
      const { port, dataDir } = await PostgresServer.start()
      console.log(JSON.stringify({ port, dataDir }))
      setInterval(() => {}, 1000)`
    const starter = spawn(process.execPath, ["--input-type=module", "--eval", program], {
      stdio: ["ignore", "pipe", "inherit"]
    })
    const { port, dataDir } = JSON.parse(await firstLine(starter))
    expect(await query(port, "select 1")).toBe("1")
    starter.kill("SIGKILL")
    await vi.waitUntil(async () => (await query(port, "select 1")) === "ECONNREFUSED", 10_000)
    await vi.waitUntil(() => !existsSync(dataDir), 10_000)
  })
})

describe("the ladder", () => {
  it("takes the server that POSTGRES_URL names, but none of somebody else's to kill", () => {
    vi.stubEnv("POSTGRES_URL", "postgres://me:secret@db.example:5433/leat")
    expect(ensurePostgres()).toMatchObject({ kind: "url", url: { hostname: "db.example", port: "5433" } })
    expect(ensurePostgresServer().kind).not.toBe("url")
  })

  it("refuses a POSTGRES_URL that is none", () => {
    vi.stubEnv("POSTGRES_URL", "db.example:5433")
    expect(ensurePostgres).toThrow("POSTGRES_URL is not a postgres:// or postgresql:// URL")
  })
})

it("is there for every integration test, shared", async () => {
  const { port, url } = inject("postgres")
  expect(new URL(url).port).toBe(String(port))
  expect(await query(port, "select 1")).toBe("1")
})
