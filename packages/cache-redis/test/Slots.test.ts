import { assert, describe, it } from "@effect/vitest"

import * as redirection from "../src/internal/cluster/redirection.ts"
import { bySlot, endpointOf, ownersOf, slotCount, slotOf } from "../src/internal/cluster/slots.ts"
import { fenceOf } from "../src/internal/fencedWrite.ts"

describe("the slot of a key", () => {
  it("is that of the specification's examples", () => {
    assert.strictEqual(slotOf("123456789"), 0x31c3)
    assert.strictEqual(slotOf("{user1000}.following"), slotOf("{user1000}.followers"))
    assert.strictEqual(slotOf("foo{bar}{zap}"), slotOf("bar"))
  })

  it("is shared by a key and its fence", () => {
    for (const key of [
      "rec:user:1:top20",
      "{rec:user:1:top20}:entry",
      "a",
      "{}",
      "a}b",
      "{a",
      "a{}b{c}",
      "}{",
      "ü{é}"
    ]) {
      assert.strictEqual(slotOf(fenceOf(key)), slotOf(key), key)
    }
  })

  it("gathers a batch", () => {
    const groups = bySlot(["{a}1", "b", "{a}2"], (key) => key)
    assert.deepStrictEqual([...groups.values()], [[0, 2], [1]])
  })
})

describe("who has which slot", () => {
  const primary = (host: unknown, port: unknown) => [host, port, "id"]

  it("is read from CLUSTER SLOTS, replicas left out", () => {
    const owners = ownersOf(
      [
        [0, 5_460, primary("10.0.0.1", 6379), primary("10.0.0.9", 6379)],
        [5_461, 10_000, primary("", 7000)],
        [16_383, 16_383, primary(null, 7000)]
      ],
      "asked"
    )
    assert.strictEqual(owners?.length, slotCount)
    assert.deepStrictEqual(
      [0, 5_460, 5_461, 10_000, 10_001, 16_383].map((slot) => owners?.[slot]),
      ["10.0.0.1:6379", "10.0.0.1:6379", "asked:7000", "asked:7000", undefined, "asked:7000"]
    )
  })

  it("is not read from anything else", () => {
    for (const reply of [
      "OK",
      null,
      [1],
      [[0, 1]],
      [[0, slotCount, primary("a", 1)]],
      [[-1, 1, primary("a", 1)]],
      [[0, 1, primary("a", "1")]]
    ]) {
      assert.isUndefined(ownersOf(reply, "asked"), JSON.stringify(reply))
    }
  })
})

describe("a redirection", () => {
  it("names the slot and the node, an empty host being the one that was asked", () => {
    assert.deepStrictEqual(redirection.parse("MOVED 3999 127.0.0.1:6381", "a"), {
      _tag: "Moved",
      slot: 3999,
      to: "127.0.0.1:6381"
    })
    assert.deepStrictEqual(redirection.parse("ASK 3999 :6381", "a"), { _tag: "Ask", to: "a:6381" })
    assert.deepStrictEqual(redirection.parse("MOVED 1 ::1:6381", "a"), { _tag: "Moved", slot: 1, to: "::1:6381" })
    assert.deepStrictEqual(endpointOf("::1:6381"), { host: "::1", port: 6381 })
    assert.strictEqual(
      redirection.parse("TRYAGAIN Multiple keys request during rehashing of slot", "a")?._tag,
      "TryAgain"
    )
    assert.strictEqual(redirection.parse("NOSCRIPT No matching script.", "a")?._tag, "NoScript")
  })

  it("is nothing else", () => {
    for (const text of [
      "",
      "MOVED",
      "MOVED x a:1",
      "MOVED 1 a",
      "CLUSTERDOWN The cluster is down",
      "ERR MOVED 1 a:1"
    ]) {
      assert.isUndefined(redirection.parse(text, "a"), text)
    }
  })
})
