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
  const alive = new Map<string, { readonly until: number; readonly offers: string }>()
  const held = new Map<string, Held>()
  const at = <A>(work: (now: number) => A): Effect.Effect<A> => Effect.map(Clock.currentTimeMillis, work)
  const isFree = (name: string, now: number): boolean => (held.get(name)?.until ?? now) <= now
  const isOwn = (name: string, machine: string): boolean => held.get(name)?.machine === machine

  return {
    join: (machine, offers, lease) => at((now) => void alive.set(machine, { until: now + lease, offers })),
    machines: at((now) =>
      [...alive].filter(([, { until }]) => until > now).map(([machine, { offers }]) => ({ machine, offers }))
    ),
    take: (machine, names, most, lease) =>
      at((now) => {
        const taken = names.filter((name) => isOwn(name, machine) || isFree(name, now)).slice(0, most)
        for (const name of taken) held.set(name, { machine, until: now + lease })
        return taken
      }),
    keep: (machine, names, offers, lease) =>
      at((now) => {
        alive.set(machine, { until: now + lease, offers })
        const kept = names.filter((name) => isOwn(name, machine))
        for (const name of kept) held.set(name, { machine, until: now + lease })
        return kept
      }),
    unheld: (names) => at((now) => names.filter((name) => isFree(name, now))),
    free: (machine, names) =>
      Effect.sync(() => {
        for (const name of names) if (isOwn(name, machine)) held.delete(name)
      }),
    leave: (machine) => Effect.sync(() => void alive.delete(machine))
  }
}
