/**
 * Leases as effect's cluster asks for them, with shares of our own.
 *
 * **Details**
 *
 * Effect spreads slots over machines by hash, which leaves one machine with three shards and another with one. So each
 * machine is told that it is alone, and is given no more slots than its share: who holds more gives some up when others come.
 * Leases alone say who runs what, so machines that see each other late are slow, never wrong.
 *
 * @since 0.1.0
 */
import * as ClusterError from "effect/cluster/ClusterError"
import * as MachineId from "effect/cluster/MachineId"
import type { Runner } from "effect/cluster/Runner"
import type { RunnerStorage } from "effect/cluster/RunnerStorage"
import type { ShardId } from "effect/cluster/ShardId"
import * as Effect from "effect/Effect"

import type { Lease } from "./Lease.ts"
import type { LeaseStore, ShardAssignmentError } from "./LeaseStore.ts"
import * as Share from "./Share.ts"

/**
 * What a machine is and wants.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly machine: string
  /** Milliseconds. */
  readonly lease: number
  readonly leases: LeaseStore
  readonly own: Lease
  /** How many names the machine offers in each slot. */
  readonly wanted: ReadonlyMap<number, number>
}

interface State {
  readonly options: Options
  readonly held: Set<number>
  /** Held until their runs have ended. */
  readonly leaving: Set<number>
  machines: ReadonlyArray<string>
  self: Runner | undefined
}

/**
 * The storage of one machine.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): RunnerStorage["Service"] => {
  const { lease, leases, machine } = options
  const state: State = { options, held: new Set(), leaving: new Set(), machines: [], self: undefined }
  return {
    register: (runner) =>
      Effect.as(
        Effect.tap(refail(leases.join(machine, lease)), () => Effect.sync(() => void (state.self = runner))),
        MachineId.make(0)
      ),
    unregister: () => refail(leases.leave(machine)),
    setRunnerHealth: () => Effect.void,
    getRunners: Effect.map(refail(leases.machines), (machines) => {
      state.machines = machines
      return state.self === undefined ? [] : [[state.self, true] as const]
    }),
    acquire: (_, shards) => acquire(state, [...shards]),
    refresh: (_, shards) => refresh(state, [...shards]),
    release: (_, { id }) =>
      Effect.tap(refail(leases.free(machine, [id])), () => Effect.sync(() => forget(state, [id]))),
    releaseAll: () =>
      Effect.suspend(() => {
        const all = [...state.held]
        return Effect.tap(refail(leases.free(machine, all)), () => Effect.sync(() => forget(state, all)))
      })
  }
}

const refail = <A>(call: Effect.Effect<A, ShardAssignmentError>): Effect.Effect<A, ClusterError.PersistenceError> =>
  ClusterError.PersistenceError.refail(call)

const forget = ({ held, leaving }: State, slots: ReadonlyArray<number>): void => {
  for (const slot of slots) {
    held.delete(slot)
    leaving.delete(slot)
  }
}

const share = ({ machines, options: { machine, wanted } }: State): number => Share.of(machine, machines, wanted.size)

/** Takes what is free of what it wants, up to its share. */
const acquire = (
  state: State,
  shards: ReadonlyArray<ShardId>
): Effect.Effect<Array<ShardId>, ClusterError.PersistenceError> =>
  Effect.suspend(() => {
    const { held, leaving, machines, options } = state
    const { lease, leases, machine, own, wanted } = options
    const room = share(state) - (held.size - leaving.size)
    const free = shards.map(({ id }) => id).filter((slot) => wanted.has(slot) && !held.has(slot))
    if (room <= 0 || free.length === 0) return Effect.succeed([])
    const call = leases.take(machine, Share.candidates(machine, machines, free), room, lease)
    // What is held already was not renewed by this.
    return Effect.map(refail(held.size === 0 ? own.renewing(call) : call), (taken) => {
      for (const slot of taken) held.add(slot)
      return shards.filter(({ id }) => taken.includes(id))
    })
  })

/** What it still holds, without what it gives up: effect ends the runs of those, waits for them, and releases them. */
const refresh = (
  state: State,
  shards: ReadonlyArray<ShardId>
): Effect.Effect<Array<ShardId>, ClusterError.PersistenceError> =>
  Effect.suspend(() => {
    const { held, leaving, options } = state
    const { lease, leases, machine, own, wanted } = options
    const asked = shards.map(({ id }) => id)
    // Who runs nothing and offers to run nothing has no share, or nobody would run what it leaves.
    const idle = asked.length === 0 && wanted.size === 0
    const call = idle ? Effect.as(leases.leave(machine), []) : leases.keep(machine, asked, lease)
    return Effect.map(refail(own.renewing(call)), (kept: ReadonlyArray<number>) => {
      forget(
        state,
        asked.filter((slot) => !kept.includes(slot))
      )
      const staying = [...held].filter((slot) => !leaving.has(slot))
      for (const slot of Share.surplus(staying, new Set(wanted.keys()), share(state))) leaving.add(slot)
      return shards.filter(({ id }) => kept.includes(id) && !leaving.has(id))
    })
  })
