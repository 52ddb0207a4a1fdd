/**
 * Shards over several machines, on effect's cluster: the machines agree in a store, and don't talk to each other.
 *
 * **Guarantees.** A name runs on one machine at a time, for as long as it holds the lease of the name. Leases end by
 * the store's clock, never by comparing the clocks of machines. A machine that can't renew, or stood still, stops its runs
 * when two thirds of a lease are over, before somebody else may begin them; their finalizers are waited for. A renewal
 * that is slow or fails stops nothing before that. Machines may offer different names, as several applications in one
 * namespace do, or those that have not found a new shard yet: what is offered by the same machines is shared by these, and
 * no two of their shares of it differ by more than one, so whatever is offered is run. Who has its share keeps what it has
 * when machines come and go. A store that can't be reached at the start fails the layer; later it is an error in the log
 * and a count (`leat_shard_assignment_store_failures`), and the runs stop while nobody can say whose they are.
 *
 * **Details.** A machine that leaves in order is replaced within two polls (about 2 s); one that dies, when its lease has
 * ended and a poll later. When a machine joins, the others notice at their next poll and hand over what is above their
 * share at their next renewal, a third of a lease at most: what moves stands still for 1 or 2 s.
 *
 * **Gotchas.** Shares count names, not how much there is to do for each, and are even for names that the same machines
 * offer: of two applications on different machines each is shared on its own. What a machine offers and nobody holds for
 * more than two leases, and 15 s, is an error in the log and a gauge (`leat_shard_assignment_unowned`). A machine that was frozen
 * in the middle of a write and goes on finishes it: fence what a run writes.
 *
 * @since 0.1.0
 */
import { hostname } from "node:os"

import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

import * as CheckpointRow from "../internal/CheckpointRow.ts"
import { ShardAssignment } from "../ShardAssignment.ts"
import * as Announcement from "./cluster/Announcement.ts"
import * as Holdings from "./cluster/Holdings.ts"
import * as Lease from "./cluster/Lease.ts"
import type { LeaseStore, ShardAssignmentError } from "./cluster/LeaseStore.ts"
import * as Loud from "./cluster/Loud.ts"
import * as MemoryLeases from "./cluster/MemoryLeases.ts"
import * as Place from "./cluster/Place.ts"
import * as Runner from "./cluster/Runner.ts"
import * as Slot from "./cluster/Slot.ts"
import * as Solo from "./Solo.ts"

export { ShardAssignmentError } from "./cluster/LeaseStore.ts"

/**
 * How machines share the work.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Machines with the same namespace in the same store share the work. Default `"default"`. */
  readonly namespace?: string | undefined
  /** Name of this machine, for a person who looks into the store. Default: the host's. A random part is added. */
  readonly machine?: string | undefined
  /**
   * How long a machine that says nothing is taken for alive: so long nobody takes over from one that died. Shorter means
   * more calls and less patience with a slow store or a busy process. Default 15 s.
   */
  readonly lease?: Duration.Input | undefined
  /** How often leases are renewed. Default a fifth of the lease; more than a third is taken as a third. */
  readonly renew?: Duration.Input | undefined
  /** How often a machine looks for the others. Default 1 s, or a third of the lease where that is less. */
  readonly poll?: Duration.Input | undefined
  /**
   * How long a run that gives up its place in order, at a shutdown or to a machine that joined, may take for its
   * finalizers; the lease is renewed meanwhile. Default 30 s. Where the lease is lost, they have a third of it.
   */
  readonly handover?: Duration.Input | undefined
  /**
   * How many names this machine may offer to run at once: the shards of all the streams that it reads. One more is a defect.
   * A thousand cost 0.4 % of a processor. Default 600.
   */
  readonly names?: number | undefined
  /** How long a call to the store may take. Default a third of the lease, at most 5 s. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * A store by its URL.
 *
 * @category models
 * @since 0.1.0
 */
export interface StoreOptions extends Options {
  /** `postgres://user:password@host:port/database`, or `redis://[user:password@]host:port[/database]`. Never printed. */
  readonly url: Redacted.Redacted
}

/**
 * Machines that agree in PostgreSQL, in the tables `leat_shard_machines` and `leat_shard_leases`, which are made where they
 * are not.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerPostgres = (options: StoreOptions): Layer.Layer<ShardAssignment, ShardAssignmentError> =>
  layerOn(options, (namespace, timeout) =>
    Effect.flatMap(
      Effect.promise(() => import("./cluster/PostgresLeases.ts")),
      ({ open }) => open(options.url, namespace, timeout)
    )
  )

/**
 * Machines that agree in Redis, under three keys. Leases need no persistence; a Redis that evicts keys is none for them.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRedis = (options: StoreOptions): Layer.Layer<ShardAssignment, ShardAssignmentError> =>
  layerOn(options, (namespace, timeout) =>
    Effect.flatMap(
      Effect.promise(() => import("./cluster/RedisLeases.ts")),
      ({ open }) => open(options.url, namespace, timeout)
    )
  )

/**
 * Machines in this process, for tests: layers with the same `leases` are machines to each other, and live by the test's
 * clock. Without `leases` the machine is alone.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (
  options: Options & {
    /** From {@link leases}, or a wrapper of a test's own. */
    readonly leases?: LeaseStore | undefined
  } = {}
): Layer.Layer<ShardAssignment, ShardAssignmentError> =>
  layerOn(options, () => Effect.sync(() => options.leases ?? MemoryLeases.make()))

/**
 * Leases for several {@link layerMemory}.
 *
 * @category constructors
 * @since 0.1.0
 */
export const leases: () => LeaseStore = MemoryLeases.make

/**
 * What `SHARD_ASSIGNMENT` says: `solo` (the default: every shard is this process's), `postgres` (with `DATABASE_URL`) or
 * `redis` (with `REDIS_URL`). `SHARD_LEASE`, as `"15 seconds"`, is the lease; `SHARD_NAMESPACE` the namespace,
 * and `SHARD_NAMES` how many names this machine may offer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig = (
  options: Options = {}
): Layer.Layer<ShardAssignment, ShardAssignmentError | Config.ConfigError> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const kind = yield* Config.withDefault(Config.Literals(["solo", "postgres", "redis"], "SHARD_ASSIGNMENT"), "solo")
      if (kind === "solo") return Solo.layer
      const set = yield* settings
      const url = yield* Config.Redacted(kind === "redis" ? "REDIS_URL" : "DATABASE_URL")
      const given = { ...options, ...set, url }
      return kind === "redis" ? layerRedis(given) : layerPostgres(given)
    })
  )

/** What is set goes before what the program says. */
const settings = Config.map(
  Config.all({
    lease: Config.option(Config.Duration("SHARD_LEASE")),
    namespace: Config.option(Config.NonEmptyString("SHARD_NAMESPACE")),
    names: Config.option(Config.Int("SHARD_NAMES"))
  }),
  ({ lease, names, namespace }): Options => ({
    ...(Option.isSome(lease) ? { lease: lease.value } : {}),
    ...(Option.isSome(namespace) ? { namespace: namespace.value } : {}),
    ...(Option.isSome(names) ? { names: names.value } : {})
  })
)

type Open = (namespace: string, timeout: number) => Effect.Effect<LeaseStore, ShardAssignmentError, Scope.Scope>

const layerOn = (options: Options, open: Open): Layer.Layer<ShardAssignment, ShardAssignmentError> =>
  Layer.effect(ShardAssignment, make(options, open))

const make = Effect.fnUntraced(function* (
  options: Options,
  open: Open
): Effect.fn.Return<ShardAssignment["Service"], ShardAssignmentError, Scope.Scope> {
  const times = timesOf(options)
  const machine = `${options.machine ?? hostname()}/${globalThis.crypto.randomUUID().slice(0, 8)}`
  const store = Loud.make(yield* open(options.namespace ?? "default", times.timeout), times.timeout)
  // The first call: what is wrong with the store is said here, and not by machines that never begin anything.
  const holdings = Holdings.make()
  const announcement = yield* Announcement.make({ machine, lease: times.lease, leases: store, holdings })
  const lease = yield* Lease.make(times.lease)
  const names = options.names ?? 600
  const slots = Slot.make(names, (name) => Holdings.isInUse(holdings, name))
  const books = { holdings, slots, names, announcement }
  const sharding = yield* Runner.make({ machine, leases: store, own: lease, ...books, ...times })

  const offer: ShardAssignment["Service"]["offer"] = (name, run) =>
    Effect.gen(function* () {
      const key = CheckpointRow.encodeName(name)
      yield* Effect.addFinalizer(() => announcement.soon)
      yield* Holdings.want(holdings, key)
      yield* announcement.soon
      const isFull = holdings.wanted.size > names
      const slot = isFull ? undefined : slots.give(key, (salted) => Runner.slotOf(sharding, salted))
      const { salted } = yield* slot === undefined ? Effect.die(tooMany(name, names)) : Effect.succeed(slot)
      const { handover, remainder } = times
      const isHeld = () => Holdings.isHeld(holdings, key)
      const place = Place.hold(run, { name, lease, isHeld, handover, remainder })
      yield* sharding.registerSingleton(salted, place, Runner.group)
    })
  return { name: "cluster", exclusive: true, offer }
})

const tooMany = (name: string, names: number): string =>
  `${name} is one too many: this process offers to run ${names} names already; give the cluster more (\`names\`, SHARD_NAMES)`

/** All in milliseconds. */
const timesOf = (options: Options) => {
  const lease = Duration.toMillis(options.lease ?? "15 seconds")
  return {
    lease,
    renew: Math.min(lease / 3, Duration.toMillis(options.renew ?? lease / 5)),
    poll: Duration.toMillis(options.poll ?? Math.min(1_000, lease / 3)),
    handover: Duration.toMillis(options.handover ?? "30 seconds"),
    remainder: lease / 3,
    timeout: Duration.toMillis(options.timeout ?? Math.min(5_000, lease / 3))
  }
}
