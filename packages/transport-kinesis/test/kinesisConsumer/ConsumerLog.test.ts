import { assert, describe, it } from "@effect/vitest"

import type { ConsumerEvent } from "../../src/kinesisConsumer/ConsumerEvent.ts"
import * as ConsumerLog from "../../src/kinesisConsumer/ConsumerLog.ts"

const held: ConsumerEvent = {
  _tag: "LaneHeld",
  shardId: "0",
  key: "ada",
  position: "7",
  attempt: 2,
  reason: "no answer",
  retryable: true
}

describe("the log of a consumer", () => {
  it("says a kind of trouble once in ten seconds, and how often it was met", () => {
    const line = ConsumerLog.makeLimit()
    assert.match(line(held, 0)?.message ?? "", /^key ada of shard 0 waits at 7 after try 2: no answer$/)
    for (let now = 1; now <= 40; now++) assert.isUndefined(line(held, now))
    assert.match(line(held, 10_000)?.message ?? "", /and 40 more of the kind/)
  })

  it("says every loss, and nothing of the good path", () => {
    const line = ConsumerLog.makeLimit()
    const lost: ConsumerEvent = { _tag: "RecordsTrimmed", shardId: "0", position: "1", resumed: "9" }
    assert.strictEqual(line(lost, 0)?.level, "Error")
    assert.strictEqual(line(lost, 1)?.level, "Error")
    assert.isUndefined(line({ _tag: "IteratorRenewed", shardId: "0" }, 0))
  })
})
