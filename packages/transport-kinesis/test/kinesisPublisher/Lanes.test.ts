import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import { Call } from "../../src/kinesisPublisher/Call.ts"
import type { Waiting } from "../../src/kinesisPublisher/Group.ts"
import * as Lanes from "../../src/kinesisPublisher/Lanes.ts"
import * as Pace from "../../src/kinesisPublisher/Pace.ts"
import type * as ShardMap from "../../src/kinesisPublisher/ShardMap.ts"

const int = (minimum: number, maximum: number) =>
  Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum, maximum })))

const call = new Call(1000, Infinity, Infinity)

const waiting = (partitionKey: string, index: number, bytes = 10): Waiting => ({
  call,
  index,
  partitionKey,
  explicitHashKey: undefined,
  data: new Uint8Array(bytes),
  size: bytes + partitionKey.length,
  tries: 0,
  notBefore: 0,
  fault: undefined
})

const make = (options: Partial<Lanes.Options> = {}) =>
  new Lanes.Lanes({ mode: "ordered", aggregateBytes: undefined, shardLimits: Pace.unlimited, ...options })

const half = 2n ** 127n
const two: ShardMap.ShardMap = [
  { shardId: "low", hashRange: { start: 0n, end: half - 1n } },
  { shardId: "high", hashRange: { start: half, end: 2n * half - 1n } }
]
/** By their MD5. */
const lowKeys = ["a", "c", "h"]
const highKeys = ["b", "d", "e"]

/** Offers, takes, and answers in an order and with failures that the plan chooses; gives what was accepted, in order. */
const play = (lanes: Lanes.Lanes, keys: ReadonlyArray<string>, plan: ReadonlyArray<readonly [number, number]>) => {
  const accepted: Array<Waiting> = []
  const flights: Array<Lanes.Flying> = []
  let now = 0
  let offered = 0
  const answer = (flying: Lanes.Flying, succeeds: boolean) => {
    if (succeeds) accepted.push(...flying.members)
    // A lost answer: it was accepted, and is sent again.
    else if (flying.size % 2 === 0) accepted.push(...flying.members)
    const again = succeeds ? [] : flying.members.map((one) => ({ ...one, tries: one.tries + 1, notBefore: now + 7 }))
    lanes.settle(flying, again, now)
  }
  const step = (choice: number, luck: number) => {
    const key = keys[offered]
    if (choice === 0 && key !== undefined) lanes.offer(waiting(key, offered++, 10 + luck), now)
    else if (choice === 1) flights.push(...lanes.take(now).flying)
    else if (choice === 2) now += luck
    else {
      const [one] = flights.splice(luck % Math.max(1, flights.length), 1)
      if (one !== undefined) answer(one, luck % 3 > 0)
    }
    if (choice === 4) lanes.learn(luck % 2 === 0 ? two : two.slice(0, 1), now)
  }
  for (const [choice, luck] of plan) step(choice, luck)
  while (true) {
    const key = keys[offered]
    if (key !== undefined) lanes.offer(waiting(key, offered++), now)
    now += 10
    const taken = lanes.take(now)
    flights.push(...taken.flying)
    if (key === undefined && flights.length === 0 && taken.wait === Infinity) break
    for (const flying of flights.splice(0)) answer(flying, true)
  }
  return accepted
}

const keysOf = Arbitrary.array(Arbitrary.schema(Schema.Literals([...lowKeys, ...highKeys])), { maxLength: 40 })
const planOf = Arbitrary.array(Arbitrary.all([int(0, 4), int(0, 11)]), { maxLength: 120 })

/** Indexes in the order in which they were first accepted. */
const firsts = (accepted: ReadonlyArray<Waiting>) => [...new Set(accepted.map(({ index }) => index))]

describe("lanes", () => {
  for (const aggregateBytes of [undefined, 120]) {
    const how = aggregateBytes === undefined ? "" : ", aggregated"
    it.prop(
      `T61: whatever fails, is lost or resharded, each key is first accepted in its order, and nothing is lost${how}`,
      [keysOf, planOf],
      ([keys, plan]) => {
        const first = firsts(play(make({ aggregateBytes }), keys, plan))
        assert.strictEqual(first.length, keys.length)
        for (const key of [...lowKeys, ...highKeys]) {
          const own = first.filter((index) => keys[index] === key)
          assert.deepStrictEqual(
            own,
            own.toSorted((a, b) => a - b)
          )
        }
      }
    )
  }

  it.prop("unordered lose nothing either", [keysOf, planOf], ([keys, plan]) => {
    assert.strictEqual(firsts(play(make({ mode: "unordered" }), keys, plan)).length, keys.length)
  })

  it("T61: ordered send one record of a key at a time, unordered all of them", () => {
    for (const mode of ["ordered", "unordered"] as const) {
      const lanes = make({ mode })
      for (let index = 0; index < 3; index++) lanes.offer(waiting("a", index), 0)
      assert.strictEqual(lanes.take(0).flying.length, mode === "ordered" ? 1 : 3)
      assert.strictEqual(lanes.take(0).flying.length, 0)
    }
  })

  it("T64: a shard without tokens holds up its own records alone, and says when to look again", () => {
    const lanes = make({ mode: "unordered", shardLimits: { recordsPerSecond: 10, bytesPerSecond: Infinity } })
    lanes.learn(two, 0)
    for (let index = 0; index < 100; index++) lanes.offer(waiting("a", index), 0)
    for (let index = 100; index < 105; index++) lanes.offer(waiting("b", index), 0)
    const { flying, wait } = lanes.take(0)
    assert.strictEqual(flying.filter(({ shard }) => shard === "low").length, 10)
    assert.strictEqual(flying.filter(({ shard }) => shard === "high").length, 5)
    assert.strictEqual(wait, 100)
    assert.strictEqual(lanes.take(100).flying.length, 1)
  })

  it("T64: a shard that refuses for its throughput gets half from then on, the other one all", () => {
    const lanes = make({ mode: "unordered", shardLimits: { recordsPerSecond: 100, bytesPerSecond: Infinity } })
    lanes.learn(two, 0)
    assert.strictEqual(lanes.throttled("low", 0), 0.5)
    assert.isUndefined(lanes.throttled("low", 1))
    for (let index = 0; index < 200; index++) lanes.offer(waiting(index % 2 === 0 ? "a" : "b", index), 0)
    const { flying } = lanes.take(0)
    assert.strictEqual(flying.filter(({ shard }) => shard === "low").length, 0)
    assert.strictEqual(flying.filter(({ shard }) => shard === "high").length, 100)
    assert.isAtMost(lanes.take(500).flying.filter(({ shard }) => shard === "low").length, 30)
  })

  it("shards take turns, so that one with many lanes leaves room for the others", () => {
    const lanes = make({ mode: "unordered" })
    lanes.learn(two, 0)
    for (let index = 0; index < 1500; index++) lanes.offer(waiting(lowKeys[index % 3] ?? "", index), 0)
    for (let index = 1500; index < 1510; index++) lanes.offer(waiting(highKeys[index % 3] ?? "", index), 0)
    assert.strictEqual(lanes.take(0).flying.filter(({ shard }) => shard === "high").length, 10)
  })

  it("paces a stream as one shard until its shards are known, and not at all where they can't be", () => {
    const lanes = make({ mode: "unordered", shardLimits: { recordsPerSecond: 10, bytesPerSecond: Infinity } })
    for (let index = 0; index < 40; index++) lanes.offer(waiting("a", index), 0)
    assert.strictEqual(lanes.take(0).flying.length, 10)
    lanes.learn([], 0)
    assert.strictEqual(lanes.take(0).flying.length, 30)
  })

  it("T57: an aggregate holds one key's envelopes in their order, as many as fit, and ends at another hash key", () => {
    const lanes = make({ aggregateBytes: 120 })
    for (let index = 0; index < 7; index++) lanes.offer(waiting("a", index), 0)
    lanes.offer({ ...waiting("b", 7), explicitHashKey: "1" }, 0)
    lanes.offer({ ...waiting("b", 8), explicitHashKey: "2" }, 0)
    const { flying } = lanes.take(0)
    const [first, second] = flying
    assert.deepStrictEqual(
      first?.members.map(({ index }) => index),
      [0, 1, 2, 3, 4, 5]
    )
    assert.isAtMost(first?.size ?? 0, 120)
    assert.deepStrictEqual(
      second?.members.map(({ index }) => index),
      [7]
    )
    assert.isUndefined(second?.builder)
  })
})
