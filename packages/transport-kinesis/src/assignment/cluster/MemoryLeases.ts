/**
 * Leases in this process: several clusters' layers that share them are several machines to each other, as in tests.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { LeaseStore } from "./LeaseStore.ts"

interface Held {
  readonly machine: string
  readonly until: number
}

/**
 * Leases that end by the clock of the fiber that asks.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): LeaseStore => {
  const alive = new Map<string, number>()
  const held = new Map<number, Held>()
  const at = <A>(work: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, work)
  const isFree = (slot: number, machine: string, now: number): boolean => {
    const holder = held.get(slot)
    return holder === undefined || holder.machine === machine || holder.until <= now
  }

  return {
    join: (machine, lease) => at((now) => void alive.set(machine, now + lease)),
    machines: at((now) => [...alive].filter(([, until]) => until > now).map(([machine]) => machine)),
    take: (machine, slots, most, lease) =>
      at((now) => {
        const taken = slots.filter((slot) => isFree(slot, machine, now)).slice(0, most)
        for (const slot of taken) held.set(slot, { machine, until: now + lease })
        return taken
      }),
    keep: (machine, slots, lease) =>
      at((now) => {
        alive.set(machine, now + lease)
        const kept = slots.filter((slot) => held.get(slot)?.machine === machine)
        for (const slot of kept) held.set(slot, { machine, until: now + lease })
        return kept
      }),
    free: (machine, slots) =>
      Effect.sync(() => {
        for (const slot of slots) if (held.get(slot)?.machine === machine) held.delete(slot)
      }),
    leave: (machine) => Effect.sync(() => void alive.delete(machine))
  }
}
