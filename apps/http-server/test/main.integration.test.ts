import type { ChildProcess } from "node:child_process"
import { spawn } from "node:child_process"
import { connect, createServer } from "node:net"
import type { AddressInfo, Server } from "node:net"
import { fileURLToPath } from "node:url"

import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { describe } from "vitest"

const main = fileURLToPath(new URL("../src/main.ts", import.meta.url))

interface Program {
  readonly child: ChildProcess
  readonly said: () => string
  readonly ended: Effect.Effect<number>
}

const start = (env: Record<string, string>) =>
  Effect.acquireRelease(
    Effect.sync((): Program => {
      const child = spawn(process.execPath, [main], {
        env: { PATH: process.env["PATH"], REDIS_ENABLED: "false", ...env }
      })
      const said: Array<string> = []
      for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => said.push(String(chunk)))
      const ended = new Promise<number>((resolve) => child.once("close", (code) => resolve(code ?? -1)))
      return { child, said: () => said.join(""), ended: Effect.promise(() => ended) }
    }),
    ({ child }) => Effect.sync(() => child.kill("SIGKILL"))
  )

const serving = (program: Program, processes: number): Effect.Effect<string> =>
  Effect.suspend(() => {
    const found = [...program.said().matchAll(/recommendations at (http:\S+),/g)]
    const url = found[processes - 1]?.[1]
    return url === undefined
      ? Effect.andThen(Effect.sleep("50 millis"), serving(program, processes))
      : Effect.succeed(url)
  })

describe("pnpm --filter http-server start", () => {
  for (const [name, value] of [
    ["PORT", "http"],
    ["WORKERS", "0"],
    ["TOP_N_MAX", "0"],
    ["CACHE_TTL", "an hour"],
    ["REDIS_ENABLED", "perhaps"],
    ["PORT", "65536"],
    ["WORKERS", "many"]
  ] as const) {
    it.live(`says that ${name}=${value} is wrong, and ends with 1`, () =>
      Effect.gen(function* () {
        const program = yield* start({ WORKERS: "1", PORT: "0", [name]: value })
        assert.strictEqual(yield* program.ended, 1)
        assert.match(program.said(), new RegExp(`configuration: .*${name}`))
        assert.notMatch(program.said(), /\n {4}at /)
      }).pipe(Effect.scoped)
    )
  }

  for (const [title, env, names] of [
    ["a Redis port that is none", { REDIS_PORT: "abc" }, "REDIS_PORT"],
    ["a Redis port that contradicts the endpoint's", { REDIS_ENDPOINT: "127.0.0.1:1", REDIS_PORT: "2" }, "REDIS_PORT"],
    ["a Redis endpoint that is none", { REDIS_ENDPOINT: "http://:hunter2@host" }, "REDIS_ENDPOINT"],
    ["a Redis endpoint that is broken", { REDIS_ENDPOINT: "redis://:hunter2@ho st" }, "REDIS_ENDPOINT"]
  ] as const) {
    it.live(`names the variable of ${title}, without its password, and ends with 1`, () =>
      Effect.gen(function* () {
        const redis = { REDIS_ENABLED: "true", REDIS_ENDPOINT: "127.0.0.1", REDIS_PASSWORD: "hunter2" }
        const program = yield* start({ WORKERS: "1", PORT: "0", ...redis, ...env })
        assert.strictEqual(yield* program.ended, 1)
        assert.match(program.said(), new RegExp(`configuration: .*${names}`))
        assert.notInclude(program.said(), "hunter2")
      }).pipe(Effect.scoped)
    )
  }

  for (const workers of [1, 2]) {
    it.live(`says that its port is taken, and ends with 1, with ${workers} processes`, () =>
      Effect.gen(function* () {
        const taken = yield* Effect.acquireRelease(
          Effect.promise(
            () =>
              new Promise<Server>((resolve) => {
                const server = createServer().listen(0, "127.0.0.1", () => resolve(server))
              })
          ),
          (server) => Effect.sync(() => server.close())
        )
        const { port } = taken.address() as AddressInfo
        const program = yield* start({ WORKERS: String(workers), PORT: String(port) })
        assert.strictEqual(yield* program.ended, 1)
        assert.match(program.said(), /EADDRINUSE/)
        assert.include(program.said(), String(port))
      }).pipe(Effect.scoped)
    )
  }

  for (const workers of [1, 2]) {
    it.live(`serves from ${workers} processes, finishes what is in flight on SIGTERM and ends with 0`, () =>
      Effect.gen(function* () {
        const program = yield* start({ WORKERS: String(workers), PORT: "0" })
        const url = yield* serving(program, workers)
        const answer = yield* Effect.promise(async () => (await fetch(`${url}/recommend/cached/123?top_n=5`)).json())
        assert.deepInclude(answer, { user_id: 123, count: 5, from_cache: false })
        const half = yield* Effect.forkChild(slowRequest(Number(new URL(url).port)))
        yield* Effect.sleep("200 millis")
        program.child.kill("SIGTERM")
        assert.match(yield* Fiber.join(half), /^HTTP\/1.1 200 OK/)
        assert.strictEqual(yield* program.ended, 0)
      }).pipe(Effect.scoped)
    )
  }
})

/** A batch whose body comes in two halves, the second long after the signal. */
const slowRequest = (port: number): Effect.Effect<string> =>
  Effect.callback((resume) => {
    const body = JSON.stringify({ requests: [{ user_id: 1 }] })
    const head = `POST /internal/recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n`
    let answer = ""
    const socket = connect(port, "127.0.0.1", () => {
      socket.write(head + body.slice(0, 5))
      setTimeout(() => socket.write(body.slice(5)), 600)
    })
    socket.on("data", (chunk) => (answer += String(chunk)))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(answer)))
  })
