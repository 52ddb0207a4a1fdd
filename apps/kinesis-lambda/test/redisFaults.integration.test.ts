/** The deployed function on a Redis that is refused, killed, frozen or filled by strangers: every request is served, soon. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"

import { RedisServer } from "../../../scripts/redis-server.ts"
import * as Lambda from "./Lambda.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as RedisProbe from "./RedisProbe.ts"
import * as Requests from "./Requests.ts"

const redis = (port?: number) =>
  Effect.acquireRelease(
    Effect.promise(() => RedisServer.start(port === undefined ? {} : { port })),
    (server) => Effect.promise(() => server.kill())
  )

const started = (
  server: { readonly host: string; readonly port: number },
  more: Readonly<Record<string, string>> = {}
) =>
  Effect.gen(function* () {
    const recommender = yield* RecommenderStub.start
    const env = {
      RECOMMENDER_ENDPOINT: recommender.url,
      REDIS_ENDPOINT: server.host,
      REDIS_PORT: String(server.port),
      ...more
    }
    return { recommender, lambda: yield* Lambda.start(env) }
  })

/** Where it isn't about time, a machine that is busy with other tests must not decide. */
const patient = { REDIS_TIMEOUT: "2 seconds" }

const size = 50

const batch = (from: number) =>
  Requests.event(Array.from({ length: size }, (_, index) => Requests.of(from + index, `r-${from + index}`)))

/**
 * What a batch may take: the store's timeout for the read and for the write (100 ms each), a recommender that answers at
 * once, and what a busy test machine adds. A client that waited for Redis would take seconds.
 */
const bound = 100 + 100 + 800

interface Round {
  readonly hits: number
  readonly misses: number
}

/** Serves one batch in time, all of it; tells how many were hits, and notes how long it took. */
const serve = Effect.fnUntraced(function* (
  lambda: Lambda.Lambda,
  from: number,
  times: Array<number> = []
): Effect.fn.Return<Round> {
  const begun = performance.now()
  const answer = yield* Effect.orDie(lambda.invoke(batch(from)))
  const took = performance.now() - begun
  const round = Lambda.counted(lambda.lines())
  assert.deepStrictEqual(answer, Lambda.nothingReported)
  assert.isBelow(took, bound, `took ${took} ms`)
  times.push(took)
  assert.strictEqual(round.hits + round.misses, size)
  return round
})

/** Serves batches until one of them is all hits. */
const recovered = Effect.fnUntraced(function* (lambda: Lambda.Lambda, from: number) {
  for (let round = 0; round < 60; round++) {
    if ((yield* serve(lambda, from)).hits === size) return
    yield* Effect.sleep("100 millis")
  }
  assert.fail("Redis is back, and was not used again within six seconds")
})

const missed: Round = { hits: 0, misses: size }
const hit: Round = { hits: size, misses: 0 }

describe("a Redis that refuses connections when the function starts", () => {
  it.live("costs no request anything but its hits, and is used as soon as it is there", () =>
    Effect.gen(function* () {
      const first = yield* redis()
      yield* Effect.promise(() => first.kill())
      const { lambda } = yield* started(first)
      for (let round = 0; round < 5; round++) assert.deepStrictEqual(yield* serve(lambda, 1), missed)
      yield* redis(first.port)
      yield* recovered(lambda, 1)
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that is killed while the function runs", () => {
  it.live("is missed and not waited for; after its restart it fills again", () =>
    Effect.gen(function* () {
      const first = yield* redis()
      const { lambda } = yield* started(first)
      assert.deepStrictEqual(yield* serve(lambda, 1), missed)
      assert.deepStrictEqual(yield* serve(lambda, 1), hit)
      yield* Effect.promise(() => first.kill())
      for (let round = 0; round < 10; round++) assert.deepStrictEqual(yield* serve(lambda, 1), missed)
      yield* redis(first.port)
      yield* recovered(lambda, 1)
      const said = lambda.printed()
      assert.match(said, /Redis at 127\.0\.0\.1:\d+ is no cache for now/)
      assert.strictEqual(said.match(/is no cache for now/g)?.length, 1)
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that is frozen while the function runs", () => {
  it.live("costs a batch its timeout a few times, then nothing, and is used again when it thaws", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const { lambda } = yield* started(server)
      assert.deepStrictEqual(yield* serve(lambda, 1), missed)
      server.freeze()
      const times: Array<number> = []
      for (let round = 0; round < 15; round++) assert.deepStrictEqual(yield* serve(lambda, 1, times), missed)
      // The quickest of some: what another program does on this machine can't be the reason for all of them.
      assert.isBelow(Math.min(...times.slice(3)), 80, `${times.join(", ")} ms`)
      server.thaw()
      yield* recovered(lambda, 1)
    }).pipe(Effect.scoped)
  )

  it.live("costs the batch that meets it no more than the timeout", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const { lambda } = yield* started(server)
      yield* serve(lambda, 1)
      const times: Array<number> = []
      for (let round = 0; round < 3; round++) {
        server.freeze()
        assert.deepStrictEqual(yield* serve(lambda, 1, times), missed)
        server.thaw()
        yield* recovered(lambda, 1)
      }
      assert.isBelow(Math.min(...times), 100 + 150, `${times.join(", ")} ms`)
    }).pipe(Effect.scoped)
  )

  it.live("before the function starts delays neither the start nor a batch", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      server.freeze()
      const { lambda } = yield* started(server)
      for (let round = 0; round < 3; round++) assert.deepStrictEqual(yield* serve(lambda, 1), missed)
      server.thaw()
      yield* recovered(lambda, 1)
    }).pipe(Effect.scoped)
  )

  it.live("while the recommender is down too: the batch is reported in time, and served when both are back", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      const { lambda, recommender } = yield* started(server)
      assert.deepStrictEqual(yield* serve(lambda, 1), missed)
      server.freeze()
      yield* Effect.promise(recommender.stop)
      const begun = performance.now()
      assert.deepStrictEqual(yield* lambda.invoke(batch(1)), {
        batchItemFailures: [{ itemIdentifier: Requests.number(0) }]
      })
      assert.isBelow(performance.now() - begun, 2_000)
      lambda.lines()
      server.thaw()
      yield* Effect.promise(recommender.start)
      yield* recovered(lambda, 1)
    }).pipe(Effect.scoped)
  )
})

describe("a Redis that asks for a password", () => {
  it.live("caches for who knows it; who does not serves all the same, and prints no password", () =>
    Effect.gen(function* () {
      const server = yield* redis()
      yield* Effect.promise(() => RedisProbe.command(server.port, "CONFIG", "SET", "requirepass", "right-hunter2"))
      const recommender = yield* RecommenderStub.start
      const env = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENDPOINT: `${server.host}:${server.port}` }
      const right = yield* Lambda.start({ ...env, REDIS_PASSWORD: "right-hunter2" })
      assert.deepStrictEqual(yield* serve(right, 1), missed)
      assert.deepStrictEqual(yield* serve(right, 1), hit)
      const wrong = yield* Lambda.start({ ...env, REDIS_PASSWORD: "wrong-hunter2" })
      for (let round = 0; round < 3; round++) assert.deepStrictEqual(yield* serve(wrong, 1), missed)
      assert.match(wrong.printed(), /is no cache for now \(Auth/)
      const inUrl = yield* Lambda.start({ ...env, REDIS_ENDPOINT: `redis://:right-hunter2@${env.REDIS_ENDPOINT}` })
      assert.deepStrictEqual(yield* serve(inUrl, 1), hit)
      for (const lambda of [right, wrong, inUrl]) assert.notInclude(lambda.printed(), "hunter2")
    }).pipe(Effect.scoped)
  )
})

describe("CACHE_TTL", () => {
  it.live("is how long Redis keeps a ranking, less up to a tenth", () =>
    Effect.gen(function* () {
      const { host, port } = inject("redis")
      const recommender = yield* RecommenderStub.start
      const endpoint = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENDPOINT: host, REDIS_PORT: String(port) }
      const lambda = yield* Lambda.start({ ...endpoint, CACHE_TTL: "60" })
      yield* serve(lambda, 8_300_001)
      const ttls = yield* Effect.forEach(Array.from({ length: size }), (_, index) =>
        Effect.promise(() => RedisProbe.command(port, "PTTL", `rec:user:${8_300_001 + index}:top20`))
      )
      for (const ttl of ttls) assert.isTrue(Number(ttl) > 50_000 && Number(ttl) <= 60_000, `${String(ttl)} ms`)
      assert.isAbove(new Set(ttls).size, 1)
    }).pipe(Effect.scoped)
  )
})

describe("what other programs wrote under our key", () => {
  const user = 8_100_001
  const key = `rec:user:${user}:top3`
  const ask = Requests.event([Requests.of(user, "foreign", 3)])

  it.live("is a hit when it is a list of ids, however they spell it", () =>
    Effect.gen(function* () {
      const { host, port } = inject("redis")
      const { lambda, recommender } = yield* started({ host, port }, patient)
      for (const value of ["[9,8,7]", " [ 9 ,\n 8, 7 ] ", "[]"]) {
        yield* Effect.promise(() => RedisProbe.command(port, "SET", key, value))
        assert.deepStrictEqual(yield* lambda.invoke(ask), Lambda.nothingReported)
        assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 1, misses: 0 }, value)
        assert.strictEqual(yield* Effect.promise(() => RedisProbe.command(port, "GET", key)), value)
      }
      assert.strictEqual(recommender.calls.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("is a counted miss when it is anything else, and is replaced by what the recommender says", () =>
    Effect.gen(function* () {
      const { host, port } = inject("redis")
      const { lambda } = yield* started({ host, port }, patient)
      const films = JSON.stringify(RecommenderStub.films({ user_id: user, top_n: 3 }))
      for (const value of [
        "",
        "null",
        "[1,2",
        '["1"]',
        "[1.5]",
        "[-1]",
        "{}",
        "\u0000\u00FF",
        `[${"1,".repeat(5_000)}1]`
      ]) {
        yield* Effect.promise(() => RedisProbe.command(port, "SET", key, value))
        assert.deepStrictEqual(yield* lambda.invoke(ask), Lambda.nothingReported)
        assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 0, misses: 1 }, value.slice(0, 20))
        assert.strictEqual(yield* Effect.promise(() => RedisProbe.command(port, "GET", key)), films)
      }
    }).pipe(Effect.scoped)
  )

  it.live("is a miss when it is no text at all, and hurts no other user of the batch", () =>
    Effect.gen(function* () {
      const { host, port } = inject("redis")
      const { lambda } = yield* started({ host, port }, patient)
      const both = Requests.event([Requests.of(user, "foreign", 3), Requests.of(user + 1, "ours", 3)])
      yield* Effect.promise(() => RedisProbe.command(port, "DEL", key, `rec:user:${user + 1}:top3`))
      yield* Effect.promise(() => RedisProbe.command(port, "RPUSH", key, "1", "2"))
      assert.deepStrictEqual(yield* lambda.invoke(both), Lambda.nothingReported)
      assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 0, misses: 2 })
      // A connection that was not up in the first milliseconds of the function is not written to.
      let hits = 0
      for (let tries = 0; tries < 5 && hits === 0; tries++) {
        assert.deepStrictEqual(yield* lambda.invoke(both), Lambda.nothingReported)
        hits = Lambda.counted(lambda.lines()).hits
      }
      assert.isAtLeast(hits, 1)
    }).pipe(Effect.scoped)
  )
})
