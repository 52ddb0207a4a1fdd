import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import type { Flight } from "./flight.ts"
import * as freshness from "./freshness.ts"
import type { Held } from "./held.ts"
import type { Loads } from "./loads.ts"
import type { Ground } from "./readThrough.ts"
import type { Shelf } from "./shelf.ts"

/** What is loaded anew before its time is over, while it is served. */
export class Refreshes<K, A, E, R> {
  readonly ground: Ground
  readonly shelf: Shelf<K, A, E, R>
  readonly loads: Loads<K, A, E, R>

  constructor(ground: Ground, shelf: Shelf<K, A, E, R>, loads: Loads<K, A, E, R>) {
    this.ground = ground
    this.shelf = shelf
    this.loads = loads
  }

  isDue(name: string, held: Held<A, E>, now: number): boolean {
    if (!this.shelf.policy.refreshes || held.negative || this.loads.running.has(name)) return false
    const due = freshness.isDue(held, now, this.shelf.policy.refreshing, 1 - this.ground.random.nextDoubleUnsafe())
    return due && this.shelf.troubled.get(name, now) === undefined
  }

  /** Loads anew what nobody waits for. What memory alone said is first looked up: another process may have done it. */
  begin(wanted: ReadonlyArray<Pick<Flight<K, A, E, R>, "key" | "name" | "context">>, lookFirst: boolean): void {
    if (wanted.length === 0) return
    const load = (rest: typeof wanted): void => {
      if (rest.length === 0) return
      this.shelf.tally.refreshes += rest.length
      this.loads.begin(
        rest.map(({ context, key, name }) => ({
          key,
          name,
          context,
          waiting: { load: undefined, loaded: (exit) => this.refreshed(name, exit) }
        })),
        false,
        true
      )
    }
    if (!lookFirst) return load(wanted)
    const began = this.shelf.now()
    const look = Effect.map(Effect.exit(this.ground.store.getMany(wanted.map(({ name }) => name))), (exit) => {
      const now = this.shelf.now()
      load(
        wanted.filter(({ name }, index) => {
          const bytes = Exit.isSuccess(exit) ? exit.value[index] : undefined
          const held = bytes === undefined ? undefined : this.shelf.open(name, bytes, now)
          if (held === undefined || !freshness.isFresh(held, now)) return true
          this.shelf.keep(name, held, began, now)
          return this.isDue(name, held, now)
        })
      )
    })
    this.ground.background.run(look)
  }

  refreshed(name: string, exit: Exit.Exit<A, E>): void {
    if (Exit.isFailure(exit)) this.shelf.trouble(name, this.shelf.now())
  }
}
