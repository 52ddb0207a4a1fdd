import { assert, describe, it } from "@effect/vitest"
import * as Share from "@leat/transport-kinesis/assignment/cluster/Share"
import * as Slot from "@leat/transport-kinesis/assignment/cluster/Slot"
import * as Schema from "effect/Schema"

const upTo = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 0, maximum }))

const machinesOf = (count: number) => Array.from({ length: count }, (_, index) => `m${index}/${(index * 7919) % 97}`)

describe("the shares of machines that see each other", () => {
  it.prop("add up, and no two differ by more than one", [upTo(12), upTo(300)], ([others, slots]) => {
    const machines = machinesOf(others + 1)
    const shares = machines.map((machine) => Share.of(machine, machines.toReversed(), slots))
    assert.strictEqual(
      shares.reduce((sum, share) => sum + share, 0),
      slots
    )
    assert.isAtMost(Math.max(...shares) - Math.min(...shares), 1)
  })

  it("T32: count the machine itself, also when the store doesn't list it", () => {
    assert.strictEqual(Share.of("a", [], 8), 8)
    assert.strictEqual(Share.of("a", ["b"], 8), 4)
  })
})

describe("what a machine gives up", () => {
  it("is what nobody asks it to run, and then what is above its share", () => {
    assert.deepStrictEqual(Share.surplus([1, 2, 3, 4], new Set([1, 2, 4]), 2), [3, 4])
    assert.deepStrictEqual(Share.surplus([1, 2], new Set([1, 2]), 2), [])
  })

  it.prop(
    "leaves everybody with a share and nothing to move, so there is no thrashing",
    [upTo(8), upTo(60)],
    ([others, slots]) => {
      const machines = machinesOf(others + 1)
      const wanted = new Set(Array.from({ length: slots }, (_, index) => index + 1))
      // All of it is one machine's at first. Each step: everybody gives up its surplus, and takes what is free up to its share.
      const held = new Map(
        machines.map((machine, index): [string, Array<number>] => [machine, index === 0 ? [...wanted] : []])
      )
      let moved = 0
      const step = () => {
        let free = [...wanted].filter((slot) => ![...held.values()].some((own) => own.includes(slot)))
        for (const machine of machines) {
          const own = held.get(machine) ?? []
          const share = Share.of(machine, machines, slots)
          const gone = Share.surplus(own, wanted, share)
          const taken = Share.candidates(machine, machines, free).slice(0, Math.max(0, share - own.length))
          moved += taken.length
          free = [...free, ...gone].filter((slot) => !taken.includes(slot))
          held.set(machine, [...own.filter((slot) => !gone.includes(slot)), ...taken])
        }
      }
      step()
      step()
      const after = structuredClone(held)
      step()
      assert.deepStrictEqual(held, after, "T41: two rounds are enough")
      assert.strictEqual(moved, slots - Share.of(machines[0] ?? "", machines, slots), "and nothing moves twice")
    }
  )
})

describe("the slots of a stream's shards", () => {
  const shard = (index: number) => `shop/orders/shardId-${String(index).padStart(12, "0")}`

  it("don't meet before there are more of them than slots", () => {
    const slots = new Set(Array.from({ length: Slot.count }, (_, index) => Slot.of(shard(4_000 + index))))
    assert.strictEqual(slots.size, Slot.count)
    assert.isTrue([...slots].every((slot) => slot >= 1 && slot <= Slot.count))
  })

  it("begin elsewhere for another stream", () => {
    assert.notStrictEqual(Slot.of(shard(0)), Slot.of(shard(0).replace("orders", "clicks")))
  })

  it("are a name's own whatever the name is", () => {
    for (const name of ["", "7", "no number", "99999999999999999999999", "🎬"]) {
      const slot = Slot.of(name)
      assert.isTrue(Number.isInteger(slot) && slot >= 1 && slot <= Slot.count, name)
    }
  })
})
