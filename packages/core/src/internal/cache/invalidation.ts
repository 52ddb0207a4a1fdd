import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import type { Message } from "../../CacheBackplane.ts"
import type { Loads } from "./loads.ts"
import type { Ground } from "./readThrough.ts"
import type { Recovery } from "./recovery.ts"
import type { Shelf } from "./shelf.ts"

/** What was invalidated, here or by another cache: nothing of before it is served or kept any more. */
export class Invalidation<K, A, E, R> {
  readonly ground: Ground
  readonly shelf: Shelf<K, A, E, R>
  readonly loads: Loads<K, A, E, R>
  readonly recovery: Recovery<K, A, E, R>
  readonly flights: Map<string, unknown>

  constructor(
    ground: Ground,
    shelf: Shelf<K, A, E, R>,
    loads: Loads<K, A, E, R>,
    recovery: Recovery<K, A, E, R>,
    flights: Map<string, unknown>
  ) {
    this.ground = ground
    this.shelf = shelf
    this.loads = loads
    this.recovery = recovery
    this.flights = flights
  }

  invalidate(keys: ReadonlyArray<K>): Effect.Effect<number> {
    return Effect.suspend(() => {
      if (keys.length === 0) return Effect.succeed(0)
      const names = keys.map((key) => this.shelf.policy.key(key))
      const at = this.shelf.now()
      for (const name of names) this.forget(name, at)
      this.tell(names, at)
      return Effect.map(this.shelf.forget(names, at), (heard) => {
        for (const name of names) {
          if (heard) this.recovery.forgive(name)
          else this.recovery.invalidate(name, at)
        }
        return heard ? 0 : names.length
      })
    })
  }

  forget(name: string, at: number): void {
    this.flights.delete(name)
    this.loads.forget(name)
    this.shelf.troubled.forget(name)
    this.shelf.kept.invalidate(name, at, this.shelf.now())
  }

  tell(names: ReadonlyArray<string>, at: number): void {
    const { background, backplane } = this.ground
    if (backplane === undefined) return
    background.run(
      Effect.match(backplane.publish(names, at), {
        onFailure: () => void (this.shelf.tally.untold += names.length),
        onSuccess: () => {}
      })
    )
  }

  /** Hears what other caches forget, until the scope ends. */
  get listen(): Effect.Effect<void, never, Scope.Scope> {
    const { backplane } = this.ground
    if (backplane === undefined) return Effect.void
    const hear = (message: Message) => Effect.sync(() => this.hear(message))
    return Effect.asVoid(Effect.forkScoped(Stream.runForEach(backplane.messages, hear)))
  }

  hear(message: Message): void {
    if (message._tag === "Forgotten") {
      this.shelf.tally.told += message.keys.length
      for (const name of message.keys) this.forget(name, message.at)
      return
    }
    // What was missed isn't known, so everything is asked of the store once more; it still shelters from an outage.
    const { slots } = this.shelf.kept
    for (const [name, slot] of slots) slots.set(name, { ...slot, value: { ...slot.value, seenAt: -Infinity } })
  }
}
