import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import * as Pace from "../../src/kinesisPublisher/Pace.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const limits: Pace.Limits = { recordsPerSecond: 100, bytesPerSecond: 10_000 }

describe("the pace of a shard", () => {
  it.prop(
    "T64: never lets more through than a second's worth at once and the limits from then on, whatever throttles",
    [Arbitrary.array(Arbitrary.all([int(0, 300), int(1, 2000), int(0, 9)]), { maxLength: 80 })],
    ([steps]) => {
      let pace = Pace.make(limits, 0)
      let now = 0
      let records = 0
      let bytes = 0
      for (const [wait, size, luck] of steps) {
        now += wait
        pace = Pace.refill(pace, now)
        if (Pace.may(pace, size, now)) {
          records++
          bytes += size
          pace = Pace.spend(pace, size)
        } else {
          pace = Pace.resting(pace, size, now)
          assert.isAbove(pace.restsUntil, now)
        }
        if (luck === 0) pace = Pace.throttled(pace, now)
        assert.isAtLeast(pace.share, 1 / 64)
        assert.isAtMost(pace.share, 1)
      }
      assert.isAtMost(records, 100 + now / 10 + 1e-6)
      assert.isAtMost(bytes, 10_000 + now * 10 + 1e-6)
    }
  )

  it("T64, T66: halves its share when the shard throttles, once for all that was on its way, and grows back slowly", () => {
    const halved = Pace.throttled(Pace.make(limits, 0), 0)
    assert.strictEqual(halved.share, 0.5)
    assert.strictEqual(Pace.throttled(halved, 400), halved)
    assert.strictEqual(Pace.throttled(Pace.refill(halved, 600), 600).share, (0.5 + 0.03) / 2)
    assert.isFalse(Pace.may(halved, 1, 0))
    assert.approximately(Pace.refill(halved, 2000).share, 0.6, 1e-9)
    assert.strictEqual(Pace.refill(halved, 10_000).share, 1)
    let least = halved
    for (let now = 1000; now < 20_000; now += 500) least = Pace.throttled(least, now)
    assert.isAtLeast(least.share, 1 / 64)
  })

  it("regression: without a limit of records the share is halved and grows back as with one", () => {
    let pace = Pace.throttled(Pace.make({ recordsPerSecond: Infinity, bytesPerSecond: 10_000 }, 0), 100_000)
    assert.strictEqual(pace.share, 0.5)
    for (let now = 100_000; now <= 102_000; now += 500) pace = Pace.refill(pace, now)
    assert.approximately(pace.share, 0.6, 1e-9)
  })

  it("a record that is larger than a second's worth goes when the bucket is full, and is paid back", () => {
    const pace = Pace.make(limits, 0)
    assert.isTrue(Pace.may(pace, 50_000, 0))
    const after = Pace.spend(pace, 50_000)
    assert.isFalse(Pace.may(Pace.refill(after, 4000), 1, 4000))
    assert.isTrue(Pace.may(Pace.refill(after, 4100), 1, 4100))
  })

  it("a shard that ran dry rests until several records can go at once", () => {
    let pace = Pace.make(limits, 0)
    for (let sent = 0; sent < 100; sent++) pace = Pace.spend(pace, 1)
    pace = Pace.resting(pace, 1, 0)
    assert.isFalse(Pace.may(Pace.refill(pace, 49), 1, 49))
    assert.isTrue(Pace.may(Pace.refill(pace, 50), 1, 50))
  })

  it("without a limit nothing waits, whatever throttles", () => {
    const pace = Pace.make(Pace.unlimited, 0)
    assert.strictEqual(Pace.throttled(pace, 0), pace)
    assert.isTrue(Pace.may(Pace.spend(pace, 1e12), 1e12, 0))
  })
})
