import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"

import * as RecommenderStub from "../../kinesis-lambda/test/RecommenderStub.ts"
import * as Program from "./Program.ts"

const upTo = (count: number, from = 1) => Array.from({ length: count }, (_, index) => from + index)

/** Whom the recommender was asked about, in all. */
const asked = ({ calls }: RecommenderStub.RecommenderStub): ReadonlyArray<number> =>
  calls.flatMap(({ questions }) => questions.map(({ user_id }) => user_id)).toSorted((a, b) => a - b)

const unique = () => `consumer-${globalThis.crypto.randomUUID()}`

/** No journal: only the checkpoint keeps a restart from repeating. */
const stores = [
  ["PostgreSQL", () => ({ CHECKPOINT_URL: inject("postgres").url })],
  [
    "Redis, with leases",
    () => ({ CHECKPOINT_URL: inject("redis").url, SHARD_ASSIGNMENT: "redis", REDIS_URL: inject("redis").url })
  ]
] as const

describe.concurrent("pnpm --filter kinesis-consumer start", { timeout: 120_000 }, () => {
  for (const [name, where] of stores) {
    it.live(`serves, writes its last checkpoint on SIGTERM, ends with 0 and goes on there, on ${name}`, () =>
      Effect.gen(function* () {
        const { endpoint, put } = yield* Program.stream()
        const recommender = yield* RecommenderStub.start
        const env = {
          ...where(),
          KINESIS_ENDPOINT: endpoint,
          RECOMMENDER_ENDPOINT: recommender.url,
          CONSUMER_APPLICATION: unique(),
          // No checkpoint in time but the last.
          CONSUMER_CHECKPOINT_INTERVAL: "1 hour"
        }
        yield* put(...upTo(40))
        const first = yield* Program.start(env)
        yield* Program.until(() => asked(recommender).length >= 40)
        first.child.kill("SIGTERM")
        assert.strictEqual(yield* first.ended, 0)
        assert.match(first.said(), /is given back/)
        assert.include(first.said(), '"RecommendationLatency"')

        yield* put(...upTo(20, 41))
        const second = yield* Program.start(env)
        yield* Program.until(() => asked(recommender).length >= 60)
        second.child.kill("SIGINT")
        assert.strictEqual(yield* second.ended, 0)
        assert.deepStrictEqual(asked(recommender), upTo(60))
      }).pipe(Effect.scoped)
    )
  }

  it.live("keeps a journal and its checkpoints in DATABASE_URL, shares shards, and tells that it runs", () =>
    Effect.gen(function* () {
      const { endpoint, put } = yield* Program.stream()
      const recommender = yield* RecommenderStub.start
      const program = yield* Program.start({
        DATABASE_URL: inject("postgres").url,
        JOURNAL_NAMESPACE: unique(),
        SHARD_ASSIGNMENT: "postgres",
        KINESIS_ENDPOINT: endpoint,
        RECOMMENDER_ENDPOINT: recommender.url,
        CONSUMER_APPLICATION: unique(),
        HEALTH_PORT: "0"
      })
      yield* put(...upTo(10))
      yield* Program.until(() => asked(recommender).length >= 10)
      assert.match(program.said(), /polling; cluster assignment; journal: a redelivered event is not handled again/)
      const url = /health at (\S+)\/health/.exec(program.said())?.[1] ?? ""
      for (const path of ["/health", "/ready"]) {
        assert.strictEqual((yield* Effect.promise(() => fetch(url + path))).status, 200)
      }
      assert.notInclude(program.said(), new URL(inject("postgres").url).password || "hunter2")
      program.child.kill("SIGTERM")
      assert.strictEqual(yield* program.ended, 0)
    }).pipe(Effect.scoped)
  )

  it.live("waits for what it has in hand, and not for who asks twice", () =>
    Effect.gen(function* () {
      const { endpoint, put } = yield* Program.stream()
      const recommender = yield* RecommenderStub.start
      recommender.behave = RecommenderStub.hang
      yield* put(1)
      const program = yield* Program.start({
        CHECKPOINT_URL: "memory",
        KINESIS_ENDPOINT: endpoint,
        RECOMMENDER_ENDPOINT: recommender.url
      })
      yield* Program.until(() => recommender.calls.length > 0)
      program.child.kill("SIGTERM")
      yield* Effect.sleep("300 millis")
      assert.isNull(program.child.exitCode)
      program.child.kill("SIGTERM")
      assert.strictEqual(yield* program.ended, 143)
    }).pipe(Effect.scoped)
  )

  it.live("ends with 1 and its reason when it may not read any more", () =>
    Effect.gen(function* () {
      let denied = false
      const { endpoint, put } = yield* Program.stream({
        faults: (operation) =>
          denied && operation === "GetRecords" ? { type: "AccessDeniedException", message: "no longer" } : undefined
      })
      const recommender = yield* RecommenderStub.start
      const program = yield* Program.start({
        CHECKPOINT_URL: "memory",
        KINESIS_ENDPOINT: endpoint,
        RECOMMENDER_ENDPOINT: recommender.url
      })
      yield* put(1)
      yield* Program.until(() => recommender.calls.length > 0)
      denied = true
      assert.strictEqual(yield* program.ended, 1)
      assert.match(program.said(), /the consumer can't run: GetRecords: .*no longer\n/)
      assert.notMatch(program.said(), /\n {4}at /)
    }).pipe(Effect.scoped)
  )

  it.live("ends with 1 and one line for a variable that is wrong", () =>
    Effect.gen(function* () {
      const program = yield* Program.start({ RECOMMENDER_ENDPOINT: "http://127.0.0.1:1", CONSUMER_START: "NOW" })
      assert.strictEqual(yield* program.ended, 1)
      assert.match(program.said(), /^configuration: [^\n]*CONSUMER_START[^\n]*\n$/)
    }).pipe(Effect.scoped)
  )
})
