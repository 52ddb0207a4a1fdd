import { assert, describe, it } from "@effect/vitest"
/** The service when what it is built on fails: Redis costs it nothing but hits, a recommender only those who aren't cached. */
import * as RedisStore from "@leat/cache-redis/RedisStore"
import * as Effect from "effect/Effect"
import { inject } from "vitest"

import { RedisServer } from "../../../scripts/redis-server.ts"
import * as RecommenderStub from "../../kinesis-lambda/test/RecommenderStub.ts"
import * as RedisProbe from "../../kinesis-lambda/test/RedisProbe.ts"
import * as Requests from "../../kinesis-lambda/test/Requests.ts"
import * as Client from "./Client.ts"
import * as Service from "./Service.ts"

const redis = (port?: number) =>
  Effect.acquireRelease(
    Effect.promise(() => RedisServer.start(port === undefined ? {} : { port })),
    (server) => Effect.promise(() => server.kill())
  )

const on = ({ host, port }: { readonly host: string; readonly port: number }) =>
  Effect.gen(function* () {
    const recommender = yield* RecommenderStub.start
    return { recommender, service: yield* Service.start(recommender.url, RedisStore.layer({ host, port })) }
  })

interface Body {
  readonly user_id: number
  readonly recommendations: ReadonlyArray<number>
  readonly from_cache: boolean
}

/** 100 ms for the read, 100 for the write, the rest for a busy test machine; a client that waited would take seconds. */
const bound = 100 + 100 + 800

const served = Effect.fnUntraced(function* (service: Service.Service, user_id: number) {
  const answer = yield* Client.send(service.port, `/recommend/cached/${user_id}?top_n=3`)
  assert.strictEqual(answer.status, 200)
  assert.isBelow(answer.took, bound)
  const body = JSON.parse(answer.text) as Body
  assert.strictEqual(body.user_id, user_id)
  return body
})

/** Twenty users at once, all served; how many of them from the cache. */
const round = (service: Service.Service, from: number) =>
  Effect.map(
    Effect.forEach(Array.from({ length: 20 }), (_, index) => served(service, from + index), { concurrency: 20 }),
    (bodies) => bodies.filter((body) => body.from_cache).length
  )

const recovered = Effect.fnUntraced(function* (service: Service.Service, from: number) {
  for (let tries = 0; tries < 60; tries++) {
    if ((yield* round(service, from)) === 20) return
    yield* Effect.sleep("100 millis")
  }
  assert.fail("Redis is back, and was not used again within six seconds")
})

const cacheIs = (service: Service.Service) =>
  Effect.map(Client.send(service.port, "/ready"), ({ status, text }) => {
    assert.strictEqual(status, 200)
    return (JSON.parse(text) as { readonly checks: { readonly cache: string } }).checks.cache
  })

describe("a Redis under the service", () => {
  it.live("that refuses connections at the start is used as soon as it is there", () =>
    Effect.gen(function* () {
      const first = yield* redis()
      yield* Effect.promise(() => first.kill())
      const { service } = yield* on(first)
      for (let tries = 0; tries < 3; tries++) assert.strictEqual(yield* round(service, 1), 0)
      assert.strictEqual(yield* cacheIs(service), "failed")
      yield* redis(first.port)
      yield* recovered(service, 1)
      assert.strictEqual(yield* cacheIs(service), "ok")
    }).pipe(Effect.scoped)
  )

  it.live("that is killed and started again costs its hits alone", () =>
    Effect.gen(function* () {
      const first = yield* redis()
      const { service } = yield* on(first)
      yield* round(service, 1)
      assert.strictEqual(yield* round(service, 1), 20)
      yield* Effect.promise(() => first.kill())
      for (let tries = 0; tries < 10; tries++) assert.strictEqual(yield* round(service, 1), 0)
      yield* redis(first.port)
      yield* recovered(service, 1)
    }).pipe(Effect.scoped)
  )

  it.live("that is frozen and thawed costs a few requests their timeout, and fails none", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const { service } = yield* on(server)
      yield* round(service, 1)
      assert.strictEqual(yield* round(service, 1), 20)
      server.freeze()
      for (let tries = 0; tries < 10; tries++) assert.strictEqual(yield* round(service, 1), 0)
      server.thaw()
      yield* recovered(service, 1)
    }).pipe(Effect.scoped)
  )

  it.live("that others write to: their list is a hit, their garbage a miss that is replaced", () =>
    Effect.gen(function* () {
      const { host, port } = inject("redis")
      const { recommender, service } = yield* on({ host, port })
      const user = 8_200_001
      const key = `rec:user:${user}:top3`
      yield* Effect.promise(() => RedisProbe.command(port, "SET", key, "[5, 6, 7]"))
      const foreign = yield* served(service, user)
      assert.deepStrictEqual([foreign.from_cache, foreign.recommendations], [true, [5, 6, 7]])
      assert.strictEqual(recommender.calls.length, 0)
      yield* Effect.promise(() => RedisProbe.command(port, "SET", key, "garbage"))
      const films = RecommenderStub.films({ user_id: user, top_n: 3 })
      const replaced = yield* served(service, user)
      assert.deepStrictEqual([replaced.from_cache, replaced.recommendations], [false, films])
      assert.strictEqual(yield* Effect.promise(() => RedisProbe.command(port, "GET", key)), JSON.stringify(films))
      const ttl = Number(yield* Effect.promise(() => RedisProbe.command(port, "TTL", key)))
      assert.isTrue(ttl > 3_000 && ttl <= 3_600)
    }).pipe(Effect.scoped)
  )
})

describe("a recommender behind the service", () => {
  const faults: ReadonlyArray<readonly [title: string, behaviour: RecommenderStub.Behaviour, status: number]> = [
    ["500", RecommenderStub.status(500), 503],
    ["503", RecommenderStub.status(503), 503],
    ["429 with Retry-After", RecommenderStub.status(429, { "retry-after": "1" }), 503],
    ["404", RecommenderStub.status(404), 502],
    ["garbage", RecommenderStub.body("<html>"), 502],
    ["a ranking of somebody else", RecommenderStub.body('{"user_id":9,"recommendations":[1]}'), 502],
    ["half an answer", RecommenderStub.truncated, 503],
    ["nothing", RecommenderStub.hang, 504]
  ]

  for (const [title, behaviour, status] of faults) {
    it.live(
      `that answers ${title}: ${status} without its words, hits go on, and it is asked again when it is well`,
      () =>
        Effect.gen(function* () {
          const recommender = yield* RecommenderStub.start
          const service = yield* Service.start(recommender.url)
          yield* served(service, 1)
          recommender.behave = behaviour
          const asked = ["/recommend/cached/2?top_n=3", "/internal/recommend/2?top_n=3"].map((path) =>
            Client.send(service.port, path)
          )
          const batch = Client.send(service.port, "/internal/recommend", {
            headers: Client.json,
            body: JSON.stringify({ requests: [{ user_id: 2 }, { user_id: 3 }] })
          })
          for (const answer of yield* Effect.all([...asked, batch], { concurrency: 3 })) {
            assert.strictEqual(answer.status, status, title)
            assert.deepStrictEqual(Client.faultsOf(answer), [])
            assert.notMatch(answer.text, /html|127\.0\.0\.1/)
            if (status === 503) assert.match(answer.headers["retry-after"] ?? "", /^[1-9]\d*$/)
          }
          assert.isTrue((yield* served(service, 1)).from_cache)
          assert.strictEqual((yield* Client.send(service.port, "/health")).status, 200)
          recommender.behave = RecommenderStub.good
          assert.deepStrictEqual(
            (yield* served(service, 2)).recommendations,
            RecommenderStub.films({ user_id: 2, top_n: 3 })
          )
        }).pipe(Effect.scoped)
    )
  }

  it.live("that refuses connections: 503, hits go on, not ready; and well again when it is back", () =>
    Effect.gen(function* () {
      const recommender = yield* RecommenderStub.start
      const service = yield* Service.start(recommender.url)
      yield* served(service, 1)
      yield* Effect.promise(recommender.stop)
      assert.strictEqual((yield* Client.send(service.port, "/recommend/cached/2")).status, 503)
      assert.strictEqual((yield* Client.send(service.port, "/ready")).status, 503)
      assert.isTrue((yield* served(service, 1)).from_cache)
      yield* Effect.promise(recommender.start)
      yield* served(service, 2)
      assert.strictEqual((yield* Client.send(service.port, "/ready")).status, 200)
    }).pipe(Effect.scoped)
  )

  it.live(
    "fails an event as it fails a question: 503 where a later try may help, 500 where not, served when it is well",
    () =>
      Effect.gen(function* () {
        const recommender = yield* RecommenderStub.start
        const service = yield* Service.start(recommender.url)
        const event = Client.send(service.port, "/events", { headers: Client.json, body: Requests.of(2, "event", 3) })
        for (const [behaviour, status] of [
          [RecommenderStub.status(500), 503],
          [RecommenderStub.status(429), 503],
          [RecommenderStub.body("<html>"), 500]
        ] as const) {
          recommender.behave = behaviour
          const answer = yield* event
          assert.strictEqual(answer.status, status)
          Client.faultsOf(answer)
          assert.notMatch(answer.text, /html|127\.0\.0\.1/)
          if (status === 503) assert.match(answer.headers["retry-after"] ?? "", /^[1-9]\d*$/)
        }
        recommender.behave = RecommenderStub.good
        const answer = yield* event
        assert.strictEqual(answer.status, 200)
        const recommendations = RecommenderStub.films({ user_id: 2, top_n: 3 })
        assert.deepInclude(JSON.parse(answer.text), { request_id: "event", recommendations })
      }).pipe(Effect.scoped)
  )

  it.live("that has no batch endpoint is asked one by one", () =>
    Effect.gen(function* () {
      const recommender = yield* RecommenderStub.start
      recommender.behave = RecommenderStub.withoutBatch
      const service = yield* Service.start(recommender.url)
      const requests = [3, 1, 2].map((user_id) => ({ user_id, top_n: 2 }))
      const answer = yield* Client.send(service.port, "/internal/recommend", {
        headers: Client.json,
        body: JSON.stringify({ requests })
      })
      assert.strictEqual(answer.status, 200)
      assert.deepStrictEqual(JSON.parse(answer.text), {
        results: requests.map((one) => ({
          user_id: one.user_id,
          recommendations: RecommenderStub.films(one),
          count: 2
        }))
      })
    }).pipe(Effect.scoped)
  )
})
