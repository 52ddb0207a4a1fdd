import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe } from "vitest"

import * as Question from "../src/recommenderApi/Question.ts"

const limits: Question.Limits = { topNDefault: 20, topNMax: 100, maxRequests: 3 }

const pathsOf = (found: unknown) =>
  found instanceof Question.Faults ? found.faults.map((one) => one.path.join(".")) : found

const UserId = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))
const TopN = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 100 }))

describe("a single question", () => {
  it.effect.prop("is what was written", [UserId, TopN], ([user_id, top_n]) =>
    Effect.sync(() => {
      assert.deepStrictEqual(Question.single(String(user_id), String(top_n), limits), { user_id, top_n })
      assert.deepStrictEqual(Question.single(String(user_id), undefined, limits), { user_id, top_n: 20 })
    })
  )

  it.effect.prop(
    "of any text is within the limits, or names its faults",
    [Schema.String, Schema.String],
    ([user, top]) =>
      Effect.sync(() => {
        const found = Question.single(user, top, limits)
        if (found instanceof Question.Faults) assert.isAtLeast(found.faults.length, 1)
        else assert.isTrue(found.user_id >= 1 && found.top_n >= 1 && found.top_n <= 100)
      })
  )

  it("must be about one positive integer", () => {
    for (const user of [
      "abc",
      "1.5",
      "-1",
      "0",
      "1e999",
      "1e3",
      "+1",
      " 1",
      "0x10",
      "",
      "9007199254740992",
      "9".repeat(400),
      "１"
    ]) {
      assert.deepStrictEqual(pathsOf(Question.single(user, undefined, limits)), ["params.user_id"], user)
    }
    assert.deepStrictEqual(Question.single("9007199254740991", "1", limits), {
      user_id: Number.MAX_SAFE_INTEGER,
      top_n: 1
    })
  })

  it("must ask for 1 to TOP_N_MAX films, once", () => {
    for (const top of ["0", "101", "many", "", "1.5", "-1", ["3", "4"]]) {
      assert.deepStrictEqual(pathsOf(Question.single("1", top, limits)), ["query.top_n"])
    }
    assert.deepStrictEqual(pathsOf(Question.single("x", "0", limits)), ["params.user_id", "query.top_n"])
  })
})

describe("a batch", () => {
  it.effect.prop("of anything is a list within the limits, or names its faults", [Schema.Unknown], ([body]) =>
    Effect.sync(() => {
      for (const value of [body, { requests: body }, { requests: [body] }]) {
        const found = Question.many(value, limits)
        if (found instanceof Question.Faults) assert.isAtLeast(found.faults.length, 1)
        else for (const one of found) assert.isTrue(one.user_id >= 1 && one.top_n >= 1 && one.top_n <= 100)
      }
    })
  )

  it("keeps the order and fills the default in", () => {
    assert.deepStrictEqual(Question.many({ requests: [{ user_id: 2, top_n: 3, extra: 1 }, { user_id: 1 }] }, limits), [
      { user_id: 2, top_n: 3 },
      { user_id: 1, top_n: 20 }
    ])
    assert.deepStrictEqual(Question.many({ requests: [] }, limits), [])
  })

  it("names every fault with its place", () => {
    const requests = [
      { user_id: "1" },
      { user_id: 1, top_n: 101 },
      JSON.parse('{"__proto__":{"user_id":1},"top_n":null}')
    ]
    assert.deepStrictEqual(pathsOf(Question.many({ requests }, limits)), [
      "payload.requests.0.user_id",
      "payload.requests.1.top_n",
      "payload.requests.2.user_id",
      "payload.requests.2.top_n"
    ])
  })

  it("must be a list of at most so many", () => {
    for (const body of [
      undefined,
      null,
      1,
      [],
      {},
      { requests: {} },
      { requests: Array.from({ length: 4 }, () => ({ user_id: 1 })) }
    ]) {
      assert.deepStrictEqual(pathsOf(Question.many(body, limits)), ["payload.requests"])
    }
  })
})
