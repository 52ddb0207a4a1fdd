import { assert, it } from "@effect/vitest"
import * as CacheStore from "@leat/core/CacheStore"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as Recommender from "@leat/recommender/Recommender"
import * as HttpService from "@leat/transport-http/HttpService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { describe } from "vitest"

import * as App from "../src/App.ts"

const down = new Recommender.RecommenderError({ reason: "Unavailable", message: "down", retryable: true })

const recommender = (health: { up: boolean; asked: number }) =>
  Layer.succeed(Recommender.Recommender, {
    model: () => "m1",
    recommend: ({ top_n, user_id }) =>
      Effect.suspend(() => {
        health.asked++
        return health.up ? Exit.succeed(Array.from({ length: top_n }, (_, i) => user_id + i)) : Exit.fail(down)
      }),
    recommendMany: (asked) =>
      Effect.succeed(asked.map(({ user_id }) => (health.up ? Exit.succeed([user_id]) : Exit.fail(down))))
  })

const started = (health: { up: boolean; asked: number }, store = CacheStore.layerMemory()) => {
  const parts = Recommendations.layer().pipe(Layer.provideMerge(store), Layer.provideMerge(recommender(health)))
  return Effect.map(Layer.build(Layer.provide(App.service({ port: 0 }), parts)), (context) => {
    const { url } = Context.get(context, HttpService.HttpService)
    return (path: string, init?: RequestInit) =>
      Effect.promise(async () => {
        const response = await fetch(url + path, init)
        const text = await response.text()
        return {
          status: response.status,
          headers: response.headers,
          text,
          json: text.startsWith("{") ? JSON.parse(text) : {}
        }
      })
  })
}

const healthy = () => ({ up: true, asked: 0 })

describe("the service", () => {
  it.live("answers from the recommender first and from the cache then", () =>
    Effect.gen(function* () {
      const health = healthy()
      const get = yield* started(health)
      const miss = yield* get("/recommend/cached/123?top_n=3")
      assert.deepInclude(miss.json, { user_id: 123, recommendations: [123, 124, 125], count: 3, from_cache: false })
      const hit = yield* get("/recommend/cached/123?top_n=3")
      assert.deepInclude(hit.json, { recommendations: [123, 124, 125], from_cache: true })
      assert.deepStrictEqual(Object.keys(hit.json), ["user_id", "recommendations", "count", "from_cache", "latency_ms"])
      assert.strictEqual(health.asked, 1)
    }).pipe(Effect.scoped)
  )

  it.live("still answers what is cached when the recommender is down, and is not ready", () =>
    Effect.gen(function* () {
      const health = healthy()
      const get = yield* started(health)
      yield* get("/recommend/cached/5")
      health.up = false
      assert.strictEqual((yield* get("/recommend/cached/5")).status, 200)
      const failed = yield* get("/recommend/cached/6")
      assert.strictEqual(failed.status, 503)
      assert.isNotNull(failed.headers.get("retry-after"))
      const ready = yield* get("/ready")
      assert.deepStrictEqual([ready.status, ready.json.checks], [503, { cache: "ok", recommender: "failed" }])
    }).pipe(Effect.scoped)
  )

  it.live("takes the request event of the stream, and says where it is wrong", () =>
    Effect.gen(function* () {
      const get = yield* started(healthy())
      const send = (body: unknown) =>
        get("/events", { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) })
      const request = { user_id: 123, top_n: 2, request_id: "test-1", timestamp: "2025-10-24T10:30:00Z" }
      const served = yield* send(request)
      assert.strictEqual(served.status, 200)
      assert.strictEqual(served.headers.get("ce-type"), "RecommendationServed")
      assert.deepInclude(served.json, { user_id: 123, request_id: "test-1" })
      const wrong = yield* send({ ...request, user_id: "123", top_n: 0 })
      assert.strictEqual(wrong.status, 422)
      assert.deepStrictEqual(
        wrong.json.errors.map((one: { readonly path: ReadonlyArray<string> }) => one.path.join(".")),
        ["payload.user_id", "payload.top_n"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("shows its contract", () =>
    Effect.gen(function* () {
      const get = yield* started(healthy())
      assert.include(Object.keys((yield* get("/openapi.json")).json.paths), "/recommend/cached/{user_id}")
      assert.include((yield* get("/docs")).text, "/recommend/cached/{user_id}")
    }).pipe(Effect.scoped)
  )
})
