import { assert, describe, it } from "@effect/vitest"
import * as Delivery from "@leat/core/Delivery"
import * as Outcome from "@leat/core/Outcome"
import type { BatchFinished } from "@leat/core/WorkerEvent"
import { RecommendationServed } from "@leat/recommender/RecommendationServed"
import type { Source } from "@leat/recommender/RecommendationServed"
import * as RecommendationTelemetry from "@leat/recommender/RecommendationTelemetry"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"

interface Record {
  readonly latency: number
  readonly outcome: Outcome.Outcome
}

const served = (source: Source, latency: number): Record => ({
  latency,
  outcome: Outcome.handled([
    RecommendationServed.make({ request_id: "r", user_id: 7, top_n: 1, recommendations: [1], source })
  ])
})

const failed = (message: string): Record => ({
  latency: 3,
  outcome: Outcome.failed(Cause.fail({ message, secret: "hunter2" }), true)
})

const batch = (records: ReadonlyArray<Record>, startedAt = 1_000): BatchFinished => ({
  _tag: "BatchFinished",
  worker: "recommendations",
  batch: records.map((_, index) => Delivery.make({ partition: "shard", position: String(index), bytes: "" })),
  result: Outcome.result(records.map((record) => record.outcome)),
  payload: () => ({ request_id: "r", user_id: 7 }),
  startedAt,
  latencies: records.map((record) => record.latency),
  duration: 5,
  mismatchedKeys: 0,
  dropped: 0
})

/** What the telemetry writes of batches, parsed. */
const written = (batches: ReadonlyArray<BatchFinished>, options: RecommendationTelemetry.Options = {}) => {
  const lines: Array<string> = []
  const reader = RecommendationTelemetry.make({ ...options, write: (line) => void lines.push(line) })
  for (const event of batches) reader.onEvent(event)
  Effect.runSync(reader.flush)
  return lines.map((line) => JSON.parse(line) as { readonly [name: string]: unknown })
}

describe("RecommendationTelemetry", () => {
  it("writes one document for the hits of a batch and one for its misses, as CloudWatch reads them", () => {
    const lines = written([
      batch([
        served("redis", 1.234),
        served("origin", 20),
        served("memory", 1.234),
        served("fallback", 30),
        served("stale", 2)
      ])
    ])
    assert.deepStrictEqual(
      lines.map((line) => [line["CacheStatus"], line["RecommendationLatency"]]),
      [
        ["Hit", [1.23, 1.23, 2]],
        ["Miss", [20, 30]]
      ]
    )
    assert.deepStrictEqual(lines[0]?.["_aws"], {
      Timestamp: 1_005,
      CloudWatchMetrics: [
        {
          Namespace: "MovieRecommendation",
          Dimensions: [["CacheStatus"]],
          Metrics: [{ Name: "RecommendationLatency", Unit: "Milliseconds" }]
        }
      ]
    })
  })

  it("puts at most 100 values in a document, and loses none", () => {
    const lines = written([batch(Array.from({ length: 250 }, (_, index) => served("redis", index % 90)))])
    const sizes = lines.map((line) => (line["RecommendationLatency"] as ReadonlyArray<number>).length)
    assert.deepStrictEqual(sizes, [100, 100, 50])
  })

  it("is silent about a batch that did nothing", () => {
    assert.deepStrictEqual(written([batch([{ latency: 0, outcome: Outcome.unstarted }])]), [])
  })

  it("tells of a slow request", () => {
    const slow = written([batch([served("origin", 100.01), served("redis", 100)])]).filter((line) => "level" in line)
    assert.deepStrictEqual(slow, [
      { level: "warn", message: "slow request", request_id: "r", user_id: 7, latency_ms: 100.01, cache_status: "Miss" }
    ])
  })

  it("tells of what failed and of what was given up, with the reason and nothing else of the error", () => {
    const lines = written([
      batch([failed("the recommender answered 500"), { latency: 1, outcome: Outcome.parked("not JSON") }])
    ])
    assert.deepStrictEqual(
      lines.map((line) => [line["level"], line["request_id"], line["user_id"], line["position"], line["error"]]),
      [
        ["error", "r", 7, "shard/0", "the recommender answered 500"],
        ["error", "r", 7, "shard/1", "not JSON"]
      ]
    )
    assert.notInclude(JSON.stringify(lines), "hunter2")
  })

  it("writes so many lines a second and counts the rest", () => {
    const bad = Array.from({ length: 30 }, () => failed("down"))
    const lines = written([batch(bad), batch(bad.slice(0, 2), 2_500)], { linesPerSecond: 5 })
    assert.deepStrictEqual(
      lines.map((line) => line["suppressed"] ?? line["message"]),
      [...Array.from({ length: 5 }, () => "failed request"), 25, "failed request", "failed request"]
    )
  })
})
