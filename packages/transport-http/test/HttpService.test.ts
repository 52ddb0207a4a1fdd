import * as Net from "node:net"

import { assert, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as OpenApi from "effect/http-api/OpenApi"
import * as HttpRouter from "effect/http/HttpRouter"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Latch from "effect/Latch"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import { describe } from "vitest"

import * as HttpService from "../src/HttpService.ts"

const gate = Latch.makeUnsafe()

const Routes = Layer.mergeAll(
  HttpRouter.add("GET", "/long/:name", HttpServerResponse.text("long")),
  HttpRouter.add("GET", "/hello", HttpServerResponse.text("hello")),
  HttpRouter.add("GET", "/boom", Effect.die(new Error("password hunter2"))),
  HttpRouter.add("GET", "/bare", HttpServerResponse.empty({ status: 409 })),
  HttpRouter.add("GET", "/wait", Effect.as(gate.await, HttpServerResponse.text("done"))),
  HttpRouter.add(
    "POST",
    "/echo",
    Effect.flatMap(HttpServerRequest.HttpServerRequest, (request) =>
      Effect.map(request.text, (text) => HttpServerResponse.text(text))
    )
  ),
  HttpRouter.use((router) => router.prefixed("/v1").add("PUT", "/items/:id", HttpServerResponse.empty()))
)

const document = OpenApi.fromApi(
  HttpApi.make("a")
    .add(
      HttpApiGroup.make("a").add(
        HttpApiEndpoint.get("one", "/one/:id", { params: { id: Schema.String }, success: Schema.Array(Schema.Int) })
      )
    )
    .annotate(OpenApi.Title, "<script>alert(1)</script>")
)

const started = (options: HttpService.Options = {}) =>
  Effect.map(
    Layer.build(Layer.provide(HttpService.layer(Routes, { port: 0, ...options }), Logger.layer([]))),
    (context) => Context.get(context, HttpService.HttpService)
  )

type Service = HttpService.HttpService["Service"]

const ask = (service: Service, path: string, init?: RequestInit) =>
  Effect.promise(async () => {
    const response = await fetch(`${service.url}${path}`, init)
    return { status: response.status, headers: response.headers, text: await response.text() }
  })

const raw = (service: Service, text: string) =>
  Effect.callback<string>((resume) => {
    const socket = Net.connect(service.port, "127.0.0.1", () => socket.write(text))
    let found = ""
    socket.on("data", (chunk) => (found += chunk.toString()))
    socket.on("error", () => undefined)
    socket.on("close", () => resume(Effect.succeed(found)))
  })

const problem = (found: { readonly status: number; readonly text: string; readonly headers: Headers }) => {
  assert.strictEqual(found.headers.get("content-type"), "application/problem+json")
  const body: { readonly status: number; readonly type: string; readonly title: string; readonly detail?: string } =
    JSON.parse(found.text)
  assert.strictEqual(body.status, found.status)
  return body
}

const until = (done: () => boolean): Effect.Effect<void> =>
  Effect.suspend(() => (done() ? Effect.void : Effect.andThen(Effect.sleep("5 millis"), until(done))))

describe("a service", () => {
  it.live("is live, and ready without anything to check", () =>
    Effect.gen(function* () {
      const service = yield* started()
      assert.strictEqual((yield* ask(service, "/hello")).text, "hello")
      assert.strictEqual((yield* ask(service, "/health")).text, '{"status":"ok"}')
      assert.strictEqual((yield* ask(service, "/ready")).text, '{"status":"ready","checks":{}}')
      assert.strictEqual((yield* ask(service, "/hello", { method: "HEAD" })).status, 200)
      assert.strictEqual((yield* ask(service, `/long/${"9".repeat(400)}`)).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live("is not ready while a check fails or does not answer, and names it without its words", () =>
    Effect.gen(function* () {
      const checks = {
        redis: Effect.void,
        engine: Effect.fail({ message: "hunter2" }),
        other: Effect.die("hunter2"),
        slow: Effect.never
      }
      const service = yield* started({ checks, checkTimeout: "20 millis" })
      const found = yield* ask(service, "/ready")
      assert.strictEqual(found.status, 503)
      assert.deepStrictEqual(JSON.parse(found.text), {
        status: "unavailable",
        checks: { redis: "ok", engine: "failed", other: "failed", slow: "timeout" }
      })
    }).pipe(Effect.scoped)
  )

  it.live("is ready while only something it watches is down", () =>
    Effect.gen(function* () {
      const service = yield* started({
        checks: { engine: Effect.void },
        watched: { redis: Effect.fail({ message: "down" }) }
      })
      const found = yield* ask(service, "/ready")
      assert.strictEqual(found.status, 200)
      assert.deepStrictEqual(JSON.parse(found.text), { status: "ready", checks: { redis: "failed", engine: "ok" } })
    }).pipe(Effect.scoped)
  )

  it.live("serves its document, and a page of it that loads nothing and escapes everything", () =>
    Effect.gen(function* () {
      const service = yield* started({ openApi: document })
      assert.deepStrictEqual(
        JSON.parse((yield* ask(service, "/openapi.json")).text),
        JSON.parse(JSON.stringify(document))
      )
      const page = yield* ask(service, "/docs")
      assert.match(page.headers.get("content-security-policy") ?? "", /^default-src 'none'; style-src 'sha256-/)
      assert.include(page.text, "/one/{id}")
      assert.include(page.text, "&lt;script&gt;alert(1)")
      assert.notMatch(page.text, /<script|<img|<link|src=|http:|https:/)
    }).pipe(Effect.scoped)
  )

  it.live("without a document has no page", () =>
    Effect.gen(function* () {
      const service = yield* started()
      assert.strictEqual((yield* ask(service, "/docs")).status, 404)
    }).pipe(Effect.scoped)
  )
})

describe("an error", () => {
  it.live("is a problem: 404 for a path, 405 for a method, with what is allowed", () =>
    Effect.gen(function* () {
      const service = yield* started()
      assert.strictEqual(problem(yield* ask(service, "/nope?secret=1")).detail, "no such path: /nope")
      const wrong = yield* ask(service, "/echo")
      assert.strictEqual(problem(wrong).status, 405)
      assert.strictEqual(wrong.headers.get("allow"), "POST, OPTIONS")
      assert.strictEqual((yield* ask(service, "/v1/items/1")).headers.get("allow"), "PUT, OPTIONS")
      const options = yield* ask(service, "/hello", { method: "OPTIONS" })
      assert.deepStrictEqual([options.status, options.headers.get("allow")], [204, "GET, HEAD, OPTIONS"])
    }).pipe(Effect.scoped)
  )

  it.live("that nobody expected is 500, says nothing of itself and is logged", () =>
    Effect.gen(function* () {
      const lines: Array<string> = []
      const logger = Logger.make(({ cause, message }) => void lines.push(`${String(message)} ${Cause.pretty(cause)}`))
      const service = yield* Effect.map(
        Layer.build(Layer.provide(HttpService.layer(Routes, { port: 0 }), Logger.layer([logger]))),
        (context) => Context.get(context, HttpService.HttpService)
      )
      const found = yield* ask(service, "/boom?token=abc")
      assert.deepStrictEqual(problem(found), { type: "about:blank", title: "Internal Server Error", status: 500 })
      assert.match(lines.join("\n"), /GET \/boom failed.*hunter2/s)
      assert.notInclude(lines.join("\n"), "token=abc")
    }).pipe(Effect.scoped)
  )

  it.live("that a route leaves bare gets a body", () =>
    Effect.gen(function* () {
      assert.strictEqual(problem(yield* ask(yield* started(), "/bare")).title, "Conflict")
    }).pipe(Effect.scoped)
  )

  it.live("of too large a body is 413, with a length and without one", () =>
    Effect.gen(function* () {
      const service = yield* started({ maxBodyBytes: 1000 })
      const body = "x".repeat(1001)
      assert.strictEqual((yield* ask(service, "/echo", { method: "POST", body: "x".repeat(1000) })).status, 200)
      assert.strictEqual(problem(yield* ask(service, "/echo", { method: "POST", body })).status, 413)
      const chunked = `POST /echo HTTP/1.1\r\nHost: a\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3e9\r\n${body}\r\n0\r\n\r\n`
      assert.match(yield* raw(service, chunked), /^HTTP\/1.1 413 .*"status":413/s)
    }).pipe(Effect.scoped)
  )

  it.live("of too long a URL is 414, of too many headers 431, of no HTTP 400", () =>
    Effect.gen(function* () {
      const service = yield* started({ maxUrlLength: 100 })
      assert.strictEqual(problem(yield* ask(service, `/hello?${"x".repeat(100)}`)).status, 414)
      assert.match(
        yield* raw(service, `GET / HTTP/1.1\r\nHost: a\r\nX: ${"x".repeat(20_000)}\r\n\r\n`),
        /^HTTP\/1.1 431 .*problem\+json/s
      )
      assert.match(yield* raw(service, "nonsense\r\n\r\n"), /^HTTP\/1.1 400 .*problem\+json/s)
    }).pipe(Effect.scoped)
  )

  it.live("regression: of no Host is 400, of an unknown expectation 417, each a problem", () =>
    Effect.gen(function* () {
      const service = yield* started()
      const hostless = yield* raw(service, "GET /hello HTTP/1.1\r\nConnection: close\r\n\r\n")
      assert.match(hostless, /^HTTP\/1.1 400 [\s\S]*application\/problem\+json[\s\S]*"status":400/)
      const old = yield* raw(service, "GET /hello HTTP/1.0\r\n\r\n")
      assert.match(old, /^HTTP\/1.1 200 /)
      const expecting = yield* raw(service, "GET /hello HTTP/1.1\r\nHost: a\r\nExpect: b\r\nConnection: close\r\n\r\n")
      assert.match(expecting, /^HTTP\/1.1 417 [\s\S]*application\/problem\+json[\s\S]*"status":417/)
    })
  )

  it.live("of a sender that never ends its headers is 408", () =>
    Effect.gen(function* () {
      const service = yield* started({ headersTimeout: "100 millis" })
      assert.match(yield* raw(service, "GET / HTTP/1.1\r\nHost: a\r\n"), /^HTTP\/1.1 408 .*"status":408/s)
    }).pipe(Effect.scoped)
  )
})

describe("over its limit", () => {
  it.live("a service answers 503 with Retry-After, but still its probes", () =>
    Effect.gen(function* () {
      gate.closeUnsafe()
      const service = yield* started({ maxConcurrent: 2, retryAfter: "1500 millis" })
      const waiting = yield* Effect.forkChild(
        Effect.all([ask(service, "/wait"), ask(service, "/wait")], { concurrency: 2 })
      )
      yield* until(() => service.inFlight() === 2)
      const refused = yield* ask(service, "/hello")
      assert.strictEqual(problem(refused).status, 503)
      assert.strictEqual(refused.headers.get("retry-after"), "2")
      assert.strictEqual((yield* ask(service, "/health")).status, 200)
      assert.strictEqual((yield* ask(service, "/ready")).status, 200)
      gate.openUnsafe()
      assert.deepStrictEqual(
        (yield* Fiber.join(waiting)).map((one) => one.text),
        ["done", "done"]
      )
      assert.strictEqual((yield* ask(service, "/hello")).status, 200)
      assert.strictEqual(service.inFlight(), 0)
    }).pipe(Effect.scoped)
  )

  it.live("a request whose client went away is no longer counted", () =>
    Effect.gen(function* () {
      gate.closeUnsafe()
      const service = yield* started()
      const aborter = new AbortController()
      const waiting = yield* Effect.forkChild(Effect.exit(ask(service, "/wait", { signal: aborter.signal })))
      yield* until(() => service.inFlight() === 1)
      aborter.abort()
      yield* until(() => service.inFlight() === 0)
      yield* Fiber.join(waiting)
    }).pipe(Effect.scoped)
  )
})

describe("at its end", () => {
  it.live("a service says that it drains, finishes what is in flight and takes nothing new", () =>
    Effect.gen(function* () {
      gate.closeUnsafe()
      const scope = yield* Scope.make()
      const service = yield* Effect.provideService(started({ drainDelay: "100 millis" }), Scope.Scope, scope)
      const waiting = yield* Effect.forkChild(ask(service, "/wait"))
      yield* until(() => service.inFlight() === 1)
      const closing = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* until(service.draining)
      const ready = yield* ask(service, "/ready")
      assert.deepStrictEqual([ready.status, ready.headers.get("connection")], [503, "close"])
      assert.strictEqual((yield* ask(service, "/hello")).status, 200)
      yield* Effect.sleep("150 millis")
      assert.isTrue(Exit.isFailure(yield* Effect.exit(ask(service, "/hello"))))
      gate.openUnsafe()
      assert.strictEqual((yield* Fiber.join(waiting)).text, "done")
      yield* Fiber.join(closing)
    })
  )

  it.live("regression: a service does not wait for who sent no HTTP and never hangs up", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const service = yield* Scope.provide(started({ drainTimeout: "10 seconds" }), scope)
      const answered = Promise.withResolvers<void>()
      const socket = Net.connect({ port: service.port, host: "127.0.0.1", allowHalfOpen: true }, () =>
        socket.write("no HTTP\r\n\r\n")
      )
      socket.on("data", () => answered.resolve())
      socket.on("error", () => undefined)
      yield* Effect.promise(() => answered.promise)
      yield* Effect.timeout(Scope.close(scope, Exit.void), "5 seconds")
      socket.destroy()
    })
  )

  it.live("regression: a service does not wait for a connection that was opened ahead and never used", () =>
    Effect.gen(function* () {
      const scope = yield* Scope.make()
      const service = yield* Scope.provide(started({ drainTimeout: "10 seconds" }), scope)
      const opened = Promise.withResolvers<void>()
      const socket = Net.connect(service.port, "127.0.0.1", opened.resolve)
      socket.on("error", () => undefined)
      yield* Effect.promise(() => opened.promise)
      yield* ask(service, "/hello")
      yield* Effect.timeout(Scope.close(scope, Exit.void), "3 seconds")
      socket.destroy()
    })
  )

  it.live("a service does not wait for a request that hangs, nor for one half sent", () =>
    Effect.gen(function* () {
      gate.closeUnsafe()
      const scope = yield* Scope.make()
      const service = yield* Effect.provideService(started({ drainTimeout: "50 millis" }), Scope.Scope, scope)
      const waiting = yield* Effect.forkChild(Effect.exit(ask(service, "/wait")))
      const half = yield* Effect.forkChild(raw(service, "GET /hello HTTP/1.1\r\nHost: a\r\n"))
      yield* until(() => service.inFlight() === 1)
      yield* Effect.sleep("20 millis")
      yield* Effect.timeout(Scope.close(scope, Exit.void), "3 seconds")
      assert.isTrue(Exit.isFailure(yield* Fiber.join(waiting)))
      assert.strictEqual(yield* Fiber.join(half), "")
    })
  )
})

describe("its address", () => {
  const read = (env: Record<string, string>) =>
    Effect.exit(HttpService.address).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))

  it.effect("is 127.0.0.1:8082 unless HOST and PORT say otherwise", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* read({}), Exit.succeed({ host: "127.0.0.1", port: 8082 }))
      assert.deepStrictEqual(yield* read({ HOST: "0.0.0.0", PORT: "80" }), Exit.succeed({ host: "0.0.0.0", port: 80 }))
      for (const PORT of ["65536", "-1", "http"]) assert.include(String(yield* read({ PORT })), "PORT")
    })
  )

  it.live("that is taken is an error", () =>
    Effect.gen(function* () {
      const service = yield* started()
      const exit = yield* Effect.exit(started({ port: service.port }))
      assert.include(String(exit), "EADDRINUSE")
    }).pipe(Effect.scoped)
  )
})
