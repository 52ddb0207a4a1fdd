import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

import type { Sink } from "../../DeadLetters.ts"
import type { Delivery } from "../../Delivery.ts"
import type * as Event from "../../Event.ts"
import type { FailurePolicy } from "../../FailurePolicy.ts"
import type { Journal } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { Publisher } from "../../Publisher.ts"
import type { RetryPolicy } from "../../RetryPolicy.ts"
import type { Undecodable } from "../../Undecodable.ts"
import type { Reader } from "../../WorkerEvent.ts"

/** Whatever a handler fails with. */
export interface HandlerError {
  readonly retryable?: unknown
}

/** A handler's effect, its own types forgotten: `Worker.make` checked them, the batch's context provides its services. */
export type Step = Effect.Effect<unknown, HandlerError>

/** A handler as the kernel calls it: a generator or an effect. */
export type Handler = (payload: unknown, meta: Work) => Step | Iterator<unknown, unknown>

/** A worker as `Worker.make` was given it. */
export interface Definition {
  readonly name: string
  readonly version: string | undefined
  readonly concurrency: number
  readonly events: ReadonlyMap<string, { readonly event: Event.Any; readonly handler: Handler }>
  readonly prepare: ((items: ReadonlyArray<Work>) => Effect.Effect<Context.Context<never>>) | undefined
}

/** What is in force around a batch: read once, from the caller's context. */
export interface Environment {
  readonly context: Context.Context<never>
  readonly clock: Clock.Clock
  readonly journal: Journal["Service"]
  readonly failure: FailurePolicy
  readonly retry: RetryPolicy
  readonly publisher: Publisher | undefined
  readonly sink: Sink | undefined
  readonly readers: ReadonlyArray<Reader>
  readonly refuseMismatch: boolean
  /** Epoch milliseconds from which nothing starts any more. */
  readonly startBy: number
  /** Gives each record a context of its own and takes no eager path: what a replay needs. */
  readonly perRecord: ((delivery: Delivery) => Context.Context<never>) | undefined
}

/** One delivery on its way through the kernel; also what a handler sees as its `meta`. */
export class Work {
  readonly index: number
  readonly delivery: Delivery
  readonly worker: string
  readonly tag: string
  readonly id: string
  readonly payload: unknown
  readonly handler: Handler | undefined
  readonly undecodable: Undecodable | undefined
  readonly correlationId: string
  readonly lane: Lane
  /** How often the handler was called. */
  tried = 0

  constructor(
    lane: Lane,
    index: number,
    delivery: Delivery,
    read:
      | {
          readonly tag: string
          readonly id: string
          readonly payload: unknown
          readonly handler: Handler
          readonly correlationId: string | undefined
        }
      | Undecodable,
    worker: string
  ) {
    this.lane = lane
    this.index = index
    this.delivery = delivery
    this.worker = worker
    if ("handler" in read) {
      this.tag = read.tag
      this.id = read.id
      this.payload = read.payload
      this.handler = read.handler
      this.undecodable = undefined
      this.correlationId = read.correlationId ?? read.id
    } else {
      this.tag = "undecodable"
      this.id = `${delivery.partition}/${delivery.position}`
      this.payload = undefined
      this.handler = undefined
      this.undecodable = read
      this.correlationId = this.id
    }
    lane.works.push(this)
  }

  get attempt(): number {
    return this.delivery.attempt
  }
  get partition(): string {
    return this.delivery.partition
  }
  get position(): string {
    return this.delivery.position
  }
  get arrival(): number {
    return this.delivery.arrival
  }
  get idempotencyKey(): string {
    return `${this.worker}/${this.tag}/${this.id}`
  }
}

/** The deliveries of one key in this batch, and where their lane stands. */
export class Lane {
  readonly key: string
  readonly works: Array<Work> = []
  /** Version of the stream when the batch was opened. */
  expected = 0
  /** Something of this key is parked: what follows waits behind it. */
  parked = false
  /** Something of this key is not settled: what follows may not start. */
  blocked = false
  /** Works that wait for an earlier one of this lane that needs a fiber. */
  waiting: Array<Work> | undefined = undefined
  /** Ids met in this batch; kept only where the lane has several deliveries. */
  ids: Set<string> | undefined = undefined

  constructor(key: string) {
    this.key = key
  }
}

/** One call of `process`: what is known of every delivery so far. */
export class BatchRun {
  readonly definition: Definition
  readonly environment: Environment
  readonly batch: ReadonlyArray<Delivery>
  readonly works: Array<Work> = []
  readonly lanes = new Map<string, Lane>()
  readonly outcomes: Array<Outcome.Outcome | undefined>
  readonly latencies: Array<number>
  readonly startedAt: number
  readonly startedNanos: bigint
  mismatchedKeys = 0
  dropped = 0

  constructor(definition: Definition, environment: Environment, batch: ReadonlyArray<Delivery>) {
    this.definition = definition
    this.environment = environment
    this.batch = batch
    this.outcomes = Array.from({ length: batch.length }, () => undefined)
    this.latencies = Array.from({ length: batch.length }, () => 0)
    this.startedAt = environment.clock.currentTimeMillisUnsafe()
    this.startedNanos = environment.clock.monotonicTimeNanosUnsafe()
  }

  lane(key: string): Lane {
    const found = this.lanes.get(key)
    if (found !== undefined) return found
    const lane = new Lane(key)
    this.lanes.set(key, lane)
    return lane
  }

  /** Milliseconds since the start of the batch. */
  elapsed(): number {
    return Number(this.environment.clock.monotonicTimeNanosUnsafe() - this.startedNanos) / 1e6
  }

  outOfTime(): boolean {
    const { clock, startBy } = this.environment
    return startBy !== Infinity && clock.currentTimeMillisUnsafe() >= startBy
  }

  settle(work: Work, outcome: Outcome.Outcome): void {
    this.outcomes[work.index] = outcome
    if (outcome._tag === "Parked") work.lane.parked = this.environment.journal.durable
  }

  /** Not settled: nothing that follows on this key may start. */
  block(work: Work, outcome: Outcome.Failed | Outcome.Unstarted): void {
    this.outcomes[work.index] = outcome
    work.lane.blocked = true
  }

  /** A lane whose write or publish failed: from `from` on, nothing of it counts as settled. */
  revoke(lane: Lane, outcome: Outcome.Failed, from = 0): void {
    for (const work of lane.works) if (work.index >= from) this.outcomes[work.index] = outcome
  }
}
