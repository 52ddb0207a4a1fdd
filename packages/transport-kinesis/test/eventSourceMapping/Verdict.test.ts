import { assert, describe, it } from "@effect/vitest"

import * as Verdict from "../../src/eventSourceMapping/Verdict.ts"

// Long numbers whose order as text differs from their order as integers.
const batch = [
  "49590338271490256608559692538361571095921575989136588898",
  "100000000000000000000000000000000000000000000000000000000",
  "100000000000000000000000000000000000000000000000000000001"
]
const [first = "", second = "", third = ""] = batch

const from = (index: number): Verdict.Verdict => ({ _tag: "From", index })
const report = (...ids: ReadonlyArray<unknown>) => ({
  batchItemFailures: ids.map((itemIdentifier) => ({ itemIdentifier }))
})

describe("T68: the answer of a function with ReportBatchItemFailures", () => {
  const table: ReadonlyArray<readonly [string, unknown, Verdict.Verdict]> = [
    ["an empty text is success", "", Verdict.settled],
    ["an empty list is success", [], Verdict.settled],
    ["null is success", null, Verdict.settled],
    ["nothing is success", undefined, Verdict.settled],
    ["an empty object is success", {}, Verdict.settled],
    ["no failures are success", { batchItemFailures: [] }, Verdict.settled],
    ["failures that are null are success", { batchItemFailures: null }, Verdict.settled],
    [
      "another key is success: the failures are lost",
      { BatchItemFailures: [{ itemIdentifier: first }] },
      Verdict.settled
    ],
    ["an empty identifier fails the batch", report(""), Verdict.unreadable],
    ["an identifier that is null fails the batch", report(null), Verdict.unreadable],
    ["an entry with another key fails the batch", { batchItemFailures: [{ foo: 123 }] }, Verdict.unreadable],
    ["an entry whose other key is null fails the batch", { batchItemFailures: [{ foo: null }] }, Verdict.unreadable],
    ["an identifier that is not in the batch fails it", report("123"), Verdict.unreadable],
    ["a number is no identifier", report(123), Verdict.unreadable],
    ["one bad identifier among good ones fails the batch", report(third, "123"), Verdict.unreadable],
    ["failures that are no list fail the batch", { batchItemFailures: first }, Verdict.unreadable],
    ["the first record is sent again with all that follow", report(first), from(0)],
    ["the last record alone is sent again", report(third), from(2)],
    ["T69: the lowest of several counts, in the shard's order", report(third, second), from(1)],
    ["T6: the lowest is the lowest integer, not the first text", report(third, first), from(0)],
    ["the same identifier twice is one", report(second, second), from(1)]
  ]
  for (const [sentence, answer, verdict] of table) {
    it(sentence, () => assert.deepStrictEqual(Verdict.fromAnswer(batch, answer), verdict))
  }
})
