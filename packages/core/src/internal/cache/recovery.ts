import * as Effect from "effect/Effect"

import type { Background } from "../../Background.ts"
import type { Held } from "./held.ts"
import type { Shelf, Writing } from "./shelf.ts"

/** What the store has to hear of one name: that it was invalidated, then what was loaded since. */
interface Owed<A, E> {
  readonly invalidatedAt: number | undefined
  readonly held: Held<A, E> | undefined
}

/** What an outage kept from the store. The last of each name counts; the oldest name goes first when there is no room. */
export class Recovery<K, A, E, R> {
  readonly shelf: Shelf<K, A, E, R>
  readonly background: Background
  readonly owed = new Map<string, Owed<A, E>>()
  running = false

  constructor(shelf: Shelf<K, A, E, R>, background: Background) {
    this.shelf = shelf
    this.background = background
  }

  /** False where nothing is made up for: then it is lost. */
  write({ held, name }: Writing<A, E>): boolean {
    return this.owe(name, { invalidatedAt: this.owed.get(name)?.invalidatedAt, held })
  }

  invalidate(name: string, at: number): boolean {
    return this.owe(name, { invalidatedAt: at, held: undefined })
  }

  owe(name: string, owed: Owed<A, E>): boolean {
    const limits = this.shelf.policy.recovery
    if (limits === undefined) return false
    this.owed.delete(name)
    this.owed.set(name, owed)
    for (const oldest of this.owed.keys()) {
      if (this.owed.size <= limits.maxKeys) break
      this.owed.delete(oldest)
      this.shelf.tally.writesLost++
    }
    if (!this.running) {
      this.running = true
      this.background.run(this.settle(limits.perSecond))
    }
    return true
  }

  /** What the store has from someone else meanwhile needs nothing any more. */
  forgive(name: string): void {
    this.owed.delete(name)
  }

  settle(perSecond: number): Effect.Effect<void> {
    const chunk = Math.max(1, Math.ceil(perSecond * turn))
    const step = Effect.flatMap(this.shelf.store.ready(patience), (ready) => (ready ? this.pay(chunk) : Effect.void))
    return Effect.whileLoop({
      while: () => this.owed.size > 0,
      body: () => Effect.andThen(step, Effect.sleep(turn * 1_000)),
      step: () => {}
    }).pipe(Effect.ensuring(Effect.sync(() => (this.running = false))))
  }

  pay(most: number): Effect.Effect<void> {
    return Effect.suspend(() => {
      const names = [...this.owed.keys()].slice(0, most)
      const chunk = names.flatMap((name) => {
        const owed = this.owed.get(name)
        return owed === undefined ? [] : [{ name, owed }]
      })
      const invalidated = chunk.filter(({ owed }) => owed.invalidatedAt !== undefined)
      // One time for all: a later one only makes somebody load again.
      const at = Math.max(...invalidated.map(({ owed }) => owed.invalidatedAt ?? 0))
      const now = this.shelf.now()
      const writings = chunk.flatMap(({ name, owed: { held } }): ReadonlyArray<Writing<A, E>> =>
        held === undefined || held.freshUntil <= now ? [] : [{ name, held }]
      )
      const paid =
        invalidated.length === 0
          ? this.shelf.write(writings)
          : Effect.flatMap(
              this.shelf.forget(
                invalidated.map(({ name }) => name),
                at
              ),
              (heard) => (heard ? this.shelf.write(writings) : Effect.succeed(false))
            )
      return Effect.map(paid, (done) => {
        if (!done) return
        for (const { name, owed } of chunk) {
          if (this.owed.get(name) === owed) this.owed.delete(name)
        }
        this.shelf.tally.recovered += invalidated.length + writings.length
      })
    })
  }
}

/** Seconds from one chunk to the next. */
const turn = 0.1

const patience = "1 second"
