import { assert, describe, it } from "@effect/vitest"
import * as Delivery from "@leat/core/Delivery"
import * as Outcome from "@leat/core/Outcome"
import * as Arbitrary from "effect/Arbitrary"
import * as Cause from "effect/Cause"
import * as Schema from "effect/Schema"

import * as Window from "../../src/kinesisConsumer/Window.ts"

const delivery = (position: string, lane: string): Delivery.Delivery =>
  Delivery.make({ position, partitionKey: lane, bytes: position })
const failed = Outcome.failed(Cause.fail("no"), true)
const handled = Outcome.handled([])

const know = (entries: ReadonlyArray<Window.Entry>) => {
  for (const entry of entries) entry.lane ??= entry.delivery?.partitionKey
}
const positions = (entries: ReadonlyArray<Window.Entry>) => entries.map(({ position }) => position)

describe("a window", () => {
  it("T2: the watermark is the end of the settled prefix, not the last that is settled", () => {
    const window = new Window.Window()
    window.offer([delivery("1", "a"), delivery("2", "b"), delivery("3", "c")], "3")
    const batch = window.take(0, 10)
    know(batch)
    window.settle(batch, [handled, failed, handled], 0, () => 5)
    assert.strictEqual(window.watermark, "1")
    const again = window.take(5, 10)
    assert.deepStrictEqual(positions(again), ["2"])
    window.settle(again, [handled], 5, () => 5)
    assert.strictEqual(window.watermark, "3")
    assert.strictEqual(window.watermark, undefined)
    assert.isTrue(window.isEmpty)
  })

  it("T3: nothing is reported before it is settled", () => {
    const window = new Window.Window()
    window.offer([delivery("1", "a")], "1")
    assert.strictEqual(window.watermark, undefined)
    window.take(0, 10)
    assert.strictEqual(window.watermark, undefined)
    assert.isFalse(window.isEmpty)
  })

  it("what follows on a lane that waits joins it, and others pass", () => {
    const window = new Window.Window()
    window.offer([delivery("1", "a")], "1")
    const first = window.take(0, 10)
    know(first)
    window.settle(first, [failed], 0, () => 100)
    window.offer([delivery("2", "a"), delivery("3", "b")], "3")
    know(window.fresh(10))
    const others = window.take(1, 10)
    assert.deepStrictEqual(positions(others), ["3"])
    window.settle(others, [handled], 1, () => 100)
    assert.strictEqual(window.nextDue, 100)
    const due = window.take(100, 10)
    assert.deepStrictEqual(positions(due), ["1", "2"])
    assert.strictEqual(due[0]?.delivery?.attempt, 2)
    assert.strictEqual(due[1]?.delivery?.attempt, 1)
  })

  it("T5: a record that carries several is done when the page is, and until then up to its last part", () => {
    const window = new Window.Window()
    window.offer([delivery("1/0", "a"), delivery("1/1", "b")], "1")
    const first = window.take(0, 1)
    window.settle(first, [handled], 0, () => 1)
    assert.strictEqual(window.watermark, "1/0")
    window.settle(window.take(0, 1), [handled], 0, () => 1)
    assert.strictEqual(window.watermark, "1")
  })

  it("a page of which nothing is delivered moves the watermark", () => {
    const window = new Window.Window()
    window.offer([], "9")
    assert.strictEqual(window.watermark, "9")
    assert.isTrue(window.isEmpty)
  })

  it("T45: has room until its bounds, in records from the oldest open one and in bytes of open ones", () => {
    const window = new Window.Window()
    window.offer([delivery("10", "a"), delivery("11", "b")], "11")
    assert.isTrue(window.hasRoom({ records: 3, bytes: 5 }))
    assert.isFalse(window.hasRoom({ records: 2, bytes: 5 }))
    assert.isFalse(window.hasRoom({ records: 3, bytes: 4 }))
  })
})

const plan = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 999 }))), {
  maxLength: 80
})

describe("any history of pages and failures", () => {
  it.prop(
    "keeps the order of each lane, settles everything, and reports no position with a gap before it",
    [plan],
    ([choices]) => {
      const window = new Window.Window()
      const settled = new Map<string, Array<number>>()
      const done = new Set<number>()
      let offered = 0
      let reported = 0
      let now = 0
      const turn = (size: number, fails: (attempt: number, position: number) => boolean) => {
        if (window.isHolding) know(window.fresh(size))
        const batch = window.take(now, size)
        know(batch)
        const blocked = new Set<string>()
        const outcomes = batch.map((entry) => {
          const lane = entry.lane ?? ""
          if (blocked.has(lane)) return Outcome.unstarted
          const position = Number(entry.position)
          if (fails(entry.delivery?.attempt ?? 1, position)) {
            blocked.add(lane)
            return failed
          }
          assert.isFalse(done.has(position), `${position} twice`)
          done.add(position)
          settled.set(lane, [...(settled.get(lane) ?? []), position])
          return handled
        })
        window.settle(batch, outcomes, now, (attempt) => attempt * 3)
        const { watermark } = window
        if (watermark !== undefined) {
          assert.isAbove(Number(watermark), reported)
          reported = Number(watermark)
        }
        for (let position = 1; position <= reported; position++) assert.isTrue(done.has(position), `gap at ${position}`)
      }
      for (const choice of choices) {
        now += choice % 4
        if (choice % 3 === 0) {
          const page = Array.from({ length: choice % 7 }, (_, index) =>
            delivery(String(offered + index + 1), "abcd".charAt((choice + index * 7) % 4))
          )
          offered += page.length
          window.offer(page, page.length === 0 ? undefined : String(offered))
        } else turn(1 + (choice % 9), (attempt, position) => (choice + position) % 3 === 0 && attempt < 6)
      }
      for (let turns = 0; !window.isEmpty && turns < 1_000; turns++) {
        now = Math.max(now, window.nextDue === Infinity ? now : window.nextDue)
        turn(10, () => false)
      }
      assert.isTrue(window.isEmpty)
      assert.strictEqual(done.size, offered)
      assert.strictEqual(reported, offered)
      for (const order of settled.values())
        assert.deepStrictEqual(
          order,
          order.toSorted((a, b) => a - b)
        )
    },
    { arbitrary: { runs: 300 } }
  )
})
