import { assert, it } from "@effect/vitest"
import * as CacheStore from "@leat/core/CacheStore"
import * as Delivery from "@leat/core/Delivery"
import type * as Envelope from "@leat/core/Envelope"
import { FailurePolicy, make } from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import type * as Publisher from "@leat/core/Publisher"
import { PublishError } from "@leat/core/Publisher"
import * as Recommendations from "@leat/recommender/Recommendations"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as Recommender from "@leat/recommender/Recommender"
import * as RequestIntake from "@leat/recommender/RequestIntake"
import * as HttpService from "@leat/transport-http/HttpService"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import { describe } from "vitest"

import * as App from "../src/App.ts"

const down = new Recommender.RecommenderError({ reason: "Unavailable", message: "down", retryable: true })

const recommender = (health: { up: boolean; asked: number; popular?: ReadonlyArray<number> }) =>
  Layer.succeed(Recommender.Recommender, {
    model: () => "m1",
    recommend: ({ top_n, user_id }) =>
      Effect.suspend(() => {
        health.asked++
        return health.up ? Exit.succeed(Array.from({ length: top_n }, (_, i) => user_id + i)) : Exit.fail(down)
      }),
    popular: () => (health.popular === undefined ? Exit.fail(down) : Exit.succeed(health.popular)),
    recommendMany: (asked) =>
      Effect.succeed(asked.map(({ user_id }) => (health.up ? Exit.succeed([user_id]) : Exit.fail(down))))
  })

const started = (
  health: { up: boolean; asked: number; popular?: ReadonlyArray<number> },
  journal: Layer.Layer<Journal.Journal> = Journal.layerNone,
  queue: Layer.Layer<never> = Layer.empty
) => {
  const parts = Recommendations.layer().pipe(
    Layer.provideMerge([CacheStore.layerMemory(), recommender(health), journal, queue])
  )
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
      assert.deepStrictEqual(
        [ready.status, ready.json.checks],
        [503, { cache: "ok", journal: "ok", recommender: "failed" }]
      )
    }).pipe(Effect.scoped)
  )

  it.live("answers with the popular films when the recommender is down, and its headers say so", () =>
    Effect.gen(function* () {
      const health = { ...healthy(), popular: [3, 1, 2] }
      const get = yield* started(health)
      yield* get("/recommend/cached/5")
      health.up = false
      const standIn = yield* get("/recommend/cached/6?top_n=2")
      assert.strictEqual(standIn.status, 200)
      assert.deepInclude(standIn.json, { user_id: 6, recommendations: [3, 1], count: 2, from_cache: false })
      assert.deepStrictEqual(Object.keys(standIn.json), [
        "user_id",
        "recommendations",
        "count",
        "from_cache",
        "latency_ms"
      ])
      assert.strictEqual(standIn.headers.get("x-leat-source"), "fallback")
      assert.strictEqual(standIn.headers.get("cache-status"), "leat; fwd=uri-miss; detail=fallback")
      health.up = true
      assert.strictEqual((yield* get("/recommend/cached/6?top_n=2")).headers.get("x-leat-source"), "origin")
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

  it.live("answers an event that is sent again as it did the first time, under the same id", () =>
    Effect.gen(function* () {
      const get = yield* started(healthy(), Journal.layerMemory)
      const request = { user_id: 123, top_n: 2, request_id: "test-1", timestamp: "2025-10-24T10:30:00Z" }
      const send = get("/events", {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(request)
      })
      const first = yield* send
      const again = yield* send
      assert.deepStrictEqual([again.status, again.json], [200, first.json])
      assert.strictEqual(again.headers.get("ce-id"), first.headers.get("ce-id"))
    }).pipe(Effect.scoped)
  )

  it.live("has no requests to follow without a journal", () =>
    Effect.gen(function* () {
      const get = yield* started(healthy())
      const asked = yield* get("/requests/r-1")
      assert.deepStrictEqual([asked.status, asked.json.detail], [404, "this service keeps no journal"])
      assert.strictEqual((yield* get("/requests", { method: "POST", body: "{}" })).status, 404)
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

const json = (body: unknown): RequestInit => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body)
})

/** A stream that can be down, and the worker behind it, on a journal that both share. */
const stream = () => {
  const published: Array<Envelope.Envelope> = []
  const state = { up: true }
  const publisher: Publisher.Publisher = {
    publish: (envelopes) =>
      Effect.sync(() => {
        if (state.up) published.push(...envelopes)
        return envelopes.map(() =>
          state.up
            ? Exit.void
            : Exit.fail(new PublishError({ reason: "Unavailable", message: "down", retryable: true }))
        )
      })
  }
  return { published, state, queue: RequestIntake.layer(Effect.succeed(publisher)) }
}

const deliver = (published: ReadonlyArray<Envelope.Envelope>, journal: Journal.Journal["Service"], up = true) =>
  recommendations
    .process(
      published.map((envelope, index) =>
        Delivery.make({ position: String(index), bytes: RequestIntake.codec.encode(envelope) })
      )
    )
    .pipe(
      Effect.provide(
        Recommendations.layer().pipe(Layer.provide([CacheStore.layerMemory(), recommender({ up, asked: 0 })]))
      ),
      Effect.provideService(Journal.Journal, journal)
    )

describe("a request that is followed", () => {
  it.live("is queued when it is accepted, served when the worker was there, and in its user's history", () =>
    Effect.gen(function* () {
      const journal = Context.get(yield* Layer.build(Journal.layerMemory), Journal.Journal)
      const { published, queue } = stream()
      const get = yield* started(healthy(), Layer.succeed(Journal.Journal, journal), queue)
      const accepted = yield* get("/requests", json({ user_id: 7, top_n: 2, request_id: "r-1" }))
      assert.deepStrictEqual([accepted.status, accepted.json], [202, { request_id: "r-1", status: "queued" }])
      assert.strictEqual(accepted.headers.get("location"), "/requests/r-1")
      const queued = yield* get("/requests/r-1")
      assert.deepInclude(queued.json, { request_id: "r-1", user_id: 7, status: "queued" })
      assert.deepInclude(published[0], { type: "RecommendationRequested", key: "user-7", id: "r-1/intake/0" })

      yield* deliver(published, journal)
      yield* Effect.yieldNow
      const served = yield* get("/requests/r-1")
      assert.deepInclude(served.json, { status: "served", recommendations: [7, 8], source: "origin" })
      const history = yield* get("/users/7/history")
      assert.deepInclude(history.json.requests[0], { request_id: "r-1", recommendations: [7, 8] })
    }).pipe(Effect.scoped)
  )

  it.live("is accepted once, however often it is sent, and gets a name where it has none", () =>
    Effect.gen(function* () {
      const { published, queue } = stream()
      const get = yield* started(healthy(), Journal.layerMemory, queue)
      const send = get("/requests", json({ user_id: 7, request_id: "r-1" }))
      assert.deepStrictEqual((yield* send).json, (yield* send).json)
      assert.strictEqual(published.length, 1)
      const named = yield* get("/requests", json({ user_id: 7 }))
      assert.match(named.json.request_id, /^[\da-f-]{36}$/)
    }).pipe(Effect.scoped)
  )

  it.live("is accepted while the stream is down, and published when it is back", () =>
    Effect.gen(function* () {
      const { published, queue, state } = stream()
      state.up = false
      const get = yield* started(healthy(), Journal.layerMemory, queue)
      assert.strictEqual((yield* get("/requests", json({ user_id: 7, request_id: "r-1" }))).status, 202)
      assert.strictEqual((yield* get("/requests", json({ user_id: 7, request_id: "r-2" }))).status, 202)
      assert.strictEqual(published.length, 0)
      state.up = true
      yield* Effect.sleep("1500 millis")
      assert.deepStrictEqual(
        published.map(({ id }) => id),
        ["r-1/intake/0", "r-2/intake/0"]
      )
    }).pipe(Effect.scoped)
  )

  it.live("is parked, with the reason, when it fails for good", () =>
    Effect.gen(function* () {
      const journal = Context.get(yield* Layer.build(Journal.layerMemory), Journal.Journal)
      const { published, queue } = stream()
      const get = yield* started(healthy(), Layer.succeed(Journal.Journal, journal), queue)
      yield* get("/requests", json({ user_id: 7, request_id: "r-1" }))
      yield* Effect.provideService(deliver(published, journal, false), FailurePolicy, make({ transient: "park" }))
      yield* Effect.sleep("50 millis")
      assert.deepInclude((yield* get("/requests/r-1")).json, { status: "parked", reason: "RecommenderError: down" })
    }).pipe(Effect.scoped)
  )

  it.live("says what is wrong with it, and what is not known", () =>
    Effect.gen(function* () {
      const { queue } = stream()
      const get = yield* started(healthy(), Journal.layerMemory, queue)
      const wrong = yield* get("/requests", json({ user_id: "7", top_n: 0, request_id: "" }))
      assert.strictEqual(wrong.status, 422)
      assert.deepStrictEqual(
        wrong.json.errors.map((one: { readonly path: ReadonlyArray<string> }) => one.path.join(".")).toSorted(),
        ["payload.request_id", "payload.top_n", "payload.user_id"]
      )
      for (const body of ["[]", "7", "nope", ""]) {
        const answer = yield* get("/requests", { ...json(0), body })
        assert.strictEqual(answer.status, 422, body)
      }
      assert.strictEqual((yield* get("/requests", { method: "POST", body: "{}" })).status, 415)
      assert.strictEqual((yield* get("/requests/nobody")).status, 404)
      assert.strictEqual((yield* get("/users/1/history")).status, 404)
      assert.strictEqual((yield* get("/users/zero/history")).status, 422)
    }).pipe(Effect.scoped)
  )
})
