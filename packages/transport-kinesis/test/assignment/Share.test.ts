import { assert, describe, it } from "@effect/vitest"
import * as Offers from "@leat/transport-kinesis/assignment/cluster/Offers"
import * as Share from "@leat/transport-kinesis/assignment/cluster/Share"
import * as Slot from "@leat/transport-kinesis/assignment/cluster/Slot"
import * as Effect from "effect/Effect"
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

const shards = (stream: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${stream}/shardId-${String(index).padStart(12, "0")}`)

/** Who offers what, and who holds what. */
class World {
  readonly offers: ReadonlyMap<string, ReadonlySet<string>>
  readonly held = new Map<string, Array<string>>()
  moved = 0

  constructor(offers: ReadonlyArray<ReadonlyArray<string>>) {
    const machines = machinesOf(offers.length)
    this.offers = new Map(offers.map((names, index) => [machines[index] ?? "", new Set(names)]))
    for (const machine of machines) this.held.set(machine, [])
  }

  parts(machine: string): ReadonlyArray<Share.Part> {
    return Share.parts(machine, this.offers.get(machine) ?? [], this.offers)
  }

  ownersOf(name: string): ReadonlyArray<string> {
    return [...this.held].filter(([, names]) => names.includes(name)).map(([machine]) => machine)
  }

  /** Everybody gives up its surplus and takes what was free before, up to its share. */
  step(): void {
    const taken = new Set([...this.held.values()].flat())
    for (const [machine, names] of this.held) {
      const gone = new Set(Share.surplus(machine, names, this.parts(machine)))
      const own = names.filter((name) => !gone.has(name))
      for (const part of this.parts(machine)) {
        const room = Share.room(machine, new Set(own), part)
        for (const name of room.names.filter((one) => !taken.has(one)).slice(0, room.most)) {
          taken.add(name)
          own.push(name)
          this.moved += 1
        }
      }
      this.held.set(machine, own)
    }
  }
}

describe("what a machine gives up", () => {
  const parts = (names: ReadonlyArray<string>) =>
    Share.parts("a", names, new Map([["b", new Set(["1", "2", "3", "4"])]]))

  it("is what nobody asks it to run, and then what is above its share", () => {
    assert.deepStrictEqual(Share.surplus("a", ["1", "2", "3", "4"], parts(["1", "2", "4"])), ["3", "4"])
    assert.deepStrictEqual(Share.surplus("a", ["1", "2"], parts(["1", "2", "3", "4"])), [])
  })

  it("is never what nobody else offers", () => {
    const own = ["1", "2", "3", "5", "6", "7"]
    assert.deepStrictEqual(Share.surplus("a", own, parts(own)), ["3"])
  })

  it.prop(
    "leaves everybody with a share and nothing to move, so there is no thrashing",
    [upTo(8), upTo(60)],
    ([others, count]) => {
      const names = shards("shop/orders", count)
      const world = new World(Array.from({ length: others + 1 }, () => names))
      // All of it is one machine's at first.
      const [first = ""] = world.held.keys()
      world.held.set(first, names)
      world.step()
      world.step()
      const after = structuredClone(world.held)
      world.step()
      assert.deepStrictEqual(world.held, after, "T41: two rounds are enough")
      assert.strictEqual(world.moved, count - Share.of(first, [...world.held.keys()], count), "and nothing moves twice")
    }
  )
})

describe("machines that offer different names", () => {
  const names = [...shards("a/orders", 9), ...shards("b/clicks", 5), "alone"]
  const Sets = Schema.Array(Schema.Array(Schema.Literals(names)).check(Schema.isMaxLength(20))).check(
    Schema.isMinLength(1),
    Schema.isMaxLength(6)
  )

  it.prop(
    "leave no name to nobody, whatever their sets and whoever held what: it is one machine's that offers it",
    [Sets, upTo(1_000)],
    ([sets, seed]) => {
      const world = new World(sets)
      const machines = [...world.held.keys()]
      // Some of it is anybody's at first, also of who does not offer it.
      names.forEach((name, index) => {
        const holder = machines[(seed * (index + 1)) % (machines.length + 1)]
        if (holder !== undefined) world.held.get(holder)?.push(name)
      })
      world.step()
      world.step()
      for (const name of new Set(sets.flat())) {
        const owners = world.ownersOf(name)
        assert.strictEqual(owners.length, 1, name)
        assert.isTrue(owners.every((machine) => world.offers.get(machine)?.has(name)))
      }
      for (const machine of machines) {
        for (const part of world.parts(machine)) {
          const counts = part.machines.map(
            (one) => (world.held.get(one) ?? []).filter((name) => part.names.includes(name)).length
          )
          assert.isAtMost(Math.max(...counts) - Math.min(...counts), 1)
        }
      }
      const after = structuredClone(world.held)
      world.step()
      assert.deepStrictEqual(world.held, after)
    }
  )
})

describe("what a machine tells the others that it offers", () => {
  const odd = ["", "7", "no number", "99999999999999999999999", "🎬", "\ud800", "__proto__", "a\u0000b"]

  it.effect("comes back as it was, in a text that is the same in any order", () =>
    Effect.gen(function* () {
      const names = [...shards("shop/orders", 300), ...odd]
      const text = Offers.encode(names.toReversed())
      assert.strictEqual(text, Offers.encode(names))
      assert.deepStrictEqual(yield* Offers.decode("a", text), new Set(names.toSorted()))
      assert.isBelow(text.length, 3_500)
    })
  )

  it.effect("is refused by name where it is none of ours", () =>
    Effect.gen(function* () {
      for (const text of ["", "nonsense", "[[1,[]]]"]) {
        const error = yield* Effect.flip(Offers.decode("host-7", text))
        assert.deepStrictEqual([error.reason, error.retryable], ["Refused", false])
        assert.include(error.message, "host-7")
      }
    })
  )
})

describe("the slots of a machine", () => {
  const hashed = (name: string): number =>
    (Buffer.from(name).reduce((sum, byte) => (sum * 31 + byte) % 1_000_003, 7) % Slot.count(600)) + 1

  it("are one name's each, and stay its own", () => {
    const slots = Slot.make(600, () => true)
    const names = shards("shop/orders", 600)
    const given = names.map((name) => slots.give(name, hashed))
    assert.strictEqual(new Set(given.map((slot) => slot?.id)).size, names.length)
    for (const [index, slot] of given.entries()) {
      assert.strictEqual(hashed(slot?.salted ?? ""), slot?.id)
      assert.strictEqual(slots.nameIn(slot?.id ?? 0), names[index])
      assert.strictEqual(slots.give(names[index] ?? "", hashed), slot)
    }
  })

  it("are given to others when nobody needs them", () => {
    const used = new Set<string>()
    const slots = Slot.make(600, (name) => used.has(name))
    for (const name of shards("shop/orders", Slot.count(600))) {
      used.add(name)
      assert.isDefined(slots.give(name, hashed))
    }
    assert.isUndefined(slots.give("one too many", hashed))
    used.delete(shards("shop/orders", 1)[0] ?? "")
    assert.isDefined(slots.give("another", hashed))
  })
})
