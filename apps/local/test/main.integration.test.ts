/** `npm start` as a process of its own: what it prints, what it serves, how it ends. */
import { spawn } from "node:child_process"
import type { ChildProcess } from "node:child_process"
import { mkdtempSync } from "node:fs"
import { connect, createServer } from "node:net"
import type { AddressInfo, Socket } from "node:net"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

import { assert, describe, it } from "@effect/vitest"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import { beforeAll } from "vitest"

import * as Bundle from "../../kinesis-lambda/test/Bundle.ts"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

interface Program {
  readonly child: ChildProcess
  readonly out: () => string
  readonly err: () => string
  /** The exit code; −1 after a signal. */
  readonly ended: Effect.Effect<number>
}

/** In a process group of its own, so that a test can ask whether anything of it is left. */
const start = (args: ReadonlyArray<string>, env: { readonly [name: string]: string } = {}) =>
  Effect.acquireRelease(
    Effect.sync((): Program => {
      const child = spawn(process.execPath, [main, ...args], {
        detached: true,
        env: {
          PATH: process.env["PATH"],
          PORT: "0",
          KINESIS_PORT: "0",
          REDIS_ENABLED: "false",
          DATABASE_URL: `sqlite:${mkdtempSync(join(tmpdir(), "leat-local-"))}/journal.sqlite`,
          ...env
        }
      })
      let out = ""
      let err = ""
      child.stdout.on("data", (chunk) => (out += String(chunk)))
      child.stderr.on("data", (chunk) => (err += String(chunk)))
      const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)))
      return { child, out: () => out, err: () => err, ended: Effect.promise(() => ended) }
    }),
    (program) => Effect.sync(() => void (isLeft(program) && process.kill(-(program.child.pid ?? 0), "SIGKILL")))
  )

const isLeft = ({ child }: Program): boolean => {
  try {
    return process.kill(-(child.pid ?? 0), 0)
  } catch {
    return false
  }
}

/** Waits for what the program says on standard output. */
const said = (program: Program, what: RegExp): Effect.Effect<RegExpExecArray> =>
  Effect.suspend(() => {
    const found = what.exec(program.out())
    return found === null ? Effect.andThen(Effect.sleep("20 millis"), said(program, what)) : Effect.succeed(found)
  })

const everything = (program: Program): string => program.out() + program.err()

interface Table {
  readonly hit: number
  readonly miss: number
  readonly all: number
  readonly requested: number
  readonly served: number
  readonly failed: number
}

const tableOf = (out: string): Table => {
  const row = (name: string) => Number(new RegExp(`^${name} +(\\d+) `, "m").exec(out)?.[1])
  const [, requested, served, failed] = /^requested (\d+), served (\d+), failed (\d+)$/m.exec(out) ?? []
  return {
    hit: row("hit"),
    miss: row("miss"),
    all: row("all"),
    requested: Number(requested),
    served: Number(served),
    failed: Number(failed)
  }
}

beforeAll(() => Bundle.ensure(), 60_000)

describe("npm start -- --once", () => {
  it.live("serves the burst, prints a table that adds up and ends with 0", () =>
    Effect.gen(function* () {
      const program = yield* start(["--once", "--requests", "300"])
      assert.strictEqual(yield* program.ended, 0, everything(program))
      const { hit, miss, ...rest } = tableOf(program.out())
      assert.deepStrictEqual(rest, { all: 300, requested: 300, served: 300, failed: 0 })
      assert.strictEqual(hit + miss, 300)
      assert.isAbove(hit, 0)
      assert.isAbove(miss, 0)
      const share = (100 * hit) / 300
      assert.include(program.out(), `hit rate ${share.toFixed(1)} %`)
      assert.isFalse(isLeft(program))
    }).pipe(Effect.scoped)
  )

  it.live("ends with 1 when the recommender fails everything, and says of how many requests", () =>
    Effect.gen(function* () {
      const failing = new URL("./fixtures/failing.ts", import.meta.url).href
      const program = yield* start(["--once", "--requests", "120"], { NODE_OPTIONS: `--import=${failing}` })
      assert.strictEqual(yield* program.ended, 1, everything(program))
      const table = tableOf(program.out())
      assert.deepStrictEqual(table, { hit: 0, miss: 0, all: 0, requested: 120, served: 0, failed: 120 })
      assert.match(program.err(), /^120 of 120 requests were not served$/m)
      const given = [...program.err().matchAll(/^on-failure destination: (.*)$/gm)].map(
        ([, document]) => JSON.parse(document ?? "") as { readonly KinesisBatchInfo: { readonly batchSize: number } }
      )
      assert.strictEqual(
        given.reduce((sum, { KinesisBatchInfo }) => sum + KinesisBatchInfo.batchSize, 0),
        120
      )
      assert.isFalse(isLeft(program))
    }).pipe(Effect.scoped)
  )
})

describe("npm start -- --once that is interrupted", () => {
  it.live("ends soon, and with 1, for not every request was served", () =>
    Effect.gen(function* () {
      const program = yield* start(["--once", "--requests", "100000", "--rate", "200"])
      yield* said(program, /published [1-9]/)
      program.child.kill("SIGINT")
      assert.strictEqual(yield* Effect.timeout(program.ended, "5 seconds"), 1)
      assert.isFalse(isLeft(program))
    }).pipe(Effect.scoped)
  )
})

describe("npm start", () => {
  it.live("stays, serves a record that is put on its stream, and ends with 0 on Ctrl-C, leaving nothing", () =>
    Effect.gen(function* () {
      const program = yield* start(["--requests", "100"])
      yield* said(program, /Ctrl-C ends it\./)
      assert.include(tableOf(program.out()), { requested: 100, served: 100, failed: 0 })
      const [, endpoint = ""] = yield* said(program, /(http:\S+), the stream movie-rec-requests/)
      const [, url = ""] = yield* said(program, /(http:\S+)\/recommend\/cached\/123/)

      const put = (request_id: string) => {
        const record = { user_id: 123, top_n: 20, request_id, timestamp: "2025-10-24T10:30:00Z" }
        const data = new TextEncoder().encode(JSON.stringify(record))
        return Effect.flatMap(KinesisClient.KinesisClient, (client) =>
          client.putRecords("movie-rec-requests", [{ data, partitionKey: "user-123" }])
        ).pipe(Effect.provide(KinesisClient.layer({ endpoint })))
      }
      yield* put("test-1")
      yield* said(program, /^served 1 \(hit [01], miss [01]\) in [\d.]+ ms$/m)
      yield* put("test-1")
      yield* put("test-2")
      yield* said(program, /^served 1 \(hit 1, miss 0\) in [\d.]+ ms$/m)
      assert.notMatch(program.out(), /^served 2/m, "the same request again is a duplicate")

      const get = (path: string) =>
        Effect.promise(async () => (await fetch(url + path)).json() as Promise<Record<string, unknown>>)
      assert.deepInclude(yield* get("/requests/test-1"), { user_id: 123, status: "served" })
      const posted = yield* Effect.promise(() =>
        fetch(`${url}/requests`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: '{"user_id":123,"request_id":"test-3"}'
        })
      )
      assert.deepStrictEqual([posted.status, posted.headers.get("location")], [202, "/requests/test-3"])
      assert.deepInclude(yield* get("/requests/test-3"), { user_id: 123, request_id: "test-3" })
      yield* Effect.repeat(get("/requests/test-3"), {
        until: (answer) => answer["status"] === "served",
        schedule: Schedule.spaced("50 millis")
      })
      const { requests } = yield* get("/users/123/history")
      assert.deepStrictEqual(
        (requests as ReadonlyArray<{ readonly request_id: string }>).slice(0, 3).map(({ request_id }) => request_id),
        ["test-3", "test-2", "test-1"]
      )

      const answer = yield* Effect.promise(async () => (await fetch(`${url}/recommend/cached/123?top_n=20`)).json())
      assert.deepInclude(answer, { user_id: 123, count: 20 })

      const asked = performance.now()
      program.child.kill("SIGINT")
      assert.strictEqual(yield* program.ended, 0, everything(program))
      assert.isBelow(performance.now() - asked, 5_000)
      assert.isFalse(isLeft(program))
      for (const address of [url, endpoint]) {
        const refused = yield* Effect.promise(() =>
          fetch(address).then(
            () => false,
            () => true
          )
        )
        assert.isTrue(refused, `${address} still answers`)
      }
    }).pipe(Effect.scoped)
  )

  for (const [moment, what] of [
    ["before it serves", /starting the stream/],
    ["in the middle of the burst", /published [1-9]/]
  ] as const) {
    it.live(`ends within five seconds on Ctrl-C ${moment}, leaving nothing`, () =>
      Effect.gen(function* () {
        const program = yield* start(["--requests", "100000", "--rate", "200"])
        yield* said(program, what)
        const asked = performance.now()
        program.child.kill("SIGINT")
        assert.strictEqual(yield* program.ended, 0)
        assert.isBelow(performance.now() - asked, 5_000)
        assert.isFalse(isLeft(program))
        assert.notMatch(program.err(), /\n {4}at /)
      }).pipe(Effect.scoped)
    )
  }

  it.live("ends at once on a second Ctrl-C, while the first still waits for a request half sent", () =>
    Effect.gen(function* () {
      const program = yield* start(["--requests", "100"])
      const [, port = ""] = yield* said(program, /http:\S+:(\d+)\/recommend\/cached\/123/)
      yield* Effect.acquireRelease(
        Effect.callback<Socket>((resume) => {
          const socket = connect(Number(port), "127.0.0.1", () =>
            socket.write("GET /health HTTP/1.1\r\n", () => resume(Effect.succeed(socket)))
          )
          socket.on("error", () => undefined)
        }),
        (socket) => Effect.sync(() => socket.destroy())
      )
      // Behind it, so that when this is answered the half one has come in, however busy the machine is.
      yield* Effect.promise(() => fetch(`http://127.0.0.1:${port}/health`).then((response) => response.text()))
      program.child.kill("SIGINT")
      yield* Effect.sleep("500 millis")
      assert.isTrue(isLeft(program))
      const asked = performance.now()
      program.child.kill("SIGINT")
      assert.strictEqual(yield* program.ended, 130)
      assert.isBelow(performance.now() - asked, 2_000)
      assert.isFalse(isLeft(program))
    }).pipe(Effect.scoped)
  )
})

describe("npm start -- --help", () => {
  it.live("prints the usage, starts nothing and ends with 0", () =>
    Effect.gen(function* () {
      const program = yield* start(["--help"])
      assert.strictEqual(yield* program.ended, 0)
      assert.match(program.out(), /^usage: npm start/)
      assert.strictEqual(program.err(), "")
    }).pipe(Effect.scoped)
  )
})

describe("what npm start refuses", () => {
  for (const args of [["--requests", "0"], ["--rate", "many"], ["--nope"]]) {
    it.live(`${args.join(" ")}: says so with the usage, starts nothing and ends with 2`, () =>
      Effect.gen(function* () {
        const program = yield* start(args)
        assert.strictEqual(yield* program.ended, 2)
        assert.include(program.err(), args[0] ?? "")
        assert.include(program.err(), "usage: npm start")
        assert.strictEqual(program.out(), "")
      }).pipe(Effect.scoped)
    )
  }

  for (const [name, value] of [
    ["KINESIS_PORT", "70000"],
    ["TOP_N_MAX", "0"],
    ["PORT", "http"]
  ] as const) {
    it.live(`${name}=${value}: names the variable and ends with 1`, () =>
      Effect.gen(function* () {
        const program = yield* start(["--once", "--requests", "100"], { [name]: value })
        assert.strictEqual(yield* program.ended, 1)
        assert.match(everything(program), new RegExp(`configuration: .*${name}`))
        assert.notMatch(everything(program), /\n {4}at /)
        assert.isFalse(isLeft(program))
      }).pipe(Effect.scoped)
    )
  }

  it.live("a broken REDIS_ENDPOINT: names it without its password and ends with 1", () =>
    Effect.gen(function* () {
      const env = { REDIS_ENABLED: "true", REDIS_ENDPOINT: "redis://:hunter2@ho st" }
      const program = yield* start(["--once", "--requests", "100"], env)
      assert.strictEqual(yield* program.ended, 1)
      assert.match(everything(program), /REDIS_ENDPOINT/)
      assert.notInclude(everything(program), "hunter2")
    }).pipe(Effect.scoped)
  )

  for (const name of ["PORT", "KINESIS_PORT"]) {
    it.live(`a ${name} that is taken: names the variable and the port in one line and ends with 1`, () =>
      Effect.gen(function* () {
        const server = yield* Effect.acquireRelease(
          Effect.sync(() => createServer()),
          (one) => Effect.sync(() => one.close())
        )
        yield* Effect.promise(() => new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve)))
        const { port } = server.address() as AddressInfo
        const program = yield* start(["--once", "--requests", "100"], { [name]: String(port) })
        assert.strictEqual(yield* program.ended, 1)
        assert.match(everything(program), new RegExp(`^configuration: .*\\b${name}\\b.*:${port}$`, "m"))
        assert.notMatch(everything(program), /\n {4}at /)
        assert.isFalse(isLeft(program))
      }).pipe(Effect.scoped)
    )
  }
})
