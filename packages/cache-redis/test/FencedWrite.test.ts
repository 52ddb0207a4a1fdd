import { assert, describe, it } from "@effect/vitest"
import * as Schema from "effect/Schema"

import { CommandEncoder } from "../src/internal/encodedCommand.ts"
import * as FencedWrite from "../src/internal/fencedWrite.ts"

/** RESP as the specification has it: an array of bulk strings. */
const resp = (args: ReadonlyArray<string | Uint8Array>): Buffer =>
  Buffer.concat([
    Buffer.from(`*${args.length}\r\n`),
    ...args.flatMap((arg) => {
      const bytes = Buffer.from(arg)
      return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from("\r\n")]
    })
  ])

const Any = Schema.Array(Schema.String.check(Schema.isMaxLength(300)))

describe("the encoder", () => {
  it.prop("writes any texts as RESP, whatever room it began with", [Any], ([texts]) => {
    const encoder = new CommandEncoder(texts.length, 16)
    for (const text of texts) encoder.text(text)
    assert.isTrue(encoder.finish().equals(resp(texts)))
  })

  it.prop(
    "writes any integers as RESP",
    [Schema.Array(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER })))],
    ([some]) => {
      const ints = [0, 9, 10, 99, 100, 2 ** 31 - 1, 2 ** 31, ...some.map(Math.abs)]
      const encoder = new CommandEncoder(ints.length, 16)
      for (const int of ints) encoder.int(int)
      assert.isTrue(encoder.finish().equals(resp(ints.map(String))))
    }
  )

  it("writes any bytes as RESP", () => {
    const all = Uint8Array.from({ length: 256 }, (_, i) => i)
    const encoder = new CommandEncoder(2, 16)
    encoder.blob(all)
    encoder.text("日本")
    assert.isTrue(encoder.finish().equals(resp([all, "日本"])))
  })
})

describe("a batch of writes", () => {
  const entries = (count: number, bytes: number) =>
    Array.from({ length: count }, (_, i) => ({ key: `k${i}`, value: new Uint8Array(bytes), ttl: 1_000 }))

  it("is one command up to 500 keys", () => {
    const counts = [1, 500, 501, 1_200].map((count) => FencedWrite.writes(entries(count, 10), "EVALSHA").length)
    assert.deepStrictEqual(counts, [1, 1, 2, 3])
  })

  it("is several commands when it is large, and a large value goes alone", () => {
    const mebibyte = 1024 * 1024
    assert.strictEqual(FencedWrite.writes(entries(8, mebibyte), "EVALSHA").length, 2)
    assert.strictEqual(FencedWrite.writes(entries(2, 5 * mebibyte), "EVALSHA").length, 2)
  })
})

describe("a fence", () => {
  it("stands beside its key in a cluster", () => {
    assert.strictEqual(FencedWrite.fenceOf("rec:user:1:top20"), "{rec:user:1:top20}:fence")
    assert.strictEqual(FencedWrite.fenceOf("{user:1}:top20"), "{user:1}:top20:fence")
  })
})
