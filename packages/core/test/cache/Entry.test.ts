import { assert, describe, it } from "@effect/vitest"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as Schema from "effect/Schema"

import { decodeEntry, encodeEntry } from "../../src/internal/cache/held.ts"
import type { EntryFormat, Held } from "../../src/internal/cache/held.ts"

type Ids = ReadonlyArray<number>

const format: EntryFormat<Ids, string> = {
  schema: 7,
  value: CacheCodec.ints({ max: 1_000, maxLength: 5 }),
  error: CacheCodec.json(Schema.String, { maxBytes: 20 }),
  ttl: 1_000_000
}

const now = 1_800_000_000_000
const Int = (minimum: number, maximum: number) => Schema.Int.check(Schema.isBetween({ minimum, maximum }))

const value = (ids: Ids, loadedAt: number, fresh: number, took: number): Held<Ids, string> => ({
  negative: false,
  value: ids,
  bytes: undefined,
  loadedAt,
  took,
  freshUntil: loadedAt + fresh
})

const written = (held: Held<Ids, string>): Uint8Array => encodeEntry(format, held) ?? Buffer.of()

describe("an entry with its times", () => {
  it.prop(
    "comes back as it was written, a value or the word that there is none",
    [Schema.Array(Int(0, 1_000)), Int(0, now), Int(0, 1_000_000), Int(0, 65_535)],
    ([ids, loadedAt, fresh, took]) => {
      const held = value(ids.slice(0, 5), loadedAt, fresh, took)
      assert.deepStrictEqual(decodeEntry(format, written(held), now), held)
      const none: Held<Ids, string> = { negative: true, error: "none", loadedAt, took, freshUntil: loadedAt + fresh }
      assert.deepStrictEqual(decodeEntry(format, written(none), now), none)
    }
  )

  it("is fresh for no longer than its reader's time, and never loaded in the future", () => {
    const read = decodeEntry(format, written(value([1], now + 60_000, 5_000_000, 0)), now)
    assert.deepInclude(read, { loadedAt: now, freshUntil: now + 1_000_000 })
  })

  it("is none of another schema, version or kind, and none with a payload that is no value", () => {
    const good = written(value([1], now, 1_000, 5))
    for (const [at, byte] of [
      [0, 0x5b],
      [1, 0x20],
      [1, 0x12],
      [2, 1],
      [16, 0x58]
    ] as const) {
      const bad = new Uint8Array(good)
      bad[at] = byte
      assert.isUndefined(decodeEntry(format, bad, now), `byte ${at}`)
    }
    for (let length = 0; length < good.length; length++) {
      assert.isUndefined(decodeEntry(format, good.subarray(0, length), now), `${length} bytes`)
    }
  })

  it("is read out of any bytes without a throw, and only where they are exactly one", () => {
    let seed = 42
    const random = () => (seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648)
    const good = written(value([1, 22, 333], now - 5, 1_000, 5))
    let entries = 0
    for (let i = 0; i < 100_000; i++) {
      // Half of them are entries of which some bytes were changed.
      const bytes = i % 2 === 0 ? new Uint8Array(good) : new Uint8Array(random() % 40)
      const changes = i % 2 === 0 ? random() % 4 : bytes.length
      for (let change = 0; change < changes; change++) bytes[random() % bytes.length] = random() % 256
      const read = decodeEntry(format, bytes, now)
      if (read === undefined) continue
      entries++
      assert.isAtMost(read.loadedAt ?? 0, now)
      assert.isAtMost(read.freshUntil, now + format.ttl)
      if (!read.negative) assert.isTrue(read.value.every((id) => Number.isInteger(id) && id <= 1_000))
    }
    assert.isAbove(entries, 1_000)
  })
})
