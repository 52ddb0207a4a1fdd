/** Bad input on every route of the running service: a problem that names each fault, never a 500, never a crash. */
import { connect } from "node:net"

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import { badRecords } from "../../kinesis-lambda/test/BadRecords.ts"
import * as RecommenderStub from "../../kinesis-lambda/test/RecommenderStub.ts"
import * as Requests from "../../kinesis-lambda/test/Requests.ts"
import * as Client from "./Client.ts"
import * as Service from "./Service.ts"

const started = Effect.flatMap(RecommenderStub.start, ({ url }) => Service.start(url))

/** Runs a test on a service, which must be in good health afterwards and have logged no failure of its own. */
const withService = (test: (service: Service.Service) => Effect.Effect<void, never, Scope.Scope>) =>
  Effect.gen(function* () {
    const service = yield* started
    yield* test(service)
    const after = yield* Client.send(service.port, "/recommend/cached/1?top_n=1")
    assert.strictEqual(after.status, 200)
    assert.strictEqual(service.inFlight(), 0)
    assert.deepStrictEqual(service.logged, [])
    assert.notProperty({}, "user_id")
  }).pipe(Effect.scoped)

const post = (
  service: Service.Service,
  path: string,
  body: string | Uint8Array,
  headers: Client.Sent["headers"] = {}
) => Client.send(service.port, path, { body, headers: { ...Client.json, ...headers } })

const users = [
  "0",
  "-1",
  "1.5",
  "1e3",
  "0x10",
  "9007199254740992",
  "1".repeat(400),
  "abc",
  "%20",
  "%00",
  "1%2F2",
  "%EF%BC%91",
  "%F0%9F%8E%AC",
  "__proto__",
  "constructor",
  "1,2",
  "+1"
]

const topNs = ["0", "-1", "101", "20.0", "1e1", "", "abc", "%2B5", "5%20", "1e999", "9".repeat(30), "null", "[5]"]

const routes = ["/internal/recommend/", "/recommend/cached/"]

describe("a question for one user", () => {
  it.live("is refused with the faults of its user and of its top_n", () =>
    withService((service) =>
      Effect.gen(function* () {
        for (const route of routes) {
          for (const user of users) {
            const answer = yield* Client.send(service.port, `${route}${user}`)
            assert.strictEqual(answer.status, 422, user)
            assert.deepStrictEqual(Client.faultsOf(answer), ["params.user_id"], user)
          }
          for (const top_n of topNs) {
            const answer = yield* Client.send(service.port, `${route}1?top_n=${top_n}`)
            assert.strictEqual(answer.status, 422, top_n)
            assert.deepStrictEqual(Client.faultsOf(answer), ["query.top_n"], top_n)
          }
          const both = yield* Client.send(service.port, `${route}abc?top_n=0`)
          assert.deepStrictEqual(Client.faultsOf(both), ["params.user_id", "query.top_n"])
        }
      })
    )
  )

  it.live("that names top_n twice, or in another way, is refused; what nobody knows is let be", () =>
    withService((service) =>
      Effect.gen(function* () {
        for (const route of routes) {
          for (const query of ["top_n=5&top_n=6", "top_n=5&top_n=5", "top_n=&top_n=5"]) {
            const answer = yield* Client.send(service.port, `${route}1?${query}`)
            assert.strictEqual(answer.status, 422, query)
            assert.deepStrictEqual(Client.faultsOf(answer), ["query.top_n"], query)
          }
          for (const query of [
            "utm_source=x&utm_source=y",
            "__proto__=5&constructor=1",
            "top_n=20&%zz=1",
            "&&&",
            "top_n[]=5"
          ]) {
            const answer = yield* Client.send(service.port, `${route}1?${query}`)
            assert.strictEqual(answer.status, 200, query)
            assert.strictEqual((JSON.parse(answer.text) as { readonly count: number }).count, 20, query)
          }
        }
      })
    )
  )

  it.live("reads an escaped path as the path that it is", () =>
    withService((service) =>
      Effect.gen(function* () {
        const answer = yield* Client.send(service.port, "/recommend/cached/%31%32?top_n=%35")
        assert.strictEqual(answer.status, 200)
        assert.include(JSON.parse(answer.text), { user_id: 12, count: 5 })
        for (const path of ["/recommend/cached/%zz", "/recommend/cached/%", "/recommend/cached/%ff"]) {
          const broken = yield* Client.send(service.port, path)
          assert.oneOf(broken.status, [400, 404, 422], path)
          Client.faultsOf(broken)
        }
      })
    )
  )
})

describe("a path or a method that is not there", () => {
  it.live("is 404 or 405, whatever it looks like", () =>
    withService((service) =>
      Effect.gen(function* () {
        for (const path of [
          "/",
          "/nowhere",
          "/internal/recommend/",
          "/recommend/cached/1/2",
          "/recommend/../health",
          "/%F0%9F%8E%AC",
          "/__proto__",
          "/health/x"
        ]) {
          const answer = yield* Client.send(service.port, path)
          assert.oneOf(answer.status, [404, 405, 422], path)
          Client.faultsOf(answer)
        }
        for (const [method, path, allow] of [
          ["POST", "/recommend/cached/1", /GET/],
          ["DELETE", "/internal/recommend/1", /GET/],
          ["GET", "/internal/recommend", /POST/],
          ["PUT", "/events", /POST/],
          ["PATCH", "/health", /GET/]
        ] as const) {
          const answer = yield* Client.send(service.port, path, { method })
          assert.strictEqual(answer.status, 405, `${method} ${path}`)
          assert.match(answer.headers.allow ?? "", allow)
          Client.faultsOf(answer)
        }
        const odd = yield* Client.send(service.port, "/health", { method: "PROPFIND" })
        assert.oneOf(odd.status, [404, 405, 501])
      })
    )
  )
})

const deep = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`
const deepObject = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`

describe("a batch of questions", () => {
  const cases: ReadonlyArray<readonly [title: string, body: string | Uint8Array, faults: ReadonlyArray<string>]> = [
    ["an empty body", "", ["payload.requests"]],
    ["no JSON", "{", ["payload.requests"]],
    ["no UTF-8", Uint8Array.of(0x7b, 0xff, 0x7d), ["payload.requests"]],
    ["null", "null", ["payload.requests"]],
    ["a list", "[]", ["payload.requests"]],
    ["requests that are no list", '{"requests":{"length":1}}', ["payload.requests"]],
    ["requests of a prototype", '{"__proto__":{"requests":[{"user_id":1}]}}', ["payload.requests"]],
    ["a user of a prototype", '{"requests":[{"__proto__":{"user_id":1}}]}', ["payload.requests.0.user_id"]],
    ["a request that is null", '{"requests":[{"user_id":1},null]}', ["payload.requests.1.user_id"]],
    [
      "every field wrong",
      '{"requests":[{"user_id":"1","top_n":"20"},{"user_id":1e999,"top_n":101}]}',
      [
        "payload.requests.0.user_id",
        "payload.requests.0.top_n",
        "payload.requests.1.user_id",
        "payload.requests.1.top_n"
      ]
    ],
    [
      "1001 requests",
      JSON.stringify({ requests: Array.from({ length: 1001 }, () => ({ user_id: 1 })) }),
      ["payload.requests"]
    ],
    ["100 000 levels of lists", deep(100_000), ["payload.requests"]],
    ["100 000 levels of objects", deepObject(100_000), ["payload.requests"]],
    ["100 000 levels in a request", `{"requests":[${deepObject(100_000)}]}`, ["payload.requests.0.user_id"]],
    ["100 000 levels in a user", `{"requests":[{"user_id":${deep(100_000)}}]}`, ["payload.requests.0.user_id"]]
  ]

  it.live("is refused with every fault", () =>
    withService((service) =>
      Effect.gen(function* () {
        for (const [title, body, faults] of cases) {
          const answer = yield* post(service, "/internal/recommend", body)
          assert.strictEqual(answer.status, 422, title)
          assert.deepStrictEqual(Client.faultsOf(answer), faults, title)
        }
        const bad = JSON.stringify({ requests: Array.from({ length: 1000 }, () => ({})) })
        assert.strictEqual(Client.faultsOf(yield* post(service, "/internal/recommend", bad)).length, 100)
      })
    )
  )

  it.live("of 10 MiB is 413, with its length said or not, and nothing but JSON is read", () =>
    withService((service) =>
      Effect.gen(function* () {
        const large = `{"requests":[${"1,".repeat(5 * 1024 * 1024)}1]}`
        for (const path of ["/internal/recommend", "/events"]) {
          const said = yield* post(service, path, large, { "content-length": String(large.length) })
          const chunked = yield* post(service, path, large, { "transfer-encoding": "chunked" })
          for (const answer of [said, chunked]) {
            assert.strictEqual(answer.status, 413, path)
            Client.faultsOf(answer)
          }
          for (const type of [
            "text/plain",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            ""
          ]) {
            const answer = yield* Client.send(service.port, path, { body: "{}", headers: { "content-type": type } })
            assert.strictEqual(answer.status, 415, `${path} ${type}`)
          }
        }
      })
    )
  )
})

describe("an event", () => {
  const readable = badRecords.filter(({ data }) => typeof data === "string" && data.length < 1_000_000)

  it.live("that can't be read is 422 with its faults, and nothing of it runs", () =>
    Effect.gen(function* () {
      const recommender = yield* RecommenderStub.start
      const service = yield* Service.start(recommender.url)
      assert.isAbove(readable.length, 25)
      for (const { data, says, title } of readable) {
        const answer = yield* post(service, "/events", data as string)
        assert.strictEqual(answer.status, 422, title)
        assert.isAbove(Client.faultsOf(answer).length, 0, title)
        assert.match(answer.text.replaceAll('\\"', '"'), says, title)
      }
      assert.strictEqual(recommender.calls.length, 0)
      assert.deepStrictEqual(service.logged, [])
    }).pipe(Effect.scoped)
  )

  it.live("in a batch of CloudEvents with a bad one: all are refused, and the bad ones are named", () =>
    withService((service) =>
      Effect.gen(function* () {
        const event = (data: unknown) => ({
          specversion: "1.0",
          id: "1",
          source: "s",
          type: "RecommendationRequested",
          data
        })
        const good: unknown = JSON.parse(Requests.request())
        const batch = { "content-type": "application/cloudevents-batch+json" }
        const body = JSON.stringify([event(good), event({ user_id: 0 }), event(good), event(null)])
        const answer = yield* post(service, "/events", body, batch)
        assert.strictEqual(answer.status, 422)
        const places = new Set(Client.faultsOf(answer).map((path) => path.split(".")[1]))
        assert.deepStrictEqual([...places], ["1", "3"])
        for (const odd of [
          "{}",
          "null",
          "[null]",
          "[1]",
          `[${deep(100_000)}]`,
          `[${deepObject(100_000)}]`,
          deep(100_000)
        ]) {
          const refused = yield* post(service, "/events", odd, batch)
          assert.strictEqual(refused.status, 422, odd.slice(0, 20))
          Client.faultsOf(refused)
        }
        const many = JSON.stringify(Array.from({ length: 1001 }, () => 1))
        assert.strictEqual((yield* post(service, "/events", many, batch)).status, 413)
      })
    )
  )

  it.live("may not ask for more films than TOP_N_MAX, however it is wrapped", () =>
    withService((service) =>
      Effect.gen(function* () {
        const data: unknown = JSON.parse(Requests.of(1, "too-many", 101))
        const attributes = { specversion: "1.0", id: "1", source: "s", type: "RecommendationRequested" }
        const binary = Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value]))
        for (const [body, headers] of [
          [data, {}],
          [data, binary],
          [{ ...attributes, data }, { "content-type": "application/cloudevents+json" }],
          [[{ ...attributes, data }], { "content-type": "application/cloudevents-batch+json" }]
        ] as const) {
          const answer = yield* post(service, "/events", JSON.stringify(body), headers)
          assert.strictEqual(answer.status, 422, JSON.stringify(headers))
          assert.deepStrictEqual(Client.faultsOf(answer), ["payload.top_n"], JSON.stringify(headers))
        }
        const plain = yield* post(service, "/events", JSON.stringify(data), {
          "content-type": "application/cloudevents+json"
        })
        assert.match(plain.text, /not a CloudEvent/)
      })
    )
  )

  it.live("in binary mode with headers of any kind is read or refused", () =>
    withService((service) =>
      Effect.gen(function* () {
        const good = { "ce-specversion": "1.0", "ce-id": "b-1", "ce-source": "s", "ce-type": "RecommendationRequested" }
        const body = Requests.of(9, "binary", 3)
        assert.strictEqual((yield* post(service, "/events", body, good)).status, 200)
        for (const headers of [
          { ...good, "ce-type": "__proto__" },
          { ...good, "ce-type": "%zz" },
          { ...good, "ce-specversion": "2" },
          { ...good, "ce-id": "" },
          { ...good, "ce-dataversion": "1e999" }
        ]) {
          const refused = yield* post(service, "/events", body, headers)
          assert.strictEqual(refused.status, 422, JSON.stringify(headers))
          Client.faultsOf(refused)
        }
        const nested = yield* post(service, "/events", deepObject(100_000), good)
        assert.strictEqual(nested.status, 422)
      })
    )
  )
})

describe("a client that is slow", () => {
  const half = (port: number, head: string) =>
    Effect.acquireRelease(
      Effect.callback<{ readonly said: () => string; readonly closed: () => boolean }>((resume) => {
        let said = ""
        let closed = false
        const socket = connect(port, "127.0.0.1", () => {
          socket.write(head)
          resume(Effect.succeed({ said: () => said, closed: () => closed, socket }))
        })
        socket.on("data", (chunk) => (said += chunk.toString()))
        socket.on("error", () => {})
        socket.on("close", () => (closed = true))
      }),
      (client) =>
        Effect.sync(() => (client as unknown as { readonly socket: { destroy: () => void } }).socket.destroy())
    )

  const until = (done: () => boolean, left = 500): Effect.Effect<void> =>
    done() || left === 0
      ? Effect.void
      : Effect.andThen(
          Effect.sleep("10 millis"),
          Effect.suspend(() => until(done, left - 1))
        )

  const head =
    "POST /internal/recommend HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"

  it.live("keeps nobody waiting, and gets 408 when its time is up", () =>
    Effect.gen(function* () {
      const { url } = yield* RecommenderStub.start
      const service = yield* Service.start(url, undefined, {
        headersTimeout: "300 millis",
        requestTimeout: "600 millis"
      })
      const slow = yield* Effect.forEach(Array.from({ length: 50 }), () => half(service.port, head))
      for (let user = 1; user <= 20; user++) {
        const { status, took } = yield* Client.send(service.port, `/recommend/cached/${user}`)
        assert.strictEqual(status, 200)
        assert.isBelow(took, 1_000)
      }
      yield* until(() => slow.every((client) => client.closed()))
      for (const client of slow) assert.match(client.said(), /^HTTP\/1.1 408 .*"status":408/s)
      assert.strictEqual((yield* Client.send(service.port, "/health")).status, 200)
      yield* until(() => service.inFlight() === 0)
      assert.strictEqual(service.inFlight(), 0)
    }).pipe(Effect.scoped)
  )

  it.live("that goes away in the middle leaves nothing behind", () =>
    withService((service) =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.forEach(Array.from({ length: 20 }), () => half(service.port, head)))
        yield* until(() => service.inFlight() === 0)
      })
    )
  )
})
