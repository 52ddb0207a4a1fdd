import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"

import type { Sink } from "../../DeadLetterSink.ts"
import { reserve } from "../../Deadline.ts"
import type { Delivery } from "../../Delivery.ts"
import type { Envelope } from "../../Envelope.ts"
import type * as Event from "../../Event.ts"
import type { FailurePolicy } from "../../FailurePolicy.ts"
import type { Journal } from "../../Journal.ts"
import * as Outcome from "../../Outcome.ts"
import type { Publisher } from "../../Publisher.ts"
import type { RetryPolicy } from "../../RetryPolicy.ts"
import type * as Step from "../../Step.ts"
import type { Undecodable } from "../../Undecodable.ts"
import type { Reader, WorkerEvent } from "../../WorkerEvent.ts"
import { within } from "./within.ts"

/** Whatever a handler fails with. */
export interface HandlerError {
  readonly retryable?: unknown
}

/** A handler's effect, its own types forgotten: `Worker.make` checked them, the batch's context provides its services. */
export type Running = Effect.Effect<unknown, HandlerError>

/** A handler as the kernel calls it: a generator or an effect. */
export type Handler = (payload: unknown, meta: Work) => Running | Iterator<unknown, unknown>

/** An event a worker handles, and its handler. */
export interface Known {
  readonly event: Event.Any
  readonly handler: Handler
}

/** A worker as `Worker.make` was given it. */
export interface Definition {
  readonly name: string
  readonly version: string | undefined
  readonly concurrency: number
  readonly events: ReadonlyMap<string, Known>
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
}

/**
 * One delivery on its way through the kernel; also what a handler sees as its `meta`. One small object a record: what can
 * be derived is a getter.
 */
export class Work implements Step.Recorder {
  readonly run: BatchRun
  readonly lane: Lane
  readonly index: number
  readonly id: string
  readonly payload: unknown
  /** `undefined` when the delivery can't be read; then `undecodable` says why. */
  readonly known: Known | undefined
  readonly undecodable: Undecodable | undefined
  readonly correlation: string | undefined
  /** Version of the payload as it came; `undefined` when it can't be read. */
  readonly version: number | undefined
  /** How often the handler was called. */
  tried = 0
  /** `prepare` is still fetching for it. */
  fetching = false
  /** With a journal: what the handler returned, as it is written. */
  emitted: ReadonlyArray<Envelope> = nothingEmitted
  /** What the steps of this run of the handler came to. */
  recorded: Record<string, Step.Result> | undefined = undefined
  /** In a replay: what the steps of the recorded run came to. */
  replayed: { readonly [name: string]: unknown } | undefined = undefined

  constructor(
    run: BatchRun,
    lane: Lane,
    index: number,
    id: string,
    read: Known | Undecodable,
    payload: unknown,
    envelope: Envelope | undefined
  ) {
    this.run = run
    this.lane = lane
    this.index = index
    this.id = id
    this.payload = payload
    this.known = "handler" in read ? read : undefined
    this.undecodable = "handler" in read ? undefined : read
    this.correlation = envelope?.correlationId
    this.version = envelope?.version
    if (lane.works === none) lane.works = [this]
    else lane.works.push(this)
  }

  get tag(): string {
    return this.known === undefined ? "undecodable" : this.known.event.tag
  }
  get delivery(): Delivery {
    return this.run.batch[this.index] as Delivery
  }
  get worker(): string {
    return this.run.definition.name
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
  get correlationId(): string {
    return this.correlation ?? this.id
  }
  get idempotencyKey(): string {
    return `${this.worker}/${this.tag}/${this.id}`
  }
  get steps(): Step.Recorder | undefined {
    return this.run.environment.journal.durable ? this : undefined
  }
  /** A retry begins anew: what counts are the steps of the run that decided. */
  begin(): void {
    this.tried += 1
    this.recorded = undefined
  }
  recall(name: string): ReturnType<Step.Recorder["recall"]> {
    if (this.replayed === undefined) return "run"
    const known = this.placeOf(name)
    const result = Object.hasOwn(this.replayed, known) ? (this.replayed[known] as Step.Result) : undefined
    if (result === undefined) return { missing: `the recorded run has no step ${JSON.stringify(known)}` }
    this.record(name, result)
    return result
  }
  record(name: string, result: Step.Result): void {
    const place = this.placeOf(name)
    this.recorded ??= Object.create(null) as Record<string, Step.Result>
    this.recorded[place] = result
  }
  /** The second use of a name in one run is another step. */
  private placeOf(name: string): string {
    if (this.recorded === undefined || !(name in this.recorded)) return name
    let place = 2
    while (`${name}#${place}` in this.recorded) place += 1
    return `${name}#${place}`
  }
}

const none: Array<Work> = []

const nothingEmitted: ReadonlyArray<Envelope> = []

/** The deliveries of one key in this batch, and where their lane stands. */
export class Lane {
  readonly key: string
  /** Most lanes hold one work: an array made with it has room for one, one that grows has room for seventeen. */
  works: Array<Work> = none
  /** Version of the stream when the batch was opened. */
  expected = 0
  /** Something of this key is parked: what follows waits behind it. */
  parked = false
  /** How many events of this key wait parked. */
  letters = 0
  /** How many entries of this key wait to be published. */
  unpublished = 0
  /** Something of this key is not settled: what follows may not start. */
  blocked = false
  /** One of its works waits for its data. */
  fetching = false
  /** Works that wait for an earlier one of this lane that needs a fiber. */
  waiting: Array<Work> | undefined = undefined
  /** Ids met in this batch; kept only where the lane has several deliveries. */
  ids: Set<string> | undefined = undefined

  constructor(key: string) {
    this.key = key
  }
}

/** A committed entry and the envelopes it emitted. */
export interface Held {
  readonly position: number
  readonly envelopes: ReadonlyArray<Envelope>
}

const full = Outcome.failed(
  Cause.fail({
    _tag: "DeadLettersFull",
    message: "too many events wait parked: redrive or discard some",
    retryable: true
  }),
  true
)

/** Milliseconds of the reserve that are the commit's. */
const commitShare = 100

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
  /** Positions of the parked entries that this batch redrives, each belonging to the delivery at its place. */
  readonly redrives: ReadonlyArray<number> | undefined
  /** Entries of this batch whose events are this run's to publish. */
  readonly held: Array<Held> = []
  /** Events of the worker that wait parked, over all its keys. */
  letters = 0
  /** Entries of the worker that wait to be published and that nobody holds. */
  unpublished = 0
  undecodable = 0
  mismatchedKeys = 0
  dropped = 0

  constructor(
    definition: Definition,
    environment: Environment,
    batch: ReadonlyArray<Delivery>,
    redrives?: ReadonlyArray<number>
  ) {
    this.definition = definition
    this.environment = environment
    this.batch = batch
    this.redrives = redrives
    this.outcomes = batch.map(() => undefined)
    this.latencies = batch.map(() => 0)
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

  /** Bounds what may go on only while something may still start: none when it was cut off. */
  untilStartBy<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<Option.Option<A>, E, R> {
    const { clock, startBy } = this.environment
    return startBy === Infinity ? Effect.map(self, Option.some) : within(self, clock, startBy)
  }

  /** Bounds what must be over before the deadline itself: `undefined` when it is not. Leaves time for the commit. */
  beforeDeadline<A, E, R>(self: Effect.Effect<A, E, R>): Effect.Effect<A | undefined, E, R> {
    const { clock, startBy } = this.environment
    if (startBy === Infinity) return self
    const left = startBy + reserve - commitShare - clock.currentTimeMillisUnsafe()
    return Effect.map(Effect.timeoutOption(self, Math.max(0, left)), Option.getOrUndefined)
  }

  outOfTime(): boolean {
    const { clock, startBy } = this.environment
    return startBy !== Infinity && clock.currentTimeMillisUnsafe() >= startBy
  }

  tell(event: WorkerEvent): void {
    for (const reader of this.environment.readers) reader.onEvent(event)
  }

  settle(work: Work, outcome: Outcome.Outcome): void {
    this.outcomes[work.index] = outcome
    if (outcome._tag === "Parked") work.lane.parked = this.environment.journal.durable
  }

  /** It waits in the journal, with what follows on its key; where the dead letters are full the key halts instead. */
  park(work: Work, outcome: Outcome.Parked): void {
    const { maxParked, maxParkedPerKey } = this.environment.failure
    if (this.redrives === undefined) {
      if (work.lane.letters >= maxParkedPerKey || this.letters >= maxParked) return this.block(work, full)
      work.lane.letters += 1
      this.letters += 1
    }
    this.settle(work, outcome)
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
