import { assert, describe, it } from "@effect/vitest"
import * as Arbitrary from "effect/Arbitrary"
import * as Schema from "effect/Schema"

import type { Checkpoint } from "../src/Checkpoint.ts"
import type * as KinesisClient from "../src/KinesisClient.ts"
import * as Shard from "../src/Shard.ts"
import * as ShardPosition from "../src/ShardPosition.ts"

const shard = (shardId: string, ...parents: ReadonlyArray<string>): KinesisClient.Shard => ({
  shardId,
  parents,
  closed: false,
  hashRange: { start: 0n, end: 0n }
})
const row = (shardId: string, position: ShardPosition.ShardPosition = ShardPosition.trimHorizon): Checkpoint => ({
  shardId,
  position,
  token: 0,
  owner: ""
})
const begin = ShardPosition.atTimestamp(7)
const ids = (shards: ReadonlyArray<KinesisClient.Shard>) => shards.map(({ shardId }) => shardId)

describe("a plan of shards", () => {
  it("T12: a shard without a row is given its first checkpoint before it is read", () => {
    const { births, ready } = Shard.plan([shard("0"), shard("1")], [], begin)
    assert.sameDeepMembers(
      [...births],
      [
        { shardId: "0", position: begin },
        { shardId: "1", position: begin }
      ]
    )
    assert.deepStrictEqual(ids(ready), ["0", "1"])
  })

  it("T13, T14: the child of a shard that has a row begins at its first record, whatever the application's start", () => {
    const { births } = Shard.plan([shard("0"), shard("1", "0")], [row("0", begin)], begin)
    assert.deepStrictEqual(births, [{ shardId: "1", position: ShardPosition.trimHorizon }])
  })

  it("T19: a merged shard waits for both of its parents", () => {
    const shards = [shard("0"), shard("1"), shard("2", "0", "1")]
    const half = Shard.plan(shards, [row("0", ShardPosition.end), row("1"), row("2")], begin)
    assert.deepStrictEqual(ids(half.ready), ["1"])
    assert.deepStrictEqual(half.waiting, ["2"])
    const both = Shard.plan(shards, [row("0", ShardPosition.end), row("1", ShardPosition.end), row("2")], begin)
    assert.deepStrictEqual(ids(both.ready), ["2"])
  })

  it("T26: a row that ended is forgotten only after the stream forgot its shard and the children have rows", () => {
    const ended = row("0", ShardPosition.end)
    assert.deepStrictEqual(Shard.plan([shard("0"), shard("1", "0")], [ended, row("1")], begin).forgotten, [])
    const withoutChild = Shard.plan([shard("1", "0")], [ended], begin)
    assert.deepStrictEqual(withoutChild.forgotten, [])
    assert.deepStrictEqual(withoutChild.births, [{ shardId: "1", position: ShardPosition.trimHorizon }])
    assert.deepStrictEqual(Shard.plan([shard("1", "0")], [ended, row("1")], begin).forgotten, ["0"])
  })

  it("T28: a shard that the stream forgot before its end is lost, said, and holds nobody back", () => {
    const plan = Shard.plan([shard("1", "0")], [row("0"), row("1")], begin)
    assert.deepStrictEqual(ids(plan.lost.map(({ shardId }) => shard(shardId))), ["0"])
    assert.deepStrictEqual(ids(plan.ready), ["1"])
  })

  it("an empty list says nothing about rows", () => {
    const plan = Shard.plan([], [row("0"), row("1", ShardPosition.end)], begin)
    assert.deepStrictEqual([plan.lost.length, plan.forgotten.length], [0, 0])
  })

  it("regression: a list that is older than the rows forgets no shard, and calls none lost", () => {
    const rows = [row("0", ShardPosition.end), row("1", ShardPosition.end), row("2")]
    const plan = Shard.plan([shard("0")], rows, begin)
    assert.deepStrictEqual([plan.forgotten, plan.lost], [[], []])
  })

  it("the row of the start is no shard", () => {
    const plan = Shard.plan([shard("0")], [row(Shard.start)], begin)
    assert.deepStrictEqual([plan.lost.length, plan.forgotten.length], [0, 0])
    assert.deepStrictEqual(plan.births, [{ shardId: "0", position: begin }])
  })
})

/** A stream that is split and merged, and consumers that crash in between, as one script of numbers. */
class World {
  readonly shards: Array<KinesisClient.Shard> = [shard("0"), shard("1")]
  readonly parentsOf = new Map<string, ReadonlyArray<string>>(this.shards.map((one) => [one.shardId, []]))
  listed = new Set(["0", "1"])
  open = ["0", "1"]
  rows = new Map<string, Checkpoint>()
  /** Shards of which some process knew a row, and how they began. */
  readonly began = new Map<string, ShardPosition.ShardPosition>()
  /** Processed to the end, for good. */
  readonly ended = new Set<string>()
  readonly faults: Array<string> = []

  list(): ReadonlyArray<KinesisClient.Shard> {
    return this.shards.filter(({ shardId }) => this.listed.has(shardId))
  }

  reshard(choice: number): void {
    const first = this.open[choice % this.open.length] ?? "0"
    const second = this.open[(choice + 1) % this.open.length] ?? "0"
    const merge = choice % 3 === 0 && first !== second
    const parents = merge ? [first, second] : [first]
    const born = Array.from({ length: merge ? 1 : 2 }, (_, index) => String(this.shards.length + index))
    for (const shardId of born) {
      this.shards.push(shard(shardId, ...parents))
      this.parentsOf.set(shardId, parents)
      this.listed.add(shardId)
    }
    this.open = [...this.open.filter((shardId) => !parents.includes(shardId)), ...born]
  }

  /** The stream forgets an old shard whose records have all been read, or whose time was up. */
  expire(choice: number): void {
    const closed = [...this.listed].filter((shardId) => !this.open.includes(shardId))
    const [shardId] = closed.slice(choice % Math.max(1, closed.length))
    const parents = this.parentsOf.get(shardId ?? "") ?? []
    if (shardId !== undefined && parents.every((parent) => !this.listed.has(parent))) this.listed.delete(shardId)
  }

  /** One look of some process, on a list that may be older than the rows; it may crash after `steps` writes. */
  look(shards: ReadonlyArray<KinesisClient.Shard>, steps: number): void {
    const plan = Shard.plan(shards, [...this.rows.values()], begin)
    const writes: Array<() => void> = [
      ...plan.births.map((birth) => () => {
        if (this.rows.has(birth.shardId)) return
        this.rows.set(birth.shardId, { ...row(birth.shardId), ...birth })
        if (this.began.has(birth.shardId) && this.ended.has(birth.shardId)) this.faults.push(`${birth.shardId} again`)
        this.began.set(birth.shardId, birth.position)
      }),
      ...plan.forgotten.map((shardId) => () => void this.rows.delete(shardId)),
      ...plan.ready.map(
        ({ shardId }) =>
          () =>
            this.read(shardId, shards)
      )
    ]
    for (const write of writes.slice(0, steps)) write()
  }

  /** A shard that is read: to its end when it is closed. */
  read(shardId: string, shards: ReadonlyArray<KinesisClient.Shard>): void {
    const seen = new Set(ids(shards))
    for (const parent of this.parentsOf.get(shardId) ?? []) {
      if (!this.ended.has(parent) && seen.has(parent)) this.faults.push(`${shardId} before ${parent}`)
    }
    const found = this.rows.get(shardId)
    if (found === undefined || this.open.includes(shardId) || !this.listed.has(shardId)) return
    this.rows.set(shardId, { ...found, position: ShardPosition.end })
    this.ended.add(shardId)
  }
}

const script = Arbitrary.array(Arbitrary.schema(Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 9_999 }))), {
  maxLength: 60
})

describe("any history of splits, merges, restarts and expired shards", () => {
  it.prop(
    "T19, T20, T21: reads no shard before its parents, and every shard to its end",
    [script],
    ([choices]) => {
      const world = new World()
      let stale = world.list()
      for (const choice of choices) {
        const kind = choice % 5
        if (kind === 0) world.reshard(Math.floor(choice / 5))
        else if (kind === 1) stale = world.list()
        else if (kind === 2) world.look(stale, Math.floor(choice / 5) % 7)
        else world.look(world.list(), Math.floor(choice / 5) % 9)
      }
      // Nobody crashes any more, and nothing is split: a generation a look.
      for (let looks = 0; looks <= world.shards.length; looks++) world.look(world.list(), Infinity)
      assert.deepStrictEqual(world.faults, [])
      const unread = world.shards.filter(({ shardId }) => !world.ended.has(shardId) && !world.open.includes(shardId))
      assert.deepStrictEqual(ids(unread), [])
      for (const shardId of world.open) assert.isTrue(world.rows.has(shardId))
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "T13, T29: children begin at their first record, shards of the first look where the application began",
    [script],
    ([choices]) => {
      const world = new World()
      world.look(world.list(), Infinity)
      for (const choice of choices) {
        if (choice % 4 === 0) world.reshard(Math.floor(choice / 4))
        else world.look(world.list(), Math.floor(choice / 4) % 9)
      }
      for (let looks = 0; looks <= world.shards.length; looks++) world.look(world.list(), Infinity)
      for (const { parents, shardId } of world.shards) {
        const expected = parents.length === 0 ? begin : ShardPosition.trimHorizon
        assert.deepStrictEqual(world.began.get(shardId), expected, shardId)
      }
    },
    { arbitrary: { runs: 300 } }
  )

  it.prop(
    "T12: a first look that crashed half way leaves nobody to begin at the wrong place",
    [script],
    ([choices]) => {
      const world = new World()
      for (const choice of choices) if (choice % 2 === 0) world.reshard(Math.floor(choice / 2))
      const atStart = new Set(ids(world.list()))
      for (const choice of choices) world.look(world.list(), choice % 3)
      for (let looks = 0; looks <= world.shards.length; looks++) world.look(world.list(), Infinity)
      for (const shardId of atStart) assert.deepStrictEqual(world.began.get(shardId), begin, shardId)
    },
    { arbitrary: { runs: 200 } }
  )

  it.prop(
    "T26, T28: shards that expire at any time are forgotten, and never come back",
    [script],
    ([choices]) => {
      const world = new World()
      for (const choice of choices) {
        const kind = choice % 4
        if (kind === 0) world.reshard(Math.floor(choice / 4))
        else if (kind === 1) world.expire(Math.floor(choice / 4))
        else world.look(world.list(), Math.floor(choice / 4) % 9)
      }
      for (let looks = 0; looks <= world.shards.length; looks++) world.look(world.list(), Infinity)
      assert.deepStrictEqual(world.faults, [])
      const kept = [...world.rows.values()].filter(
        ({ position, shardId }) =>
          position._tag === "End" &&
          !world.listed.has(shardId) &&
          world.list().some(({ parents }) => parents.includes(shardId))
      )
      assert.deepStrictEqual(kept, [])
    },
    { arbitrary: { runs: 300 } }
  )
})
