/**
 * Many requests at once and all their answers.
 *
 * A fast path: a batch of misses is one wait of one fiber with one timer, instead of a fiber, a timer, a clock reading and
 * a retry loop a request (`pnpm bench kernel`, all misses). It tries once: only what failed is worth a retry's cost.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type Pool from "undici/lib/dispatcher/pool.js"

import { Exchange } from "./Exchange.ts"
import * as Verdict from "./Verdict.ts"

/**
 * What bounds a wave.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Requests in flight. */
  readonly connections: number
  /** Milliseconds for one exchange. */
  readonly timeout: number
  /** Milliseconds for all of them; `Infinity` where nothing limits it. */
  readonly left: number
  /** Largest answer. */
  readonly maxBytes: number
}

/**
 * Gets all paths, side by side; gives an answer or a failure for each, in order. An interruption aborts them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const getAll = (
  pool: Pool,
  paths: ReadonlyArray<string>,
  limits: Limits
): Effect.Effect<ReadonlyArray<Verdict.Reply | Verdict.Failure>> =>
  Effect.callback((resume) => {
    const wave = new Wave(pool, paths, limits, (found) => resume(Effect.succeed(found)))
    wave.advance()
    return Effect.sync(() => wave.abort())
  })

class Wave {
  private readonly pool: Pool
  private readonly paths: ReadonlyArray<string>
  private readonly limits: Limits
  private readonly done: (found: ReadonlyArray<Verdict.Reply | Verdict.Failure>) => void
  private readonly endsAt: number
  private readonly found: Array<Verdict.Reply | Verdict.Failure>
  private readonly exchanges: Array<Exchange> = []
  /** When each must be answered; never earlier than the one before. */
  private readonly dueAt: Array<number> = []
  private oldest = 0
  private answered = 0
  private advancing = false
  private timer: NodeJS.Timeout | undefined

  constructor(
    pool: Pool,
    paths: ReadonlyArray<string>,
    limits: Limits,
    done: (found: ReadonlyArray<Verdict.Reply | Verdict.Failure>) => void
  ) {
    this.pool = pool
    this.paths = paths
    this.limits = limits
    this.done = done
    this.endsAt = performance.now() + limits.left
    this.found = paths.map(() => noTime)
  }

  /** Sends as many as there are connections. An answer may come while it does, from a pool that is closed. */
  advance(): void {
    if (this.advancing) return
    this.advancing = true
    const now = performance.now()
    while (this.exchanges.length < this.paths.length && this.exchanges.length - this.answered < this.limits.connections)
      this.send(this.exchanges.length, now)
    this.advancing = false
    if (this.answered === this.paths.length) this.end()
    else if (this.timer === undefined) this.arm(now)
  }

  abort(): void {
    clearTimeout(this.timer)
    for (const exchange of this.exchanges) if (!exchange.isDone) exchange.abort()
  }

  private send(place: number, now: number): void {
    const exchange = new Exchange(this.limits.maxBytes, (found) => {
      this.found[place] = found
      this.answered++
      this.advance()
    })
    this.exchanges.push(exchange)
    this.dueAt.push(Math.min(now + this.limits.timeout, this.endsAt))
    const timeout = Math.min(this.limits.timeout, this.endsAt - now)
    if (timeout > 0) exchange.begin(this.pool, { method: "GET", path: this.paths[place] ?? "/", timeout })
    else {
      exchange.abort()
      this.answered++
    }
  }

  private arm(now: number): void {
    while (this.exchanges[this.oldest]?.isDone === true) this.oldest++
    const due = this.dueAt[this.oldest]
    if (due !== undefined) this.timer = setTimeout(() => this.expire(), Math.max(1, due - now))
  }

  private expire(): void {
    this.timer = undefined
    // A timer may go off a fraction of a millisecond early.
    const now = performance.now() + 1
    const { timeout } = this.limits
    for (let place = this.oldest; (this.dueAt[place] ?? Infinity) <= now; place++) {
      const exchange = this.exchanges[place]
      if (exchange?.isDone === false) exchange.expire(Math.min(timeout, this.limits.left))
    }
    if (this.timer === undefined && this.answered < this.paths.length) this.arm(now)
  }

  private end(): void {
    clearTimeout(this.timer)
    this.done(this.found)
  }
}

const noTime = Verdict.failure("Timeout", "no time left before the deadline")
