/** A recommender that fails in every way it can: who is cached is served, the rest is reported, served later, never lost. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as Function from "./Function.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as Requests from "./Requests.ts"

const started = Effect.gen(function* () {
  const recommender = yield* RecommenderStub.start
  const env = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENABLED: "false" }
  return { recommender, made: yield* Function.make({ env }) }
})

const cached = [1, 2, 3, 4, 5]
const others = [11, 12, 13, 14, 15]

const batch = (users: ReadonlyArray<number>, name: string) =>
  Requests.event(users.map((user) => Requests.of(user, `${name}-${user}`)))

const idsOf = (made: Function.Function, name: string) =>
  new Set(
    made
      .served()
      .map((one) => one.request_id)
      .filter((id) => id.startsWith(`${name}-`))
  )

const faults: ReadonlyArray<readonly [title: string, behaviour: RecommenderStub.Behaviour]> = [
  ["500", RecommenderStub.status(500)],
  ["503", RecommenderStub.status(503)],
  ["429 with Retry-After", RecommenderStub.status(429, { "retry-after": "1" })],
  ["429 with a Retry-After that is none", RecommenderStub.status(429, { "retry-after": "soon" })],
  ["400", RecommenderStub.status(400)],
  ["a redirection", RecommenderStub.status(302, { location: "http://127.0.0.1:1/" })],
  ["no JSON", RecommenderStub.body("<html>it works</html>")],
  ["an empty body", RecommenderStub.body("")],
  ["JSON that breaks the contract", RecommenderStub.body('{"results":[{"recommendations":["a"]}]}')],
  [
    "lists of texts",
    RecommenderStub.body(`{"results":[${'{"recommendations":["1"]},'.repeat(4)}{"recommendations":["1"]}]}`)
  ],
  ["half an answer", RecommenderStub.truncated],
  ["more than a megabyte", RecommenderStub.body(`[${"1,".repeat(600_000)}1]`)]
]

/** Hits between misses, so that what is reported is not the first record. */
const mixed = cached.flatMap((user, index) => [user, others[index] ?? 0])

describe("a recommender that answers", () => {
  for (const [title, behaviour] of faults) {
    it.live(
      `${title}: hits are served, the first miss is reported, a redelivery after its recovery serves the rest`,
      () =>
        Effect.gen(function* () {
          const { made, recommender } = yield* started
          assert.isUndefined(yield* Function.invoke(made, batch(cached, "warm")))
          recommender.behave = behaviour
          const event = batch(mixed, "mixed")
          const from = Function.resumesAt(event, yield* Function.invoke(made, event))
          assert.strictEqual(from, 1)
          assert.deepStrictEqual(idsOf(made, "mixed"), new Set(cached.map((user) => `mixed-${user}`)))

          recommender.behave = RecommenderStub.good
          const rest = { Records: event.Records.slice(from) }
          assert.isUndefined(yield* Function.invoke(made, rest))
          assert.strictEqual(idsOf(made, "mixed").size, mixed.length)
          for (const one of made.served()) assert.deepStrictEqual(one.recommendations, RecommenderStub.films(one))
        }).pipe(Effect.scoped)
    )
  }

  it.live("500 to one user alone: the others of the batch are served", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started
      recommender.behave = (call, response) =>
        call.questions.some(({ user_id }) => user_id === 13)
          ? RecommenderStub.status(500)(call, response)
          : RecommenderStub.good(call, response)
      const event = batch(others, "one")
      assert.strictEqual(Function.resumesAt(event, yield* Function.invoke(made, event)), others.indexOf(13))
      assert.deepStrictEqual(idsOf(made, "one"), new Set([11, 12, 14, 15].map((user) => `one-${user}`)))
    }).pipe(Effect.scoped)
  )

  it.live("404 on the batch endpoint: every user is asked for alone, and the next batch asks so at once", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started
      recommender.behave = RecommenderStub.withoutBatch
      assert.isUndefined(yield* Function.invoke(made, batch(cached, "a")))
      assert.isUndefined(yield* Function.invoke(made, batch(others, "b")))
      assert.strictEqual(made.served().length, 10)
      assert.strictEqual(recommender.calls.filter((call) => call.batch).length, 1)
      assert.strictEqual(recommender.calls.filter((call) => !call.batch).length, 10)
    }).pipe(Effect.scoped)
  )

  it.live("404 on everything: every record is reported, none dropped", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started
      recommender.behave = RecommenderStub.status(404)
      const event = batch(others, "gone")
      assert.strictEqual(Function.resumesAt(event, yield* Function.invoke(made, event)), 0)
      assert.strictEqual(made.served().length, 0)
    }).pipe(Effect.scoped)
  )
})

describe("a recommender that is not there", () => {
  it.live("refusing connections: hits are served, and the rest when it is back", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started
      assert.isUndefined(yield* Function.invoke(made, batch(cached, "warm")))
      yield* Effect.promise(recommender.stop)
      const event = batch(mixed, "mixed")
      const from = Function.resumesAt(event, yield* Function.invoke(made, event))
      assert.strictEqual(from, 1)
      assert.strictEqual(idsOf(made, "mixed").size, cached.length)
      yield* Effect.promise(recommender.start)
      assert.isUndefined(yield* Function.invoke(made, { Records: event.Records.slice(from) }))
      assert.strictEqual(idsOf(made, "mixed").size, mixed.length)
    }).pipe(Effect.scoped)
  )

  it.live(
    "hanging: hits are served, the rest is handed back before the function would be killed, and nobody waits on",
    () =>
      Effect.gen(function* () {
        const { made, recommender } = yield* started
        assert.isUndefined(yield* Function.invoke(made, batch(cached, "warm")))
        recommender.behave = RecommenderStub.hang
        const event = batch(mixed, "mixed")
        const begun = performance.now()
        const from = Function.resumesAt(event, yield* Function.invoke(made, event, 1_500))
        assert.isBelow(performance.now() - begun, 1_500)
        assert.strictEqual(from, 1)
        assert.strictEqual(idsOf(made, "mixed").size, cached.length)
        recommender.behave = RecommenderStub.good
        assert.isUndefined(yield* Function.invoke(made, { Records: event.Records.slice(from) }))
        assert.strictEqual(idsOf(made, "mixed").size, mixed.length)
      }).pipe(Effect.scoped)
  )

  it.live(
    "hanging with time enough: three tries of two seconds, then the rest is reported",
    () =>
      Effect.gen(function* () {
        const { made, recommender } = yield* started
        recommender.behave = RecommenderStub.hang
        const begun = performance.now()
        const event = batch(others, "slow")
        assert.strictEqual(Function.resumesAt(event, yield* Function.invoke(made, event)), 0)
        assert.isBelow(performance.now() - begun, 8_000)
        assert.strictEqual(recommender.calls.length, 3)
      }).pipe(Effect.scoped),
    15_000
  )

  it.live("asking for a pause longer than the time that is left: the rest is handed back without waiting for it", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started
      recommender.behave = RecommenderStub.status(429, { "retry-after": "600" })
      const begun = performance.now()
      const event = batch(others, "later")
      assert.strictEqual(Function.resumesAt(event, yield* Function.invoke(made, event, 3_000)), 0)
      assert.isBelow(performance.now() - begun, 2_900)
    }).pipe(Effect.scoped)
  )
})
