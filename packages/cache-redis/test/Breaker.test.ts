import { assert, describe, it } from "@effect/vitest"

import { Breaker } from "../src/internal/breaker.ts"

describe("the breaker", () => {
  it("opens at the third timeout in a row, once", () => {
    const breaker = new Breaker()
    assert.deepStrictEqual(
      [1, 2, 3, 4].map(() => breaker.timedOut()),
      [false, false, true, false]
    )
    assert.isTrue(breaker.open)
  })

  it("stays closed while anything is answered in between", () => {
    const breaker = new Breaker()
    for (let i = 0; i < 10; i++) {
      assert.isFalse(breaker.timedOut() || breaker.timedOut())
      breaker.succeeded()
    }
  })

  it("waits longer between probes while they fail, up to 30 s, and starts anew after real work", () => {
    const breaker = new Breaker()
    const delays = Array.from({ length: 8 }, () => breaker.nextProbe(1))
    assert.deepStrictEqual(delays, [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000, 30_000])
    breaker.close()
    assert.strictEqual(breaker.nextProbe(0), 15_000)
    breaker.succeeded()
    assert.strictEqual(breaker.nextProbe(0), 500)
  })
})
