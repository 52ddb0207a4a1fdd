import * as NodeHttp from "node:http"

import { assert, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import { describe } from "vitest"

import * as Recommender from "../src/Recommender.ts"
import * as Http from "../src/recommender/Http.ts"

type Answer = (request: NodeHttp.IncomingMessage, response: NodeHttp.ServerResponse, body: string) => void

interface Service {
  readonly url: string
  readonly calls: Array<string>
  answer: Answer
}

const service = (answer: Answer) =>
  Effect.acquireRelease(
    Effect.callback<Service & { readonly server: NodeHttp.Server }>((resume) => {
      const calls: Array<string> = []
      const server = NodeHttp.createServer((request, response) => {
        calls.push(`${request.method} ${request.url}`)
        const chunks: Array<Buffer> = []
        request.on("data", (chunk: Buffer) => chunks.push(chunk))
        request.on("end", () => self.answer(request, response, Buffer.concat(chunks).toString()))
      })
      const self: { answer: Answer } & Omit<Service, "answer"> & { readonly server: NodeHttp.Server; url: string } = {
        url: "",
        calls,
        answer,
        server
      }
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        self.url = `http://127.0.0.1:${typeof address === "object" && address !== null ? address.port : 0}`
        resume(Effect.succeed(self))
      })
    }),
    ({ server }) => Effect.sync(() => [server.closeAllConnections(), server.close()])
  )

const json = (response: NodeHttp.ServerResponse, status: number, body: unknown, headers = {}) => {
  response.writeHead(status, { "content-type": "application/json", ...headers })
  response.end(JSON.stringify(body))
}

const userOf = (request: NodeHttp.IncomingMessage): number => Number(/recommend\/(\d+)/.exec(request.url ?? "")?.[1])

const good: Answer = (request, response, body) => {
  if (request.method === "GET") {
    return json(
      response,
      200,
      { user_id: userOf(request), recommendations: [userOf(request), 2], count: 2 },
      { "x-leat-model": "m7" }
    )
  }
  const asked: { readonly requests: ReadonlyArray<Recommender.RecommendRequest> } = JSON.parse(body)
  json(response, 200, {
    results: asked.requests.map(({ user_id }) => ({ user_id, recommendations: [user_id], count: 1 }))
  })
}

const status =
  (code: number, headers = {}): Answer =>
  (_request, response) =>
    json(response, code, { detail: "no" }, headers)

const quick = RetryPolicy.make({ attempts: 3, base: "1 millis", cap: "2 millis" })

const using = <A, E>(
  answer: Answer,
  body: (recommender: Recommender.Recommender["Service"], service: Service) => Effect.Effect<A, E>,
  options: Partial<Http.Options> = {}
) =>
  Effect.gen(function* () {
    const found = yield* service(answer)
    const layer = Http.layer({ endpoint: found.url, retry: quick, ...options })
    return yield* Effect.gen(function* () {
      return yield* body(yield* Recommender.Recommender, found)
    }).pipe(Effect.provide(layer))
  }).pipe(Effect.scoped)

const users = (count: number) => Array.from({ length: count }, (_, i) => ({ user_id: i + 1, top_n: 3 }))

const reasonOf = (exit: Exit.Exit<unknown, Recommender.RecommenderError> | undefined) =>
  exit !== undefined && Exit.isFailure(exit)
    ? exit.cause.reasons.map((one) => (one._tag === "Fail" ? one.error.reason : one._tag)).join(",")
    : "ok"

describe("one user", () => {
  it.live("is asked for on the single endpoint, and the answer's model is remembered", () =>
    using(good, (recommender, found) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* recommender.recommend({ user_id: 7, top_n: 3 }), [7, 2])
        assert.deepStrictEqual(found.calls, ["GET /internal/recommend/7?top_n=3"])
        assert.strictEqual(recommender.model(), "m7")
      })
    )
  )

  for (const [name, answer, reason, tries] of [
    ["500", status(500), "Unavailable", 3],
    ["422", status(422), "Refused", 1],
    ["garbage", (_, response) => response.end("<html>"), "BadAnswer", 1],
    ["no HTTP at all", (request) => request.socket.end("nonsense\r\n\r\n"), "BadAnswer", 1],
    [
      "fewer bytes than promised",
      (request) => request.socket.end('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"recomm'),
      "Unavailable",
      3
    ],
    [
      "a reset in the middle of the body",
      (request) => {
        request.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"recomm', () =>
          request.socket.resetAndDestroy()
        )
      },
      "Unavailable",
      3
    ],
    [
      "more than 1 MiB",
      (_, response) => response.end(JSON.stringify({ recommendations: [], pad: "x".repeat(1024 * 1024) })),
      "BadAnswer",
      1
    ],
    ["silence", () => undefined, "Timeout", 3]
  ] satisfies ReadonlyArray<readonly [string, Answer, string, number]>) {
    it.live(`answered with ${name} is ${reason} after ${tries} tries`, () =>
      using(
        answer,
        (recommender, found) =>
          Effect.gen(function* () {
            assert.strictEqual(reasonOf(yield* Effect.exit(recommender.recommend({ user_id: 1, top_n: 3 }))), reason)
            assert.strictEqual(found.calls.length, tries)
          }),
        { attemptTimeout: "200 millis" }
      )
    )
  }

  it.live("is Unavailable where nobody listens", () =>
    Effect.gen(function* () {
      const exit = yield* Effect.exit(
        Effect.flatMap(Recommender.Recommender, (one) => one.recommend({ user_id: 1, top_n: 3 }))
      )
      assert.strictEqual(reasonOf(exit), "Unavailable")
    }).pipe(Effect.provide(Http.layer({ endpoint: "http://127.0.0.1:1", retry: quick })))
  )

  it.live("is served when a later try succeeds, on the same connections", () =>
    using(status(500), (recommender, found) =>
      Effect.gen(function* () {
        found.answer = (request, response, body) => {
          found.answer = good
          status(500)(request, response, body)
        }
        assert.deepStrictEqual(yield* recommender.recommend({ user_id: 5, top_n: 3 }), [5, 2])
        assert.strictEqual(found.calls.length, 2)
      })
    )
  )

  it.live("throttled for longer than the deadline is handed back at once, with the wait", () =>
    using(status(429, { "retry-after": "4" }), (recommender, found) =>
      Effect.gen(function* () {
        const error = yield* recommender
          .recommend({ user_id: 1, top_n: 3 })
          .pipe(Deadline.within("1 second"), Effect.flip)
        assert.deepInclude(error, { reason: "Throttled", retryable: true, retryAfter: 4000 })
        assert.strictEqual(found.calls.length, 1)
      })
    )
  )

  it.live("is not waited for past the deadline", () =>
    using(
      () => undefined,
      (recommender, found) =>
        Effect.gen(function* () {
          const error = yield* recommender
            .recommend({ user_id: 1, top_n: 3 })
            .pipe(Deadline.within("100 millis"), Effect.flip)
          assert.strictEqual(error.reason, "Timeout")
          assert.strictEqual(found.calls.length, 1)
        })
    )
  )

  it.live("whose caller goes away is aborted", () => {
    const closed: Array<string> = []
    return using(
      (request) => request.socket.on("close", () => closed.push("closed")),
      (recommender, found) =>
        Effect.gen(function* () {
          const fiber = yield* Effect.forkChild(recommender.recommend({ user_id: 1, top_n: 3 }))
          while (found.calls.length === 0) yield* Effect.sleep("5 millis")
          yield* Fiber.interrupt(fiber)
          while (closed.length === 0) yield* Effect.sleep("5 millis")
        }),
      { attemptTimeout: "1 minute" }
    )
  })
})

describe("many users", () => {
  it.live("are asked for in chunks, and answered in order", () =>
    using(good, (recommender, found) =>
      Effect.gen(function* () {
        const exits = yield* recommender.recommendMany(users(250))
        assert.deepStrictEqual(
          exits.map((exit) => (Exit.isSuccess(exit) ? exit.value[0] : 0)),
          users(250).map((one) => one.user_id)
        )
        assert.deepStrictEqual(
          found.calls,
          Array.from({ length: 3 }, () => "POST /internal/recommend")
        )
      })
    )
  )

  for (const code of [404, 405, 501]) {
    it.live(`are asked for one by one where the batch endpoint is ${code}, and it is not asked again for a while`, () =>
      using(
        (request, response, body) => (request.method === "POST" ? status(code) : good)(request, response, body),
        (recommender, found) =>
          Effect.gen(function* () {
            for (const exits of [
              yield* recommender.recommendMany(users(5)),
              yield* recommender.recommendMany(users(5))
            ]) {
              assert.isTrue(exits.every(Exit.isSuccess))
            }
            assert.strictEqual(found.calls.filter((call) => call.startsWith("POST")).length, 1)
            assert.strictEqual(found.calls.length, 11)
          })
      )
    )
  }

  it.live("are asked for in a batch again after the time set", () =>
    using(
      (request, response, body) => (request.method === "POST" ? status(404) : good)(request, response, body),
      (recommender, found) =>
        Effect.gen(function* () {
          yield* recommender.recommendMany(users(2))
          found.answer = good
          yield* recommender.recommendMany(users(2))
          assert.deepStrictEqual(found.calls.filter((call) => call.startsWith("POST")).length, 2)
        }),
      { probeBatchAfter: 0 }
    )
  )

  it.live("of a chunk that fails fail with it, the others don't", () =>
    using(
      (request, response, body) => (body.includes('"user_id":3,') ? status(503) : good)(request, response, body),
      (recommender) =>
        Effect.gen(function* () {
          const exits = yield* recommender.recommendMany(users(6))
          assert.deepStrictEqual(exits.map(reasonOf), ["ok", "ok", "Unavailable", "Unavailable", "ok", "ok"])
        }),
      { batchSize: 2 }
    )
  )

  for (const [code, reason] of [
    [422, "Refused"],
    [500, "Unavailable"]
  ] as const) {
    it.live(
      `of a chunk answered with ${code} are asked for once more, one by one, so that only the offender fails`,
      () =>
        using(
          (request, response, body) =>
            (request.method === "POST" || userOf(request) === 2 ? status(code) : good)(request, response, body),
          (recommender, found) =>
            Effect.gen(function* () {
              const exits = yield* recommender.recommendMany(users(3))
              assert.deepStrictEqual(exits.map(reasonOf), ["ok", reason, "ok"])
              assert.strictEqual(found.calls.length, 4)
            })
        )
    )
  }

  it.live("that are none ask nothing", () =>
    using(good, (recommender, found) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* recommender.recommendMany([]), [])
        assert.strictEqual(found.calls.length, 0)
      })
    )
  )
})

describe("many users of a service with the single endpoint alone", () => {
  const singleOnly =
    (answer: Answer): Answer =>
    (request, response, body) =>
      request.method === "POST" ? json(response, 404, {}) : answer(request, response, body)

  it.live("are asked for over no more connections than allowed, and answered in order", () => {
    let inFlight = 0
    let most = 0
    const slow: Answer = (request, response, body) => {
      most = Math.max(most, ++inFlight)
      setTimeout(() => {
        inFlight--
        good(request, response, body)
      }, 2)
    }
    return using(
      singleOnly(slow),
      (recommender) =>
        Effect.gen(function* () {
          const exits = yield* recommender.recommendMany(users(25))
          assert.deepStrictEqual(
            exits.map((exit) => (Exit.isSuccess(exit) ? exit.value[0] : 0)),
            users(25).map((user) => user.user_id)
          )
          assert.strictEqual(most, 4)
        }),
      { connections: 4 }
    )
  })

  it.live("are tried again one by one where the first try failed, as often as the policy says", () => {
    const seen = new Map<number, number>()
    const flaky: Answer = (request, response, body) => {
      const user = userOf(request)
      const tries = (seen.get(user) ?? 0) + 1
      seen.set(user, tries)
      if (user === 2 && tries < 3) return json(response, 500, {})
      return user === 3 ? json(response, 500, {}) : good(request, response, body)
    }
    return using(singleOnly(flaky), (recommender) =>
      Effect.gen(function* () {
        const exits = yield* recommender.recommendMany(users(4))
        assert.deepStrictEqual(exits.map(reasonOf), ["ok", "ok", "Unavailable", "ok"])
        assert.deepStrictEqual(
          [1, 2, 3, 4].map((user) => seen.get(user)),
          [1, 3, 3, 1]
        )
      })
    )
  })

  it.live("who get no answer in time fail, and hold up no other", () => {
    const silent: Answer = (request, response, body) => {
      if (userOf(request) % 2 === 1) good(request, response, body)
    }
    return using(
      singleOnly(silent),
      (recommender) =>
        Effect.gen(function* () {
          const exits = yield* recommender.recommendMany(users(6))
          assert.deepStrictEqual(exits.map(reasonOf), ["ok", "Timeout", "ok", "Timeout", "ok", "Timeout"])
        }),
      { attemptTimeout: "50 millis", connections: 2, retry: RetryPolicy.none }
    )
  })

  it.live("are not asked for past the deadline", () =>
    using(
      singleOnly(() => {}),
      (recommender, found) =>
        Effect.gen(function* () {
          yield* Effect.ignore(recommender.recommendMany(users(2)).pipe(Deadline.within("20 millis")))
          const exits = yield* recommender.recommendMany(users(5)).pipe(Deadline.within("40 millis"))
          assert.deepStrictEqual(
            exits.map(reasonOf),
            users(5).map(() => "Timeout")
          )
          assert.isBelow(found.calls.length, 6)
        }),
      { connections: 2, attemptTimeout: "10 seconds" }
    )
  )
})

describe("the endpoint", () => {
  const read = (env: Record<string, string>) =>
    Effect.exit(Http.endpoint).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env }))))
  const errorOf = (env: Record<string, string>) =>
    Effect.map(read(env), (exit) => (Exit.isFailure(exit) ? String(exit.cause) : "no error"))

  it.effect("comes from RECOMMENDER_ENDPOINT or its alias, which may repeat it", () =>
    Effect.gen(function* () {
      for (const env of [
        { RECOMMENDER_ENDPOINT: "http://a:1" },
        { FASTAPI_ENDPOINT: "http://a:1" },
        { RECOMMENDER_ENDPOINT: "http://a:1", FASTAPI_ENDPOINT: "http://a:1/" }
      ]) {
        const exit = yield* read(env)
        assert.isTrue(Exit.isSuccess(exit) && exit.value.href === "http://a:1/")
      }
    })
  )

  it.effect("that contradicts its alias is an error naming both", () =>
    Effect.gen(function* () {
      const error = yield* errorOf({ RECOMMENDER_ENDPOINT: "http://a:1", FASTAPI_ENDPOINT: "http://b:1" })
      assert.match(error, /RECOMMENDER_ENDPOINT.*FASTAPI_ENDPOINT/)
    })
  )

  it.effect(
    "that is missing, no URL, no http, or carries a password is an error naming the variable and not the secret",
    () =>
      Effect.gen(function* () {
        for (const value of [undefined, "", "nonsense", "ftp://a", "http://ada:hunter2@a:1"]) {
          const error = yield* errorOf(value === undefined ? {} : { RECOMMENDER_ENDPOINT: value })
          assert.include(error, "RECOMMENDER_ENDPOINT")
          assert.notInclude(error, "hunter2")
        }
      })
  )
})

describe("the layer", () => {
  it.live("keeps the path of its endpoint as a prefix", () =>
    Effect.gen(function* () {
      const found = yield* service(good)
      const layer = Http.layer({ endpoint: `${found.url}/v2/` })
      yield* Effect.provide(
        Effect.flatMap(Recommender.Recommender, (one) => one.recommend({ user_id: 1, top_n: 3 })),
        Layer.fresh(layer)
      )
      assert.deepStrictEqual(found.calls, ["GET /v2/internal/recommend/1?top_n=3"])
    }).pipe(Effect.scoped)
  )
})

describe("the popular films", () => {
  const popular =
    (body: unknown): Answer =>
    (request, response) =>
      request.url?.startsWith("/internal/popular") === true
        ? json(response, 200, body)
        : status(404)(request, response, "")

  it.live("are asked for where the service has them", () =>
    using(popular({ recommendations: [3, 1, 2], count: 3 }), (recommender, found) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* recommender.popular(3), [3, 1, 2])
        assert.deepStrictEqual(found.calls, ["GET /internal/popular?top_n=3"])
      })
    )
  )

  it.live("are believed to be missing for a while where it has not", () =>
    using(
      status(404),
      (recommender, found) =>
        Effect.gen(function* () {
          assert.strictEqual(reasonOf(yield* Effect.exit(recommender.popular(3))), "Refused")
          assert.strictEqual(reasonOf(yield* Effect.exit(recommender.popular(3))), "Refused")
          assert.strictEqual(found.calls.length, 1)
          yield* Effect.sleep(60)
          found.answer = popular({ recommendations: [1], count: 1 })
          assert.deepStrictEqual(yield* recommender.popular(3), [1])
        }),
      { probeBatchAfter: "50 millis" }
    )
  )

  for (const body of [
    null,
    [],
    {},
    { recommendations: ["1"] },
    { recommendations: [1.5] },
    { recommendations: [1, 2, 3, 4] }
  ]) {
    it.live(`are refused as ${JSON.stringify(body)}`, () =>
      using(popular(body), (recommender) =>
        Effect.gen(function* () {
          assert.strictEqual(reasonOf(yield* Effect.exit(recommender.popular(3))), "BadAnswer")
        })
      )
    )
  }
})

describe("a request", () => {
  it.live("says how long it waits: its own time, or what the deadline leaves", () => {
    const waits: Array<number> = []
    const noting: Answer = (request, response, body) => {
      waits.push(Number(request.headers["x-leat-timeout-ms"]))
      good(request, response, body)
    }
    return using(
      noting,
      (recommender) =>
        Effect.gen(function* () {
          yield* recommender.recommend({ user_id: 1, top_n: 3 })
          yield* Deadline.within("300 millis")(recommender.recommend({ user_id: 1, top_n: 3 }))
          yield* Deadline.within("300 millis")(recommender.recommendMany(users(3)))
          assert.strictEqual(waits[0], 2_000)
          for (const wait of waits.slice(1)) {
            assert.isAtMost(wait, 300)
            assert.isAbove(wait, 100)
          }
          assert.strictEqual(waits.length, 3)
        }),
      { attemptTimeout: "2 seconds" }
    )
  })
})

describe("a service in an outage", () => {
  it.live("is soon asked no more than once, and then not at all for a while", () =>
    using(status(500), (recommender, found) =>
      Effect.gen(function* () {
        const reasons: Array<string> = []
        for (let i = 0; i < 20; i++) {
          reasons.push(reasonOf(yield* Effect.exit(recommender.recommend({ user_id: i + 1, top_n: 3 }))))
        }
        assert.isTrue(reasons.every((reason) => reason === "Unavailable"))
        // Five calls of three tries; the breaker refuses the rest.
        assert.strictEqual(found.calls.length, 15)
      })
    )
  )

  it.live("is asked again when the pause is over, and serves", () =>
    using(
      status(500),
      (recommender, found) =>
        Effect.gen(function* () {
          for (let i = 0; i < 10; i++) yield* Effect.exit(recommender.recommend({ user_id: 1, top_n: 3 }))
          found.answer = good
          yield* Effect.sleep(80)
          assert.deepStrictEqual(yield* recommender.recommend({ user_id: 7, top_n: 3 }), [7, 2])
          assert.deepStrictEqual(yield* recommender.recommend({ user_id: 8, top_n: 3 }), [8, 2])
        }),
      { breaker: { opens: { consecutive: 5 }, pause: "50 millis" } }
    )
  )

  it.live("fails a batch as one call", () =>
    using(
      status(503),
      (recommender, found) =>
        Effect.gen(function* () {
          for (let i = 0; i < 5; i++) {
            const exits = yield* recommender.recommendMany(users(3))
            assert.deepStrictEqual(exits.map(reasonOf), ["Unavailable", "Unavailable", "Unavailable"])
          }
          const calls = found.calls.length
          const refused = yield* recommender.recommendMany(users(3))
          assert.deepStrictEqual(refused.map(reasonOf), ["Unavailable", "Unavailable", "Unavailable"])
          assert.strictEqual(found.calls.length, calls)
        }),
      { retry: RetryPolicy.none }
    )
  )

  it.live("that hangs turns callers away instead of keeping them all", () =>
    using(
      () => {},
      (recommender, found) =>
        Effect.gen(function* () {
          const calls = Array.from({ length: 10 }, (_, i) =>
            Effect.exit(recommender.recommend({ user_id: i + 1, top_n: 3 }))
          )
          const exits = yield* Effect.all(calls, { concurrency: "unbounded" })
          assert.strictEqual(exits.filter((exit) => reasonOf(exit) === "Unavailable").length, 5)
          assert.strictEqual(exits.filter((exit) => reasonOf(exit) === "Timeout").length, 5)
          assert.isAtMost(found.calls.length, 5)
        }),
      { bulkhead: { permits: 2, maxQueue: 3 }, attemptTimeout: "50 millis", retry: RetryPolicy.none }
    )
  )
})

describe("a late answer", () => {
  it.live("is asked for a second time, where that is wanted", () => {
    let slow = false
    let calls = 0
    const answer: Answer = (request, response, body) => {
      calls++
      if (slow && calls === 1) setTimeout(() => good(request, response, body), 2_000)
      else good(request, response, body)
    }
    return using(
      answer,
      (recommender) =>
        Effect.gen(function* () {
          for (let i = 0; i < 30; i++) yield* recommender.recommend({ user_id: 1, top_n: 3 })
          slow = true
          calls = 0
          const start = performance.now()
          assert.deepStrictEqual(yield* recommender.recommend({ user_id: 7, top_n: 3 }), [7, 2])
          assert.isBelow(performance.now() - start, 1_000)
          assert.strictEqual(calls, 2)
        }),
      { hedge: { warmUp: 20, maxShare: 1 } }
    )
  })
})
