import { assert, describe, it } from "@effect/vitest"
import * as RecommendationTelemetry from "@leat/recommender/RecommendationTelemetry"

import * as Report from "../src/Report.ts"
import * as Zipf from "../src/Zipf.ts"

describe("Report", () => {
  it("reads the latencies that the telemetry writes, and nothing else", () => {
    assert.deepStrictEqual(Report.read(RecommendationTelemetry.document("Hit", [1, 2.5], 0)), {
      Hit: [1, 2.5],
      Miss: []
    })
    assert.deepStrictEqual(Report.read(RecommendationTelemetry.document("Miss", [20], 0)), { Hit: [], Miss: [20] })
    assert.isUndefined(Report.read('{"level":"warn","message":"slow request"}'))
    assert.isUndefined(Report.read('{"_aws":{},"CacheStatus":"Other","RecommendationLatency":[1]}'))
    assert.isUndefined(Report.read('{"_aws"'))
  })

  it("takes the smallest value that the share asked for does not exceed", () => {
    const values = [5, 1, 4, 2, 3]
    assert.deepStrictEqual(
      [0.5, 0.95, 0.2, 0].map((p) => Report.quantile(values, p)),
      [3, 5, 1, 1]
    )
    assert.isUndefined(Report.quantile([], 0.5))
  })

  it("puts what several lines say together, in order", () => {
    const parts = [Report.nothing, { Hit: [1], Miss: [9] }, { Hit: [2], Miss: [] }]
    assert.deepStrictEqual(Report.merge(parts), { Hit: [1, 2], Miss: [9] })
  })

  it("prints a table that an empty run can't break", () => {
    assert.include(
      Report.table({ requested: 0, served: Report.nothing, failed: 0, elapsed: 1 }),
      "requested 0, served 0"
    )
    const table = Report.table({ requested: 3, served: { Hit: [1, 1, 1], Miss: [9] }, failed: 0, elapsed: 2_000 })
    assert.include(table, "hit rate 75.0 %, throughput 2 requests/s over 2.0 s")
  })
})

describe("Zipf", () => {
  it("draws each rank with its weight", () => {
    let step = 0
    const steps = 100_000
    const draw = Zipf.make(3, 1, () => (step++ + 0.5) / steps)
    const drawn = [0, 0, 0]
    for (let n = 0; n < steps; n++) {
      const rank = draw()
      drawn[rank] = (drawn[rank] ?? 0) + 1
    }
    const total = 1 + 1 / 2 + 1 / 3
    drawn.forEach((times, rank) => assert.closeTo(times / steps, 1 / (rank + 1) / total, 0.001))
  })
})
