/** The real bundle, under the real runtime client, on a real Redis, before a recommender that we know. */
import { assert, describe, it } from "@effect/vitest"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import { inject } from "vitest"

import { RedisServer } from "../../../scripts/redis-server.ts"
import * as Lambda from "./Lambda.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as RedisProbe from "./RedisProbe.ts"
import * as Requests from "./Requests.ts"

const users = (from: number, count: number) => Array.from({ length: count }, (_, index) => from + index)

const batchOf = (ids: ReadonlyArray<number>, top_n = 20) =>
  Requests.event(ids.map((user) => Requests.of(user, `of-${user}`, top_n)))

const started = Effect.gen(function* () {
  const recommender = yield* RecommenderStub.start
  const { host, port } = inject("redis")
  const env = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENDPOINT: host, REDIS_PORT: String(port) }
  return { recommender, port, lambda: yield* Lambda.start(env) }
})

const until = (done: () => boolean, left = 200): Effect.Effect<void> =>
  done() || left === 0
    ? Effect.void
    : Effect.andThen(
        Effect.sleep("10 millis"),
        Effect.suspend(() => until(done, left - 1))
      )

describe("the bundle under AWS's runtime client", () => {
  it.live("serves a batch from the recommender, the same batch from Redis, and writes what others can read", () =>
    Effect.gen(function* () {
      const { lambda, port, recommender } = yield* started
      const ids = users(7_100_001, 100)
      assert.deepStrictEqual(yield* lambda.invoke(batchOf(ids)), Lambda.nothingReported)
      assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 0, misses: 100 })
      // One call for all of them.
      assert.deepStrictEqual(
        recommender.calls.map(({ batch, questions }) => [batch, questions.length]),
        [[true, 100]]
      )
      for (const user of [ids[0] ?? 0, ids[99] ?? 0]) {
        const key = `rec:user:${user}:top20`
        const value = yield* Effect.promise(() => RedisProbe.command(port, "GET", key))
        assert.strictEqual(value, JSON.stringify(RecommenderStub.films({ user_id: user, top_n: 20 })))
        const ttl = Number(yield* Effect.promise(() => RedisProbe.command(port, "TTL", key)))
        assert.isAtMost(ttl, 3_600)
        assert.isAbove(ttl, 3_000)
      }
      assert.deepStrictEqual(yield* lambda.invoke(batchOf(ids)), Lambda.nothingReported)
      assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 100, misses: 0 })
      assert.strictEqual(recommender.calls.length, 1)
    }).pipe(Effect.scoped)
  )

  it.live("says once at its start which promises hold, and on the good path prints its metrics alone", () =>
    Effect.gen(function* () {
      const { lambda } = yield* started
      const ids = users(7_200_001, 150)
      yield* lambda.invoke(batchOf(ids.slice(0, 50)))
      const [start, ...others] = lambda.lines()
      assert.propertyVal(start, "level", "INFO")
      const said = String(start?.["message"])
      assert.include(said, "worker recommendations behind Lambda: no journal")
      assert.include(said, "unreadable records are reported failed: the mapping needs an on-failure destination")
      assert.include(said, "no publisher: emitted events are dropped")
      assert.deepStrictEqual(Lambda.noise(others), [])

      yield* lambda.invoke(batchOf(ids))
      const both = lambda.lines()
      assert.deepStrictEqual(Lambda.noise(both), [])
      assert.deepStrictEqual(
        Lambda.metrics(both).map((one) => [one.CacheStatus, one.RecommendationLatency.length]),
        [
          ["Hit", 50],
          ["Miss", 100]
        ]
      )
      for (const line of Lambda.metrics(both)) {
        const { RecommendationLatency, _aws, ...dimension } = line
        const { CloudWatchMetrics, Timestamp, ...rest } = _aws as { readonly [name: string]: unknown }
        assert.deepStrictEqual(rest, {})
        assert.closeTo(Number(Timestamp), yield* Clock.currentTimeMillis, 60_000)
        assert.deepStrictEqual(CloudWatchMetrics, [
          {
            Namespace: "MovieRecommendation",
            Dimensions: [["CacheStatus"]],
            Metrics: [{ Name: "RecommendationLatency", Unit: "Milliseconds" }]
          }
        ])
        assert.deepStrictEqual(Object.keys(dimension), ["CacheStatus"])
        for (const latency of RecommendationLatency) assert.isTrue(latency >= 0 && latency < 30_000)
      }
    }).pipe(Effect.scoped)
  )

  it.live("puts at most 100 values in a document", () =>
    Effect.gen(function* () {
      const { lambda } = yield* started
      yield* lambda.invoke(batchOf(users(7_300_001, 250)))
      const sizes = Lambda.metrics(lambda.lines()).map((line) => line.RecommendationLatency.length)
      assert.deepStrictEqual(sizes, [100, 100, 50])
    }).pipe(Effect.scoped)
  )

  it.live("names a slow request and a failed one on a line each, and no more than 20 in a second", () =>
    Effect.gen(function* () {
      const { lambda, recommender } = yield* started
      recommender.behave = (call, response) => void setTimeout(() => RecommenderStub.good(call, response), 150)
      yield* lambda.invoke(batchOf([7_400_001]))
      const slow = lambda.lines().filter((line) => line["level"] === "warn")
      assert.strictEqual(slow.length, 1)
      const { latency_ms, ...names } = slow[0] ?? {}
      assert.deepStrictEqual(names, {
        level: "warn",
        message: "slow request",
        request_id: "of-7400001",
        user_id: 7_400_001,
        cache_status: "Miss"
      })
      assert.isAtLeast(Number(latency_ms), 140)

      recommender.behave = RecommenderStub.status(400)
      yield* lambda.invoke(batchOf([7_400_002]))
      const failed = lambda.lines().filter((line) => line["level"] === "error")
      assert.strictEqual(failed.length, 1)
      assert.include(failed[0], { message: "failed request", request_id: "of-7400002", user_id: 7_400_002 })
      assert.property(failed[0], "latency_ms")

      yield* Effect.sleep("1 second")
      yield* lambda.invoke(batchOf(users(7_400_100, 100)))
      const many = lambda.lines()
      assert.isAtMost(many.filter((line) => line["message"] === "failed request").length, 20)
      const suppressed = many.find((line) => line["message"] === "log lines suppressed")
      assert.strictEqual(suppressed?.["suppressed"], 80)
    }).pipe(Effect.scoped)
  )

  it.live("ends at once on SIGTERM without leaving a connection, and a new environment serves from Redis", () =>
    Effect.gen(function* () {
      const server = yield* Effect.acquireRelease(
        Effect.promise(() => RedisServer.start()),
        (one) => Effect.promise(() => one.kill())
      )
      const recommender = yield* RecommenderStub.start
      const endpoint = `${server.host}:${server.port}`
      const lambda = yield* Lambda.start({ RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENDPOINT: endpoint })
      yield* lambda.invoke(batchOf([1, 2, 3]))
      const first = lambda.pids()[0] ?? assert.fail("the environment did not say its process id")
      assert.isTrue(process.kill(first, "SIGTERM"))
      yield* until(() => !isAlive(first))
      assert.isFalse(isAlive(first))
      const clients = String(yield* Effect.promise(() => RedisProbe.command(server.port, "CLIENT", "LIST")))
      assert.strictEqual(clients.trim().split("\n").length, 1, clients)
      lambda.lines()
      assert.deepStrictEqual(yield* lambda.invoke(batchOf([1, 2, 3])), Lambda.nothingReported)
      assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 3, misses: 0 })
      assert.strictEqual(lambda.pids().length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("answers what is no Kinesis event with an error that says so, and goes on", () =>
    Effect.gen(function* () {
      const { lambda } = yield* started
      for (const event of [{}, { Records: "none" }, { Records: [{ s3: {} }] }]) {
        const error = yield* Effect.flip(lambda.invoke(event as never))
        assert.deepStrictEqual([error.reason, error.errorType], ["Function", "TypeError"])
        assert.include(error.message, "not a Kinesis event")
      }
      assert.deepStrictEqual(yield* lambda.invoke({ Records: [] }), Lambda.nothingReported)
      assert.deepStrictEqual(yield* lambda.invoke(batchOf([7_500_001])), Lambda.nothingReported)
    }).pipe(Effect.scoped)
  )
})

const isAlive = (pid: number): boolean => {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
