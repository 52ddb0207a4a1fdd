import { assert, describe, it } from "@effect/vitest"

import * as EscapedText from "../src/internal/escapedText.ts"

describe("text that any database keeps", () => {
  it("has no U+0000 and no lone surrogate, and comes back as it was", () => {
    const parts = ["\0", "\u0010", "0000", "\ud83d", "\ude00", "\u{1f600}", "a", "\ufffd"]
    let texts = [""]
    for (let length = 1; length <= 4; length += 1) texts = texts.flatMap((text) => parts.map((part) => text + part))
    const encoded = new Set(texts.map(EscapedText.encode))
    assert.strictEqual(encoded.size, new Set(texts).size)
    for (const text of texts) {
      assert.isTrue(EscapedText.encode(text).isWellFormed() && !EscapedText.encode(text).includes("\0"))
      assert.strictEqual(EscapedText.decode(EscapedText.encode(text)), text)
    }
  })

  it("is written as it is where nothing is in the way", () => {
    for (const text of ["", "user-1", "Überraschung \u{1f600}"]) assert.strictEqual(EscapedText.encode(text), text)
  })
})
