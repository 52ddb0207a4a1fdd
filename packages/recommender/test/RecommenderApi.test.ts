import * as NodeHttpServer from "@effect/platform-node/NodeHttpServer"
import { assert, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import type * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as HttpClient from "effect/http/HttpClient"
import * as HttpClientRequest from "effect/http/HttpClientRequest"
import * as HttpRouter from "effect/http/HttpRouter"
import * as Layer from "effect/Layer"
import { describe } from "vitest"

import * as Recommendations from "../src/Recommendations.ts"
import * as Recommender from "../src/Recommender.ts"
import * as RecommenderApi from "../src/RecommenderApi.ts"
import * as RequestEvents from "../src/RequestEvents.ts"

const films = (user_id: number, top_n: number) =>
  Array.from({ length: Math.min(top_n, 50) }, (_, i) => user_id * 100 + i)

const error = (reason: Recommender.RecommenderError["reason"], retryable: boolean, retryAfter = 1500) =>
  new Recommender.RecommenderError({ reason, message: "redis://:hunter2@cache said no", retryable, retryAfter })

const failures: Readonly<Record<number, Recommender.RecommenderError>> = {
  500: error("Unavailable", true),
  501: error("Throttled", true, 7200),
  502: error("BadAnswer", false),
  503: error("Refused", false),
  504: error("Timeout", true)
}

const recommend = ({ top_n, user_id }: Recommender.RecommendRequest) => {
  const failure = failures[user_id]
  return failure === undefined ? Exit.succeed(films(user_id, top_n)) : Exit.fail(failure)
}

const sources = ["memory", "redis", "stale", "origin", "fallback", "negative"] as const

const Parts = Layer.mergeAll(
  Layer.succeed(Recommender.Recommender, {
    model: () => "ease-1",
    recommend,
    popular: (top_n) =>
      Effect.map(Deadline.remaining, (left) => [Math.ceil(left / 1_000), ...films(9, top_n)].slice(0, top_n)),
    recommendMany: (asked) => Effect.succeed(asked.map(recommend))
  }),
  Layer.mock(Recommendations.Recommendations, {
    forUser: (user_id, top_n = 20) =>
      Effect.map(recommend({ user_id, top_n }), (recommendations) => ({
        user_id,
        top_n,
        recommendations,
        source: sources[user_id - 1] ?? "memory",
        age: user_id === 1 ? 1234 : undefined
      }))
  })
)

const served = (routes: Layer.Layer<never, Config.ConfigError, RecommenderApi.Needs> = RecommenderApi.layer()) =>
  HttpRouter.serve(routes, { disableLogger: true, disableListenLog: true }).pipe(
    Layer.provide(Parts),
    Layer.provideMerge(NodeHttpServer.layerTest)
  )

const get = (path: string) =>
  Effect.flatMap(HttpClient.get(path), (response) =>
    Effect.map(response.json, (body) => ({ status: response.status, headers: response.headers, body }))
  )

const faultsOf = (body: unknown): unknown =>
  typeof body === "object" && body !== null && "errors" in body && Array.isArray(body.errors)
    ? body.errors.map((one: { readonly path: ReadonlyArray<string> }) => one.path.join("."))
    : body

describe("the typed client of the contract", () => {
  it.effect("understands every answer the routes give", () =>
    Effect.gen(function* () {
      const client = yield* RecommenderApi.client()
      const params = { user_id: 7 }
      assert.deepStrictEqual(yield* client.internal.recommend({ params, query: { top_n: 2 } }), {
        user_id: 7,
        recommendations: [700, 701],
        count: 2
      })
      assert.strictEqual((yield* client.internal.recommend({ params, query: {} })).count, 20)
      const cached = yield* client.recommend.cached({ params, query: { top_n: 2 } })
      assert.deepInclude(cached, { user_id: 7, recommendations: [700, 701], count: 2, from_cache: true })
      const requests = [{ user_id: 9, top_n: 1 }, { user_id: 8 }]
      const { results } = yield* client.internal.recommendMany({ payload: { requests } })
      assert.deepStrictEqual(
        results.map((one) => [one.user_id, one.count]),
        [
          [9, 1],
          [8, 20]
        ]
      )
    }).pipe(Effect.provide(served()))
  )

  for (const [user_id, tag] of [
    [500, "NotAvailable"],
    [501, "NotAvailable"],
    [502, "BadAnswer"],
    [503, "BadAnswer"],
    [504, "TimedOut"]
  ] as const) {
    it.effect(`reads the recommender's ${failures[user_id]?.reason} as ${tag}, without its words`, () =>
      Effect.gen(function* () {
        const client = yield* RecommenderApi.client()
        const params = { user_id }
        for (const failed of [
          yield* Effect.flip(client.internal.recommend({ params, query: {} })),
          yield* Effect.flip(client.recommend.cached({ params, query: {} })),
          yield* Effect.flip(client.internal.recommendMany({ payload: { requests: [{ user_id: 1 }, params] } }))
        ]) {
          assert.strictEqual(failed._tag, tag)
          assert.notInclude(JSON.stringify(failed), "hunter2")
        }
      }).pipe(Effect.provide(served()))
    )
  }

  it.effect("reads what a stricter server refuses as InvalidRequest", () =>
    Effect.gen(function* () {
      const client = yield* RecommenderApi.client()
      const failed = yield* Effect.flip(client.internal.recommend({ params: { user_id: 7 }, query: { top_n: 11 } }))
      assert.strictEqual(failed._tag, "InvalidRequest")
    }).pipe(
      Effect.provide(
        served(
          Layer.provide(
            RecommenderApi.layer(),
            RequestEvents.layer(RequestEvents.make({ maxTopN: 10, defaultTopN: 10 }))
          )
        )
      )
    )
  )
})

describe("GET /internal/recommend/{user_id}", () => {
  it.effect("answers exactly its three members, and the model in a header", () =>
    Effect.gen(function* () {
      const { body, headers, status } = yield* get("/internal/recommend/3?top_n=2&utm=x")
      assert.strictEqual(status, 200)
      assert.strictEqual(JSON.stringify(body), '{"user_id":3,"recommendations":[300,301],"count":2}')
      assert.strictEqual(headers["x-leat-model"], "ease-1")
    }).pipe(Effect.provide(served()))
  )

  it.effect("names each fault of a bad request", () =>
    Effect.gen(function* () {
      for (const [path, faults] of [
        ["/internal/recommend/abc?top_n=0", ["params.user_id", "query.top_n"]],
        ["/internal/recommend/1e999", ["params.user_id"]],
        ["/internal/recommend/1?top_n=3&top_n=4", ["query.top_n"]],
        ["/recommend/cached/-1?top_n=101", ["params.user_id", "query.top_n"]]
      ] as const) {
        const { body, headers, status } = yield* get(path)
        assert.strictEqual(status, 422)
        assert.match(headers["content-type"] ?? "", /^application\/problem\+json/)
        assert.deepStrictEqual(faultsOf(body), faults)
      }
    }).pipe(Effect.provide(served()))
  )

  it.effect("says when to come back", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* get("/internal/recommend/500")).headers["retry-after"], "2")
      assert.strictEqual((yield* get("/recommend/cached/501")).headers["retry-after"], "8")
    }).pipe(Effect.provide(served()))
  )
})

describe("GET /recommend/cached/{user_id}", () => {
  it.effect("answers exactly its five members, and everything else in headers", () =>
    Effect.gen(function* () {
      const { body, headers } = yield* get("/recommend/cached/1?top_n=1")
      assert.match(
        JSON.stringify(body),
        /^\{"user_id":1,"recommendations":\[100\],"count":1,"from_cache":true,"latency_ms":\d+\}$/
      )
      assert.deepInclude(headers, { "x-leat-source": "memory", "x-leat-age-ms": "1234", "x-leat-model": "ease-1" })
      assert.strictEqual(headers["cache-status"], "leat; hit; detail=memory")
      assert.match(headers["server-timing"] ?? "", /^recommend;dur=\d+\.\d\d$/)
    }).pipe(Effect.provide(served()))
  )

  it.effect("counts memory, redis and stale as from_cache, and the rest not", () =>
    Effect.gen(function* () {
      const found = yield* Effect.forEach(sources, (_, i) => get(`/recommend/cached/${i + 1}`))
      assert.deepStrictEqual(
        found.map(({ body }) =>
          typeof body === "object" && body !== null && "from_cache" in body ? body["from_cache"] : undefined
        ),
        [true, true, true, false, false, false]
      )
      assert.deepStrictEqual(
        found.map(({ headers }) => headers["cache-status"]?.includes("; hit")),
        [true, true, true, false, false, false]
      )
    }).pipe(Effect.provide(served()))
  )
})

describe("POST /internal/recommend", () => {
  const post = (body: string, type = "application/json") =>
    HttpClient.execute(HttpClientRequest.bodyText(HttpClientRequest.post("/internal/recommend"), body, type)).pipe(
      Effect.flatMap((response) => Effect.map(response.json, (found) => ({ status: response.status, body: found })))
    )

  it.effect("names each fault of a bad body, and what is no JSON", () =>
    Effect.gen(function* () {
      for (const [text, faults] of [
        ["{", ["payload.requests"]],
        ["", ["payload.requests"]],
        [
          '{"requests":[{"user_id":1},{"user_id":1.5,"top_n":"3"}]}',
          ["payload.requests.1.user_id", "payload.requests.1.top_n"]
        ],
        [JSON.stringify({ requests: Array.from({ length: 1001 }, () => ({ user_id: 1 })) }), ["payload.requests"]]
      ] as const) {
        const { body, status } = yield* post(text)
        assert.strictEqual(status, 422)
        assert.deepStrictEqual(faultsOf(body), faults)
      }
    }).pipe(Effect.provide(served()))
  )

  it.effect("takes JSON alone", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* post("{}", "text/plain")).status, 415)
      assert.strictEqual((yield* post('{"requests":[]}', "application/json; charset=utf-8")).status, 200)
    }).pipe(Effect.provide(served()))
  )

  it.effect("answers a thousand", () =>
    Effect.gen(function* () {
      const requests = Array.from({ length: 1000 }, (_, i) => ({ user_id: i + 1000, top_n: 1 }))
      const client = yield* RecommenderApi.client()
      const { results } = yield* client.internal.recommendMany({ payload: { requests } })
      assert.deepStrictEqual(
        results.map((one) => one.user_id),
        requests.map((one) => one.user_id)
      )
    }).pipe(Effect.provide(served()))
  )
})

describe("TOP_N_MAX", () => {
  it.effect("bounds the routes as it bounds events", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* get("/internal/recommend/1?top_n=11")).status, 422)
      assert.strictEqual((yield* get("/internal/recommend/1?top_n=10")).status, 200)
      assert.deepInclude((yield* get("/internal/recommend/1")).body, { count: 10 })
    }).pipe(
      Effect.provide(
        served(
          Layer.provide(RecommenderApi.layer(), [
            Layer.provide(
              RequestEvents.layerConfig,
              ConfigProvider.layer(ConfigProvider.fromEnv({ env: { TOP_N_MAX: "10" } }))
            )
          ])
        )
      )
    )
  )
})

describe("the popular films", () => {
  it.effect("are what the recommender says, and nothing else", () =>
    Effect.gen(function* () {
      const client = yield* RecommenderApi.client()
      const answer = yield* client.internal.popular({ query: { top_n: 3 } })
      assert.deepStrictEqual(answer, { recommendations: [5, 900, 901], count: 3 })
      for (const path of [
        "/internal/popular?top_n=0",
        "/internal/popular?top_n=x",
        "/internal/popular?top_n=1&top_n=2"
      ]) {
        const refused = yield* get(path)
        assert.deepStrictEqual([refused.status, faultsOf(refused.body)], [422, ["query.top_n"]], path)
      }
    }).pipe(Effect.provide(served()))
  )
})

describe("a caller that says how long it waits", () => {
  const left = (header: string) =>
    Effect.gen(function* () {
      const request = HttpClientRequest.get("/internal/popular?top_n=1").pipe(
        HttpClientRequest.setHeader("x-leat-timeout-ms", header)
      )
      const body = yield* Effect.flatMap(HttpClient.execute(request), (response) => response.json)
      return (body as { readonly recommendations: ReadonlyArray<number> }).recommendations[0]
    })

  it.effect(
    "shortens the deadline of its request, never lengthens it, and is not believed when it makes no sense",
    () =>
      Effect.gen(function* () {
        assert.strictEqual(yield* left("2000"), 2)
        for (const nonsense of ["60000", "soon", "-1", "1e9", ""])
          assert.strictEqual(yield* left(nonsense), 5, nonsense)
      }).pipe(Effect.provide(served()))
  )
})

describe("the document", () => {
  it("has all endpoints and every status they answer", () => {
    assert.deepStrictEqual(Object.keys(RecommenderApi.openApi.paths).toSorted(), [
      "/internal/popular",
      "/internal/recommend",
      "/internal/recommend/{user_id}",
      "/recommend/cached/{user_id}",
      "/requests",
      "/requests/{request_id}",
      "/users/{user_id}/history"
    ])
    const get200 = RecommenderApi.openApi.paths["/recommend/cached/{user_id}"]?.get?.responses
    assert.deepStrictEqual(Object.keys(get200 ?? {}).toSorted(), ["200", "422", "502", "503", "504"])
  })
})
