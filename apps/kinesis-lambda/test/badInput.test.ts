/** Every bad record of the design, through the handler, among good ones: nothing is lost, and that is counted. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import { badRecords } from "./BadRecords.ts"
import * as Function from "./Function.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as Requests from "./Requests.ts"

const started = (sink: boolean) =>
  Effect.gen(function* () {
    const recommender = yield* RecommenderStub.start
    const env = { RECOMMENDER_ENDPOINT: recommender.url, REDIS_ENABLED: "false" }
    return { recommender, made: yield* Function.make({ env, sink }) }
  })

/** A bad record between two good ones of other users. */
const around = (data: Requests.Data) => Requests.event([Requests.of(1, "before"), data, Requests.of(2, "after")])

const ids = (made: Function.Function) => made.served().map((one) => one.request_id)

describe("a record that can't be read", () => {
  it.live("goes to the dead-letter sink with its bytes and the reason, and blocks nobody", () =>
    Effect.gen(function* () {
      const { made } = yield* started(true)
      for (const [index, { data, says, title }] of badRecords.entries()) {
        const event = around(data)
        assert.isUndefined(yield* Function.invoke(made, event), title)
        assert.strictEqual(made.letters.length, index + 1, title)
        const letter = made.letters.at(-1)
        assert.match(letter?.reason ?? "", says, title)
        assert.isBelow(letter?.reason.length ?? Infinity, 4_096, title)
        assert.strictEqual(letter?.delivery.position, Requests.number(1), title)
        if (typeof data === "string" || data instanceof Uint8Array) {
          assert.isTrue(Buffer.from(data).equals(letter?.delivery.bytes ?? new Uint8Array()), title)
        }
        assert.deepStrictEqual(
          ids(made)
            .slice(2 * index)
            .toSorted(),
          ["after", "before"],
          title
        )
      }
      assert.notProperty({}, "user_id")
    }).pipe(Effect.scoped)
  )

  it.live("is reported where there is no sink, and what follows is served all the same", () =>
    Effect.gen(function* () {
      const { made } = yield* started(false)
      for (const [index, { data, title }] of badRecords.entries()) {
        assert.strictEqual(yield* Function.invoke(made, around(data)), Requests.number(1), title)
        assert.deepStrictEqual(
          ids(made)
            .slice(2 * index)
            .toSorted(),
          ["after", "before"],
          title
        )
      }
      const failed = made
        .printed()
        .split("\n")
        .filter((line) => line.includes('"failed request"'))
      assert.isAbove(failed.length, 0)
      for (const line of failed) assert.isBelow(line.length, 1_024)
    }).pipe(Effect.scoped)
  )

  it.live("in a newer version holds back what follows of its user, until the newer program comes", () =>
    Effect.gen(function* () {
      const { made } = yield* started(false)
      const version = (dataversion: number, request_id: string) =>
        JSON.stringify({
          specversion: "1.0",
          id: request_id,
          source: "tests",
          type: "RecommendationRequested",
          dataversion,
          data: JSON.parse(Requests.of(1, request_id))
        })
      const { Records } = Requests.event([version(2, "newer"), version(1, "older"), Requests.of(2, "another")])
      const keyed = Records.map((record, index) =>
        Object.assign({}, record, { kinesis: { ...record.kinesis, partitionKey: index < 2 ? "user-1" : "user-2" } })
      )
      assert.strictEqual(yield* Function.invoke(made, { Records: keyed }), Requests.number(0))
      assert.deepStrictEqual(ids(made), ["another"])
    }).pipe(Effect.scoped)
  )

  for (const sink of [true, false]) {
    it.live(
      `all of them in one batch with good ones: served, ${sink ? "dead-lettered" : "reported"}, and none else`,
      () =>
        Effect.gen(function* () {
          const { made } = yield* started(sink)
          // 10 MiB in one invocation with the rest is more than Lambda takes; it has its turn above.
          const bad = badRecords.slice(0, -1)
          const good = bad.map((_, index) => Requests.of(index + 1, `good-${index}`))
          const event = Requests.event(bad.flatMap(({ data }, index) => [good[index] ?? "", data]))
          const from = Function.resumesAt(event, yield* Function.invoke(made, event))
          assert.strictEqual(new Set(ids(made)).size, good.length)
          assert.strictEqual(made.letters.length, sink ? bad.length : 0)
          assert.strictEqual(from, sink ? event.Records.length : 1)
          assert.strictEqual(good.length + bad.length, event.Records.length)
        }).pipe(Effect.scoped)
    )
  }
})

describe("a record that is only odd", () => {
  const odd = [
    ["a time in the future", Requests.request({ request_id: "odd", timestamp: "2999-01-01T00:00:00Z" })],
    ["a time that is none", Requests.request({ request_id: "odd", timestamp: "yesterday" })],
    ["members nobody knows", Requests.request({ request_id: "odd", extra: { a: [1, 2, 3] } })],
    ["a __proto__ beside the rest", Requests.request({ request_id: "odd" }).replace("{", '{"__proto__":{"top_n":5},')],
    ["a constructor beside the rest", Requests.request({ request_id: "odd", constructor: { prototype: 1 } })],
    ["the largest user", Requests.request({ request_id: "odd", user_id: Number.MAX_SAFE_INTEGER })],
    ["white space around it", `\n  ${Requests.request({ request_id: "odd" })}\t `],
    ["1 MiB of something else", Requests.request({ request_id: "odd", extra: "x".repeat(1024 * 1024) })],
    [
      "a CloudEvent",
      JSON.stringify({
        specversion: "1.0",
        id: "e",
        source: "s",
        type: "RecommendationRequested",
        data: JSON.parse(Requests.request({ request_id: "odd" }))
      })
    ]
  ] as const

  it.live("is served, for twenty films", () =>
    Effect.gen(function* () {
      const { made } = yield* started(true)
      for (const [index, [title, data]] of odd.entries()) {
        assert.isUndefined(yield* Function.invoke(made, Requests.event([data])), title)
        assert.strictEqual(made.served().length, index + 1, `${title}: ${made.letters[0]?.reason}`)
        const served = made.served().at(-1)
        assert.deepInclude(served, { request_id: "odd", top_n: 20 }, title)
        const question = { user_id: served?.user_id ?? 0, top_n: 20 }
        assert.deepStrictEqual(served?.recommendations, RecommenderStub.films(question), title)
      }
      assert.strictEqual(made.letters.length, 0)
      assert.notProperty({}, "top_n")
    }).pipe(Effect.scoped)
  )

  it.live("that comes twice in a batch is served once, and nothing of it is left", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started(true)
      const twice = Requests.of(5, "twice")
      assert.isUndefined(yield* Function.invoke(made, Requests.event([twice, Requests.of(6, "other"), twice, twice])))
      assert.deepStrictEqual(ids(made).toSorted(), ["other", "twice"])
      assert.strictEqual(recommender.calls.flatMap((call) => call.questions).length, 2)
    }).pipe(Effect.scoped)
  )

  it.live("that shares its id with another user's is served as well", () =>
    Effect.gen(function* () {
      const { made } = yield* started(true)
      const event = Requests.event([Requests.of(1, "same"), Requests.of(2, "same"), Requests.of(1, "same", 3)])
      assert.isUndefined(yield* Function.invoke(made, event))
      assert.deepStrictEqual(
        made
          .served()
          .map((one) => one.user_id)
          .toSorted(),
        [1, 2]
      )
    }).pipe(Effect.scoped)
  )

  it.live("that comes with no time left is handed back, unstarted, and nobody is asked", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started(true)
      const event = Requests.event([Requests.of(1, "late"), Requests.of(2, "later")])
      for (const remaining of [0, 400]) {
        assert.strictEqual(Function.resumesAt(event, yield* Function.invoke(made, event, remaining)), 0)
      }
      assert.deepStrictEqual([made.served().length, recommender.calls.length, made.letters.length], [0, 0, 0])
    }).pipe(Effect.scoped)
  )

  it.live("an empty batch is done, without a call of anybody", () =>
    Effect.gen(function* () {
      const { made, recommender } = yield* started(true)
      assert.isUndefined(yield* Function.invoke(made, { Records: [] }))
      assert.strictEqual(recommender.calls.length, 0)
    }).pipe(Effect.scoped)
  )

  it.live("a record of an unknown shard is served, and its letter names it", () =>
    Effect.gen(function* () {
      const { made } = yield* started(true)
      const event = Requests.event([Requests.of(1, "stray"), "bad"])
      const stray = { Records: event.Records.map((record) => Object.assign({}, record, { eventID: "nowhere" })) }
      assert.isUndefined(yield* Function.invoke(made, stray))
      assert.deepStrictEqual(ids(made), ["stray"])
      assert.strictEqual(made.letters[0]?.delivery.partition, "movie-rec-requests/nowhere")
    }).pipe(Effect.scoped)
  )
})
