import { assert, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe } from "vitest"

import * as Verdict from "../src/recommender/http/Verdict.ts"

const asked = { user_id: 7, top_n: 3 }

describe("a status", () => {
  it("of 429, or of 503 with Retry-After, throttles and says for how long", () => {
    assert.deepInclude(Verdict.ofStatus(429, "2", 0), { reason: "Throttled", retryAfter: 2000, retryable: true })
    assert.deepInclude(Verdict.ofStatus(503, "1", 0), { reason: "Throttled", retryAfter: 1000 })
    assert.deepInclude(Verdict.ofStatus(503, undefined, 0), { reason: "Unavailable", retryable: true })
  })

  it("of 4xx is final, of 5xx is not, and a redirect breaks the contract", () => {
    assert.deepInclude(Verdict.ofStatus(422, undefined, 0), { reason: "Refused", retryable: false })
    assert.deepInclude(Verdict.ofStatus(500, undefined, 0), { reason: "Unavailable", retryable: true })
    assert.deepInclude(Verdict.ofStatus(501, undefined, 0), { retryable: false })
    assert.deepInclude(Verdict.ofStatus(504, undefined, 0), { reason: "Timeout", retryable: true })
    assert.deepInclude(Verdict.ofStatus(302, undefined, 0), { reason: "BadAnswer", retryable: false })
    assert.isUndefined(Verdict.ofStatus(200, undefined, 0))
  })

  it("reads Retry-After as seconds or as an HTTP date, and never as a negative wait", () => {
    assert.strictEqual(Verdict.waitOf("Thu, 01 Jan 1970 00:00:10 GMT", 4000), 6000)
    assert.strictEqual(Verdict.waitOf("Thu, 01 Jan 1970 00:00:01 GMT", 4000), 0)
    assert.isUndefined(Verdict.waitOf("soon", 0))
    assert.isUndefined(Verdict.waitOf("-5e9x", 0))
  })
})

describe("an answer", () => {
  it.effect.prop("that is no ranking is a failure, never a throw", [Schema.Unknown], ([value]) =>
    Effect.sync(() => {
      const found = Verdict.ranking(value, asked)
      assert.isTrue(Verdict.isFailure(found) || found.every(Number.isSafeInteger))
    })
  )

  it("must not hold more films than were asked for, nor anything but integers", () => {
    assert.deepStrictEqual(Verdict.ranking({ user_id: 7, recommendations: [1, 2, 3], count: 3 }, asked), [1, 2, 3])
    assert.deepStrictEqual(Verdict.ranking({ recommendations: [] }, asked), [])
    for (const recommendations of [[1, 2, 3, 4], [1.5], ["1"], [null], [1e300], {}, null, undefined]) {
      assert.deepInclude(Verdict.ranking({ recommendations }, asked), { reason: "BadAnswer", retryable: false })
    }
  })

  it("for another user is a failure", () => {
    assert.deepInclude(Verdict.ranking({ user_id: 8, recommendations: [1] }, asked), { reason: "BadAnswer" })
  })

  it("to a batch fails as a whole when its length is wrong, and else item by item", () => {
    const good = { user_id: 7, recommendations: [1] }
    assert.deepInclude(Verdict.rankings({ results: [good] }, [asked, asked]), { reason: "BadAnswer" })
    const found = Verdict.rankings({ results: [good, { user_id: 9 }] }, [asked, asked])
    assert.isFalse(Verdict.isFailure(found))
    if (!Verdict.isFailure(found)) {
      assert.deepStrictEqual(found[0], [1])
      assert.deepInclude(found[1], { reason: "BadAnswer" })
    }
  })
})
