/** Random streams before random functions: what has to hold of every history. */
import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"
import * as HandlerTest from "../../src/testing/HandlerTest.ts"
import { texts } from "./harness.ts"

const small = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

/** What the function does with a record, the nth time that it comes. `throw*`: always. */
const deeds = ["ok", "throw*", "report*", "throw", "report", "nonsense", "throttle"] as const
const record = Arbitrary.all({ key: small(0, 5), deed: small(0, 2 * deeds.length) })
const history = Arbitrary.all({
  records: Arbitrary.array(record, { minLength: 1, maxLength: 25 }),
  batchSize: small(1, 8),
  retries: small(0, 3),
  factor: small(1, 4),
  shards: small(1, 3),
  bisect: Arbitrary.schema(Schema.Boolean),
  filtered: Arbitrary.schema(Schema.Boolean)
})

/** The first bad record of a batch decides; once it was met, a passing fault is gone. */
const functionOf = (deedOf: (id: string) => string) => {
  const met = new Set<string>()
  const settled: Array<string> = []
  const done = (ids: ReadonlyArray<string>) => void settled.push(...ids)
  const handler = (event: LambdaEvent.LambdaEvent): unknown => {
    const ids = texts(event).map((text) => String(JSON.parse(text).id))
    const index = ids.findIndex((id) => deedOf(id).endsWith("*") || (deedOf(id) !== "ok" && !met.has(id)))
    const id = ids[index]
    if (id === undefined) return done(ids)
    met.add(id)
    const deed = deedOf(id)
    if (deed === "throttle") throw new EventSourceMapping.InvokeThrottled({ message: "busy" })
    if (deed.startsWith("throw")) throw new Error(id)
    if (deed === "nonsense") return { batchItemFailures: [{ itemIdentifier: "4711" }] }
    done(ids.slice(0, index))
    return { batchItemFailures: [{ itemIdentifier: event.Records[index]?.kinesis.sequenceNumber }] }
  }
  return { handler, settled }
}

const idOf = (text: string): string => String(JSON.parse(text).id)

describe("whatever a function does with whatever records", () => {
  it.effect.prop(
    "nothing is lost, the order of a key holds, retries are bounded, and poison takes no good record along when bisected",
    [history],
    Effect.fnUntraced(function* ([{ batchSize, bisect, factor, filtered, records, retries, shards }]) {
      const deedOf = (id: string) => deeds[records[Number(id)]?.deed ?? 0] ?? "ok"
      const { handler, settled } = functionOf(deedOf)
      const wanted = (index: number) => !filtered || index % 3 !== 0
      const put = records.map(({ key }, index) => ({
        partitionKey: `k${key}`,
        data: JSON.stringify({ id: String(index), wanted: wanted(index) })
      }))
      const report = yield* HandlerTest.run(handler, put, {
        batchSize,
        shards,
        parallelizationFactor: factor,
        maximumRetryAttempts: retries,
        bisectBatchOnFunctionError: bisect,
        ...(filtered ? { filterCriteria: [{ data: { wanted: [true] } }] } : {})
      })
      const givenUp = report.givenUp.map(idOf)
      const all = records.flatMap((_, index) => (wanted(index) ? [String(index)] : []))

      assert.deepStrictEqual([...new Set([...settled, ...givenUp])].toSorted(), all.toSorted(), "nothing is lost")
      assert.strictEqual(new Set(givenUp).size, givenUp.length, "nothing is given up twice")
      assert.strictEqual(report.stats.settled + givenUp.length, all.length)
      assert.strictEqual(report.stats.filtered, records.length - all.length)

      const first = [...new Set(settled)].map(Number)
      for (const key of new Set(records.map((one) => one.key))) {
        const numbers = first.filter((id) => records[id]?.key === key)
        assert.deepStrictEqual(
          numbers,
          numbers.toSorted((a, b) => a - b),
          "a key's records are first done in order"
        )
      }
      for (const { document } of report.failures) {
        assert.strictEqual(document.requestContext.condition, "RetryAttemptsExhausted")
        const most = (retries + 1) * (bisect ? batchSize + 1 : 1)
        assert.isAtMost(document.requestContext.approximateInvokeCount, most)
      }
    })
  )

  it.effect.prop(
    "bisecting, what always throws is given up alone",
    [Arbitrary.array(Arbitrary.schema(Schema.Boolean), { minLength: 1, maxLength: 30 }), small(1, 30), small(0, 2)],
    Effect.fnUntraced(function* ([bad, batchSize, maximumRetryAttempts]) {
      const { handler } = functionOf((id) => (bad[Number(id)] === true ? "throw*" : "ok"))
      const put = bad.map((_, index) => JSON.stringify({ id: String(index) }))
      const options = { batchSize, maximumRetryAttempts, bisectBatchOnFunctionError: true }
      const report = yield* HandlerTest.run(handler, put, options)
      assert.deepStrictEqual(
        report.givenUp.map(idOf),
        bad.flatMap((is, index) => (is ? [String(index)] : []))
      )
    })
  )
})
