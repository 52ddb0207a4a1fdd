import { assert, describe, it } from "@effect/vitest"
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import { fault } from "@leat/transport-kinesis/assignment/cluster/LeaseStore"
import type { LeaseStore } from "@leat/transport-kinesis/assignment/cluster/LeaseStore"
import { ShardAssignment } from "@leat/transport-kinesis/ShardAssignment"
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"
import * as TestClock from "effect/testing/TestClock"

const names = Array.from({ length: 8 }, (_, index) => `shop/orders/shardId-${String(index).padStart(12, "0")}`)

/** Who runs what now, and every two that ran a name at once. */
class Ledger {
  readonly runs = new Map<string, Array<string>>()
  readonly begun: Array<string> = []
  readonly overlaps: Array<string> = []

  owners(): ReadonlyArray<ReadonlyArray<string>> {
    return names.map((name) => this.runs.get(name) ?? [])
  }

  shares(): ReadonlyArray<number> {
    return [...Map.groupBy(this.owners().flat(), (owner) => owner).values()].map((own) => own.length).toSorted()
  }
}

const run = (ledger: Ledger, machine: string, name: string, end: Effect.Effect<void> = Effect.void) =>
  Effect.acquireRelease(
    Effect.sync(() => {
      const now = [...(ledger.runs.get(name) ?? []), machine]
      if (now.length > 1) ledger.overlaps.push(`${name}: ${now.join(", ")}`)
      ledger.begun.push(`${machine} ${name}`)
      ledger.runs.set(name, now)
    }),
    () =>
      Effect.andThen(
        end,
        Effect.sync(
          () =>
            void ledger.runs.set(
              name,
              (ledger.runs.get(name) ?? []).filter((one) => one !== machine)
            )
        )
      )
  ).pipe(Effect.andThen(Effect.never), Effect.scoped)

interface Machine {
  readonly offers: ReadonlyArray<Scope.Closeable>
  readonly scope: Scope.Closeable
}

/** A machine of the cluster that offers all names. */
const machine = Effect.fnUntraced(function* (
  ledger: Ledger,
  name: string,
  options: NonNullable<Parameters<typeof Cluster.layerMemory>[0]>,
  end?: Effect.Effect<void>
) {
  const scope = yield* Scope.make()
  const services = yield* Layer.buildWithScope(
    Cluster.layerMemory({ machine: name, lease: "6 seconds", ...options }),
    scope
  )
  const assignment = Context.get(services, ShardAssignment)
  const offers = yield* Effect.forEach(names, (one) =>
    Effect.tap(Scope.make(), (own) => Scope.provide(assignment.offer(one, run(ledger, name, one, end)), own))
  )
  return { offers, scope } satisfies Machine
})

const seconds = (count: number) =>
  Effect.forEach(Array.from({ length: count * 10 }), () => TestClock.adjust("100 millis"), { discard: true })

/** As a consumer does: all its shards at once, and then the cluster. */
const leave = ({ offers, scope }: Machine) =>
  Effect.andThen(
    Effect.forEach(offers, (offer) => Scope.close(offer, Exit.void), { concurrency: "unbounded", discard: true }),
    Scope.close(scope, Exit.void)
  )

/** A store that can be made to fail, or not to answer at all. */
const unreliable = (inner: LeaseStore) => {
  const state: { fails: "never" | "at once" | "silently" } = { fails: "never" }
  const call = <A>(self: Effect.Effect<A, Cluster.ShardAssignmentError>) =>
    Effect.suspend((): Effect.Effect<A, Cluster.ShardAssignmentError> => {
      if (state.fails === "never") return self
      return state.fails === "silently"
        ? Effect.never
        : Effect.fail(fault("keep", { reason: "Unavailable", message: "gone" }))
    })
  const leases: LeaseStore = {
    join: (...args) => call(inner.join(...args)),
    machines: call(inner.machines),
    take: (...args) => call(inner.take(...args)),
    keep: (...args) => call(inner.keep(...args)),
    unheld: (...args) => call(inner.unheld(...args)),
    free: (...args) => call(inner.free(...args)),
    leave: (...args) => call(inner.leave(...args))
  }
  return { leases, state }
}

describe("machines that share the shards of a stream", () => {
  it.effect("a machine alone runs every shard, once", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const one = yield* machine(ledger, "a", {})
      yield* seconds(3)
      assert.deepStrictEqual(
        ledger.owners(),
        names.map(() => ["a"])
      )
      yield* Effect.forkChild(leave(one))
      yield* seconds(1)
      assert.deepStrictEqual(
        ledger.owners(),
        names.map(() => [])
      )
    })
  )

  it.effect("T41: machines that start together converge on even shares, and then nothing moves", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const leases = Cluster.leases()
      for (const name of ["a", "b", "c"]) yield* machine(ledger, name, { leases })
      yield* seconds(8)
      assert.deepStrictEqual(ledger.shares(), [2, 3, 3])
      assert.isAtMost(ledger.begun.length, names.length * 2, "each shard moves at most once")
      const before = [...ledger.begun]
      yield* seconds(30)
      assert.deepStrictEqual(ledger.begun, before)
      assert.deepStrictEqual(ledger.overlaps, [])
    })
  )

  it.effect("a machine that joins gets its share, and the others keep theirs running", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const leases = Cluster.leases()
      yield* machine(ledger, "a", { leases })
      yield* seconds(3)
      yield* machine(ledger, "b", { leases })
      yield* seconds(6)
      assert.deepStrictEqual(ledger.shares(), [4, 4])
      assert.strictEqual(ledger.begun.length, names.length + 4, "only what moves is begun again")
      assert.deepStrictEqual(ledger.overlaps, [])
    })
  )

  it.effect("a machine that offers to run nothing, not yet or not any more, has no share", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const leases = Cluster.leases()
      yield* machine(ledger, "a", { leases })
      yield* Layer.build(Layer.fresh(Cluster.layerMemory({ machine: "idle", lease: "6 seconds", leases })))
      const stopping = yield* machine(ledger, "b", { leases })
      yield* seconds(8)
      assert.deepStrictEqual(ledger.shares(), [4, 4])
      yield* Effect.forkChild(
        Effect.forEach(stopping.offers, (offer) => Scope.close(offer, Exit.void), { concurrency: "unbounded" })
      )
      yield* seconds(12)
      assert.deepStrictEqual(
        ledger.owners(),
        names.map(() => ["a"])
      )
      assert.deepStrictEqual(ledger.overlaps, [])
    })
  )

  it.effect("a machine that leaves is waited for, also when its last checkpoints take longer than a lease", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const leases = Cluster.leases()
      const one = yield* machine(ledger, "a", { leases }, Effect.sleep("10 seconds"))
      yield* seconds(3)
      yield* machine(ledger, "b", { leases })
      yield* seconds(1)
      yield* Effect.forkChild(leave(one))
      yield* seconds(9)
      assert.deepStrictEqual(ledger.overlaps, [])
      assert.isTrue(ledger.owners().every((owners) => !owners.includes("b")))
      yield* seconds(6)
      assert.deepStrictEqual(
        ledger.owners(),
        names.map(() => ["b"])
      )
      assert.deepStrictEqual(ledger.overlaps, [])
    })
  )
})

describe("a machine that dies", () => {
  it.effect("T35: is replaced though the others have their shares and nothing else moves", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const shared = Cluster.leases()
      const { leases, state } = unreliable(shared)
      yield* machine(ledger, "a", { leases })
      for (const name of ["b", "c"]) yield* machine(ledger, name, { leases: shared })
      yield* seconds(10)
      assert.deepStrictEqual(ledger.shares(), [2, 3, 3])
      const before = ledger.begun.length
      const moved = ledger.owners().filter(([owner]) => owner === "a").length
      state.fails = "silently"
      yield* seconds(14)
      assert.deepStrictEqual(ledger.shares(), [4, 4])
      assert.strictEqual(ledger.begun.length, before + moved, "only what it had is begun anew")
      assert.deepStrictEqual(ledger.overlaps, [])
    })
  )

  it.effect("T36: in the middle of a hand-over leaves nothing that nobody runs, whether it gives or takes", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const shared = Cluster.leases()
      const giving = unreliable(shared)
      const taking = unreliable(shared)
      yield* machine(ledger, "giving", { leases: giving.leases }, Effect.sleep("1 second"))
      yield* seconds(4)
      yield* machine(ledger, "taking", { leases: taking.leases })
      // The giver is in its finalizers now, and its releases are lost.
      yield* seconds(2)
      giving.state.fails = "silently"
      yield* machine(ledger, "third", { leases: shared })
      yield* seconds(1)
      taking.state.fails = "silently"
      yield* seconds(20)
      assert.deepStrictEqual(
        ledger.owners(),
        names.map(() => ["third"])
      )
      assert.deepStrictEqual(ledger.overlaps, [])
    })
  )
})

describe("a machine whose store of leases is away", () => {
  for (const fails of ["at once", "silently"] as const) {
    it.effect(`T33: stops its runs before another one begins them, where it fails ${fails}`, () =>
      Effect.gen(function* () {
        const ledger = new Ledger()
        const shared = Cluster.leases()
        const { leases, state } = unreliable(shared)
        yield* machine(ledger, "a", { leases }, Effect.sleep("1500 millis"))
        yield* seconds(3)
        yield* machine(ledger, "b", { leases: shared })
        state.fails = fails
        yield* seconds(12)
        assert.deepStrictEqual(ledger.overlaps, [], "the last third of a lease is the finalizers'")
        assert.deepStrictEqual(
          ledger.owners(),
          names.map(() => ["b"])
        )
        state.fails = "never"
        yield* seconds(10)
        assert.deepStrictEqual(ledger.shares(), [4, 4], "and has its share again when the store is back")
        assert.deepStrictEqual(ledger.overlaps, [])
      })
    )
  }

  it.effect("does not begin at all, with the fault in its type", () =>
    Effect.gen(function* () {
      const { leases, state } = unreliable(Cluster.leases())
      state.fails = "at once"
      const error = yield* Effect.flip(Effect.scoped(Layer.build(Cluster.layerMemory({ leases }))))
      assert.deepStrictEqual([error._tag, error.reason, error.retryable], ["ShardAssignmentError", "Unavailable", true])
    })
  )

  it.effect("does not wait at the start for a store that never answers", () =>
    Effect.gen(function* () {
      const { leases, state } = unreliable(Cluster.leases())
      state.fails = "silently"
      const built = yield* Effect.forkChild(Effect.flip(Effect.scoped(Layer.build(Cluster.layerMemory({ leases })))))
      yield* seconds(6)
      assert.strictEqual((yield* Fiber.join(built)).reason, "Unavailable")
    })
  )

  it.effect("says so at the level of an error, at once and then rarely, and says when it is over", () =>
    Effect.gen(function* () {
      const logged: Array<string> = []
      const logger = Logger.make(({ logLevel, message }) => {
        const text = String(message)
        if (text.startsWith("shards ")) logged.push(`${logLevel}: ${text.slice(0, 24)}`)
      })
      const { leases, state } = unreliable(Cluster.leases())
      const ledger = new Ledger()
      yield* machine(ledger, "a", { leases }).pipe(Effect.provide(Logger.layer([logger])))
      yield* seconds(3)
      state.fails = "at once"
      yield* seconds(20)
      assert.deepStrictEqual(logged, ["Error: shards can't be assigned"])
      state.fails = "never"
      yield* seconds(5)
      assert.strictEqual(logged.at(-1), "Info: shards are assigned agai")
      assert.deepStrictEqual(
        ledger.owners(),
        names.map(() => ["a"])
      )
    })
  )
})

describe("a run", () => {
  const alone = Effect.map(Layer.build(Cluster.layerMemory({ lease: "6 seconds" })), (services) =>
    Context.get(services, ShardAssignment)
  )

  it.effect("that completes is not begun again", () =>
    Effect.gen(function* () {
      let begun = 0
      const assignment = yield* alone
      yield* assignment.offer(
        "a-1",
        Effect.sync(() => void (begun += 1))
      )
      yield* seconds(20)
      assert.strictEqual(begun, 1)
    })
  )

  it.effect("that dies is begun again, ever more slowly", () =>
    Effect.gen(function* () {
      const begun: Array<number> = []
      const assignment = yield* alone
      yield* assignment.offer(
        "a-1",
        Effect.flatMap(Clock.currentTimeMillis, (now) => {
          begun.push(now)
          return Effect.die("a bug")
        })
      )
      yield* seconds(12)
      const gaps = begun.map((at, index) => at - (begun[index - 1] ?? at)).slice(1)
      assert.deepStrictEqual(gaps, [1_000, 2_000, 4_000])
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("that doesn't end when it is stopped holds nobody up for longer than the hand-over", () =>
    Effect.gen(function* () {
      const assignment = yield* Effect.map(
        Layer.build(Cluster.layerMemory({ lease: "6 seconds", handover: "20 seconds" })),
        (services) => Context.get(services, ShardAssignment)
      )
      const scope = yield* Scope.make()
      yield* Scope.provide(assignment.offer("a-1", Effect.uninterruptible(Effect.never)), scope)
      yield* seconds(3)
      const closed = yield* Effect.forkChild(Scope.close(scope, Exit.void))
      yield* seconds(19)
      assert.isUndefined(closed.pollUnsafe())
      yield* seconds(2)
      assert.isDefined(closed.pollUnsafe())
    }).pipe(Effect.provide(Logger.layer([])))
  )

  it.effect("begins with its services, and ends with the scope of its offer alone", () =>
    Effect.gen(function* () {
      const ledger = new Ledger()
      const assignment = yield* alone
      const scope = yield* Scope.make()
      const [first = "", second = ""] = names
      yield* Scope.provide(assignment.offer(first, run(ledger, "a", first)), scope)
      yield* assignment.offer(second, run(ledger, "a", second))
      yield* seconds(3)
      yield* Scope.close(scope, Exit.void)
      assert.deepStrictEqual(ledger.owners().slice(0, 2), [[], ["a"]])
      yield* assignment.offer(first, run(ledger, "a", first))
      yield* seconds(3)
      assert.deepStrictEqual(ledger.owners().slice(0, 2), [["a"], ["a"]])
    })
  )

  it.effect("that is one too many is a defect that names the option, and not a run that waits in silence", () =>
    Effect.gen(function* () {
      const services = yield* Layer.build(Cluster.layerMemory({ names: 2 }))
      const { offer } = Context.get(services, ShardAssignment)
      yield* offer("a-1", Effect.never)
      yield* Effect.scoped(offer("a-2", Effect.never))
      yield* offer("a-3", Effect.never)
      const exit = yield* Effect.exit(offer("a-4", Effect.never))
      assert.isTrue(Exit.isFailure(exit) && /a-4 is one too many: .*SHARD_NAMES/.test(String(Cause.squash(exit.cause))))
    })
  )
})
