/**
 * Leases as effect's cluster asks for them, with shares of our own.
 *
 * **Details**
 *
 * Effect spreads slots over machines by hash, which leaves one machine with three shards and another with one. So each
 * machine is told that it is alone, and is given no more slots than its share of names: who holds more gives some up when
 * others come. Leases alone say who runs what, so machines that see each other late are slow, never wrong.
 *
 * @since 0.1.0
 */
import * as ClusterError from "effect/cluster/ClusterError"
import * as MachineId from "effect/cluster/MachineId"
import type { Runner } from "effect/cluster/Runner"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { ShardId } from "effect/cluster/ShardId"
import * as Effect from "effect/Effect"

import type { Announcement } from "./Announcement.ts"
import * as Holdings from "./Holdings.ts"
import type { Lease } from "./Lease.ts"
import type { LeaseStore, ShardAssignmentError } from "./LeaseStore.ts"
import * as Offers from "./Offers.ts"
import * as Renewal from "./Renewal.ts"
import * as Share from "./Share.ts"
import type { Slots } from "./Slot.ts"
import * as Unowned from "./Unowned.ts"

/**
 * What a machine is and has; times are milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly machine: string
  readonly lease: number
  readonly renew: number
  readonly leases: LeaseStore
  readonly own: Lease
  readonly holdings: Holdings.Holdings
  readonly announcement: Announcement
  readonly slots: Slots
}

type Call<A = void> = Effect.Effect<A, ShardAssignmentError>

interface State {
  readonly options: Options
  readonly renewal: (call: Call) => Call
  readonly unowned: (names: Iterable<string>) => Call
  /** What the living machines offer. */
  machines: ReadonlyMap<string, ReadonlySet<string>>
  self: Runner | undefined
}

/**
 * The storage of one machine.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): RunnerStorage["Service"] => {
  const { holdings, lease, leases, machine } = options
  const state: State = {
    options,
    renewal: Renewal.make(options),
    unowned: Unowned.make(leases, lease),
    machines: new Map(),
    self: undefined
  }
  const release = (names: ReadonlyArray<string>) =>
    Effect.tap(leases.free(machine, names), () => Effect.sync(() => Holdings.forget(holdings, names)))
  return {
    register: (runner) =>
      Effect.as(refail(Effect.andThen(options.announcement.tell, set(state, runner))), MachineId.make(0)),
    unregister: () => refail(leases.leave(machine)),
    setRunnerHealth: () => Effect.void,
    getRunners: Effect.suspend(() => {
      // A failure of this one is told of already, and keeps nobody from a place.
      const watch = Effect.ignore(state.unowned(holdings.wanted.keys()))
      const runners = () => (state.self === undefined ? [] : [[state.self, true] as const])
      return refail(Effect.andThen(look(state), Effect.map(watch, runners)))
    }),
    acquire: (_, shards) => refail(acquire(state, [...shards])),
    refresh: (_, shards) => refail(refresh(state, [...shards])),
    release: (_, shard) => refail(release(namesOf(state, [shard]))),
    releaseAll: () => refail(Effect.suspend(() => release([...holdings.held])))
  }
}

const refail = <A>(call: Call<A>): Effect.Effect<A, ClusterError.PersistenceError> =>
  ClusterError.PersistenceError.refail(call)

const set = (state: State, runner: Runner) => Effect.sync(() => void (state.self = runner))

const namesOf = ({ options: { slots } }: State, shards: ReadonlyArray<ShardId>): ReadonlyArray<string> =>
  shards.flatMap(({ id }) => slots.nameIn(id) ?? [])

/** Sees what the others offer; first they are told, so that of machines that begin at once each sees the others. */
const look = (state: State): Call =>
  Effect.gen(function* () {
    yield* state.options.announcement.tell
    const machines = yield* state.options.leases.machines
    const offers = yield* Effect.forEach(machines, (one) =>
      Effect.map(Offers.decode(one.machine, one.offers), (names) => [one.machine, names] as const)
    )
    state.machines = new Map(offers)
  })

const parts = ({ machines, options: { holdings, machine } }: State): ReadonlyArray<Share.Part> =>
  Share.parts(machine, holdings.wanted.keys(), machines)

/** Takes what is free of what it wants, up to its share. */
const acquire = (state: State, shards: ReadonlyArray<ShardId>): Call<Array<ShardId>> =>
  Effect.gen(function* () {
    const { holdings, own } = state.options
    // What effect asks for it does not have, as after an answer that it did not wait for.
    Holdings.forget(holdings, namesOf(state, shards))
    if (rooms(state).length === 0) return []
    yield* look(state)
    const call = take(state)
    // What is held already was not renewed by this.
    const taken = new Set(yield* holdings.held.size === 0 ? own.renewing(call) : call)
    return shards.filter((shard) => namesOf(state, [shard]).some((name) => taken.has(name)))
  })

/** What may be taken of each part, where that is anything. */
const rooms = (state: State) => {
  const { holdings, machine } = state.options
  const { held, leaving } = holdings
  const staying = new Set([...held].filter((name) => !leaving.has(name)))
  return parts(state).flatMap((part) => {
    const { most, names } = Share.room(machine, staying, part)
    const free = names.filter((name) => !held.has(name))
    return free.length === 0 ? [] : [{ most, free }]
  })
}

const take = (state: State): Call<ReadonlyArray<string>> =>
  Effect.gen(function* () {
    const { holdings, lease, leases, machine } = state.options
    const taken = yield* Effect.forEach(rooms(state), ({ free, most }) => {
      for (const name of free) holdings.asked.add(name)
      return Effect.ensuring(
        leases.take(machine, free, most, lease),
        Effect.sync(() => free.forEach((name) => holdings.asked.delete(name)))
      )
    })
    // In one step, and before anybody hears that the leases hold.
    for (const name of taken.flat()) holdings.held.add(name)
    return taken.flat()
  })

/** What it still holds, without what it gives up: effect ends the runs of those, waits for them, and releases them. */
const refresh = (state: State, shards: ReadonlyArray<ShardId>): Call<Array<ShardId>> =>
  Effect.map(state.renewal(keep(state, namesOf(state, shards))), () =>
    shards.filter((shard) => namesOf(state, [shard]).some((name) => Holdings.isHeld(state.options.holdings, name)))
  )

/** The books are right before anybody hears that the leases hold: who waits for that looks into them. */
const keep = (state: State, names: ReadonlyArray<string>): Call =>
  Effect.suspend(() => {
    const { announcement, holdings, lease, leases, machine, own } = state.options
    const call = Effect.map(leases.keep(machine, names, announcement.offers(), lease), (answer) => {
      const kept = new Set(answer)
      Holdings.forget(
        holdings,
        names.filter((name) => !kept.has(name))
      )
      const staying = [...holdings.held].filter((name) => !holdings.leaving.has(name))
      for (const name of Share.surplus(machine, staying, parts(state))) holdings.leaving.add(name)
    })
    return own.renewing(call)
  })
