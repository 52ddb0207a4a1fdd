import type * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

interface Waiting {
  readonly until: number
  readonly late: () => void
  done: boolean
}

/**
 * Calls whoever waited too long, all for the same time.
 *
 * Fast path: one timer for the oldest who waits, not one for each: most have their answer long before, and to begin and end
 * a timer costs more than the rest of a read.
 */
export class Patience {
  readonly millis: number
  readonly clock: Clock.Clock
  readonly fork: (effect: Effect.Effect<void>) => void
  waiting: Array<Waiting> = []
  running = false

  constructor(millis: number, clock: Clock.Clock, fork: (effect: Effect.Effect<void>) => void) {
    this.millis = millis
    this.clock = clock
    this.fork = fork
  }

  /** Gives what says that the answer is there. */
  wait(late: () => void): () => void {
    if (this.millis === Infinity) return nothing
    const one: Waiting = { until: this.clock.currentTimeMillisUnsafe() + this.millis, late, done: false }
    this.waiting.push(one)
    if (!this.running) {
      this.running = true
      this.fork(this.watch)
    }
    return () => {
      one.done = true
    }
  }

  get watch(): Effect.Effect<void> {
    const next = Effect.suspend(() => {
      const left = (this.waiting[0]?.until ?? 0) - this.clock.currentTimeMillisUnsafe()
      return Effect.andThen(this.clock.sleep(Duration.millis(Math.max(1, left))), polled)
    })
    return Effect.whileLoop({
      while: () => (this.running = this.waiting.length > 0),
      body: () => next,
      step: () => this.sweep()
    })
  }

  sweep(): void {
    const now = this.clock.currentTimeMillisUnsafe()
    const over = this.waiting.findIndex((one) => !one.done && one.until > now)
    const due = over === -1 ? this.waiting.splice(0) : this.waiting.splice(0, over)
    for (const one of due) if (!one.done) one.late()
  }
}

const nothing = (): void => {}

/** What came while this process was held up is read before its timers have the last word. */
const polled = Effect.callback<void>((resume) => {
  const immediate = setImmediate(() => resume(Effect.void))
  return Effect.sync(() => clearImmediate(immediate))
})
