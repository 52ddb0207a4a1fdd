/** The bundle with a journal: what a redelivery, a poison record and a failing service become then. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { assert, describe, it } from "@effect/vitest"
import * as DeadLetters from "@leat/core/DeadLetters"
import * as Replay from "@leat/core/Replay"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as Recommendations from "@leat/recommender/Recommendations"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inject } from "vitest"

import * as Lambda from "./Lambda.ts"
import * as RecommenderStub from "./RecommenderStub.ts"
import * as Requests from "./Requests.ts"

const journalAt = (url: string) =>
  Layer.provide(
    JournalConfig.layerConfig({ withoutUrl: "none" }),
    ConfigProvider.layer(ConfigProvider.fromEnv({ env: { DATABASE_URL: url, JOURNAL_NAMESPACE: "lambda-test" } }))
  )

/** A replay and a redrive in these tests ask nobody: what they call dies. */
const nobody = Layer.mock(Recommendations.Recommendations, {})

const stores = [
  ["SQLite", 8_100_001, () => `sqlite:${join(mkdtempSync(join(tmpdir(), "leat-lambda-")), "journal.sqlite")}`],
  ["PostgreSQL", 8_200_001, () => inject("postgres").url]
] as const

describe.each(stores)("the bundle with a journal on %s", (_name, firstUser, address) => {
  it.live("serves a request once, parks what can't be read, and can be replayed without asking anybody", () =>
    Effect.gen(function* () {
      const url = address()
      const recommender = yield* RecommenderStub.start
      const { host, port } = inject("redis")
      const lambda = yield* Lambda.start({
        RECOMMENDER_ENDPOINT: recommender.url,
        REDIS_ENDPOINT: host,
        REDIS_PORT: String(port),
        DATABASE_URL: url,
        JOURNAL_NAMESPACE: "lambda-test"
      })
      const ids = Array.from({ length: 50 }, (_, index) => firstUser + index)
      const event = Requests.event([...ids.map((user) => Requests.of(user, `journaled-${user}`, 20)), "{nope"])
      assert.deepStrictEqual(yield* lambda.invoke(event), Lambda.nothingReported)
      const [start, ...first] = lambda.lines()
      assert.include(String(start?.["message"]), "journal: a redelivered event is not handled again")
      assert.deepStrictEqual(Lambda.counted(first), { hits: 0, misses: 50 })

      assert.deepStrictEqual(yield* lambda.invoke(event), Lambda.nothingReported)
      assert.deepStrictEqual(Lambda.counted(lambda.lines()), { hits: 0, misses: 0 })
      assert.strictEqual(recommender.calls.length, 1)

      yield* Effect.gen(function* () {
        const waiting = yield* DeadLetters.list("recommendations")
        assert.deepStrictEqual(
          waiting.map(({ count, type }) => [count, type]),
          [[1, "undecodable"]]
        )
        assert.match(waiting[0]?.reason ?? "", /not JSON/)
        const redriven = yield* DeadLetters.redriveAll(recommendations)
        assert.match(redriven[0]?.stopped?.reason ?? "", /not JSON/)
        const discarded = yield* DeadLetters.discard("recommendations", waiting[0]?.key ?? "", { reason: "a test" })
        assert.strictEqual(discarded, 1)
        const report = yield* Replay.run(recommendations)
        assert.deepStrictEqual(Replay.describe(report), ["this code changes 0 of 51 outcomes (1 had no handler run)"])
      }).pipe(Effect.provide([journalAt(url), nobody]))
    }).pipe(Effect.scoped)
  )
})
