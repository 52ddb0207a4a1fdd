import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Lane from "../../src/eventSourceMapping/Lane.ts"
import * as Window from "../../src/eventSourceMapping/Window.ts"

const record = (sequenceNumber: string, arrival = 0, partitionKey = "k") => ({
  sequenceNumber,
  partitionKey,
  data: new Uint8Array(0),
  arrival
})
const situation = { now: 0, bounds: { batchSize: 3, payloadBytes: 1_000_000 }, open: true, window: undefined, tipAt: 0 }
const lane = (arrivals: ReadonlyArray<number>, deadline: number | undefined = 1000): Lane.Lane => ({
  buffer: arrivals.map((arrival, index) => record(String(index), arrival)),
  busy: false,
  deadline
})
const minute = Window.open(record("0", 90_000), 60_000)

describe("a lane", () => {
  const table: ReadonlyArray<[sentence: string, lane: Lane.Lane, change: Partial<Lane.Situation>, step: Lane.Step]> = [
    ["waits while it is empty", lane([]), {}, { _tag: "Wait", until: undefined }],
    ["waits for more until its deadline", lane([0]), {}, { _tag: "Wait", until: 1000 }],
    ["sends at its deadline", lane([0]), { now: 1000 }, { _tag: "Send", count: 1 }],
    ["sends when it is full", lane([0, 0, 0, 0]), {}, { _tag: "Send", count: 3 }],
    ["sends when nothing more comes", lane([0]), { open: false }, { _tag: "Send", count: 1 }],
    [
      "sends no record of the next window",
      lane([90_000, 120_000, 90_000]),
      { window: minute },
      { _tag: "Send", count: 1 }
    ],
    ["takes a late record into the open window", lane([5, 90_000]), { window: minute }, { _tag: "Wait", until: 1000 }],
    ["ends a window before a record of the next", lane([120_000]), { window: minute }, { _tag: "Close" }],
    ["ends a window with the shard", lane([]), { window: minute, open: false }, { _tag: "Close" }],
    [
      "ends a window when a read after its end met nothing",
      lane([]),
      { window: minute, tipAt: 120_000 },
      { _tag: "Close" }
    ],
    [
      "keeps a window that may get more",
      lane([]),
      { window: minute, tipAt: 119_999 },
      { _tag: "Wait", until: undefined }
    ]
  ]
  for (const [sentence, one, change, step] of table) {
    it(sentence, () => assert.deepStrictEqual(Lane.next(one, { ...situation, ...change }), step))
  }

  it.prop(
    "has all records of its partition keys, in their order, and no other lane has one",
    [
      Arbitrary.array(Arbitrary.schema(Schema.String), { maxLength: 40 }),
      Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 10 })))
    ],
    ([keys, factor]) => {
      const lanes = Lane.make(factor)
      Lane.offer(
        lanes,
        keys.map((key, index) => record(String(index), 0, key))
      )
      const all = lanes.flatMap((one) => one.buffer)
      assert.strictEqual(all.length, keys.length)
      for (const key of keys) {
        const homes = lanes.filter((one) => one.buffer.some((each) => each.partitionKey === key))
        assert.strictEqual(homes.length, 1)
      }
      for (const one of lanes) {
        const numbers = one.buffer.map((each) => Number(each.sequenceNumber))
        assert.deepStrictEqual(
          numbers,
          numbers.toSorted((a, b) => a - b)
        )
      }
    }
  )

  it("is one of several that keys spread over", () => {
    const used = new Set(Array.from({ length: 1000 }, (_, index) => Lane.indexOf(`user-${index}`, 10)))
    assert.strictEqual(used.size, 10)
  })
})

describe("a tumbling window", () => {
  it("is a multiple of its length, its start included, its end not", () => {
    assert.deepStrictEqual([minute.start, minute.end], [60_000, 120_000])
    assert.strictEqual(Window.open(record("0", 120_000), 60_000).start, 120_000)
    assert.strictEqual(Window.prefix(minute, [record("0", 119_999), record("1", 120_000)]), 1)
  })

  it("is told as AWS tells it", () => {
    const window = Window.withState(minute, { a: 1 })
    assert.deepStrictEqual(Window.toEvent(window, { shardId: "s", streamArn: "arn" }, "early"), {
      window: { start: "1970-01-01T00:01:00Z", end: "1970-01-01T00:02:00Z" },
      state: { a: 1 },
      shardId: "s",
      eventSourceARN: "arn",
      isFinalInvokeForWindow: true,
      isWindowTerminatedEarly: true
    })
  })
})
