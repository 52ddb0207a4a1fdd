/**
 * A worker is `Event → Effect<Event[]>`: named handlers, and the kernel that runs them over batches.
 *
 * **Guarantees.** Deliveries of one key are handled one after the other, in order, also across concurrent calls of
 * `process` on one instance. A delivery is settled only when its outcome is journaled; without a journal, when its
 * handler succeeded and its events were published, or when its dead letter was accepted. One failure stops one lane.
 * What can't be read never blocks a partition that has a journal or a dead-letter sink. Nothing starts after the
 * deadline less {@link "./Deadline.ts".reserve}.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import * as Codec from "./Codec.ts"
import { DeadLetterSink } from "./DeadLetterSink.ts"
import * as Deadline from "./Deadline.ts"
import type { Delivery } from "./Delivery.ts"
import type * as Event from "./Event.ts"
import { FailurePolicy } from "./FailurePolicy.ts"
import type { Definition, Environment, Handler } from "./internal/kernel/BatchRun.ts"
import { BatchRun } from "./internal/kernel/BatchRun.ts"
import { commit } from "./internal/kernel/commit.ts"
import { decode } from "./internal/kernel/decode.ts"
import { handle } from "./internal/kernel/handle.ts"
import * as KeyedTurns from "./internal/kernel/KeyedTurns.ts"
import { open } from "./internal/kernel/open.ts"
import { publish } from "./internal/kernel/publish.ts"
import { relay } from "./internal/kernel/relay.ts"
import { rerun } from "./internal/kernel/rerun.ts"
import type { Rerun } from "./internal/kernel/rerun.ts"
import { Journal, none } from "./Journal.ts"
import type { Entry, JournalError } from "./Journal.ts"
import { KeyMismatch } from "./Lanes.ts"
import * as Outcome from "./Outcome.ts"
import { Publisher } from "./Publisher.ts"
import { HandlerRetry } from "./RetryPolicy.ts"
import type * as Step from "./Step.ts"
import { Readers } from "./WorkerEvent.ts"

/**
 * Named handlers over batches of deliveries.
 *
 * @category models
 * @since 0.1.0
 */
export interface Worker<out R> {
  readonly name: string
  readonly events: ReadonlyArray<Event.Any>
  /** Reads its deliveries where no other codec is in force. */
  readonly codec: Codec.Codec
  /**
   * The only way in. One partition a batch, called serially per partition; calls that share a key take turns. Fails only
   * when the journal does.
   */
  readonly process: (
    batch: ReadonlyArray<Delivery>,
    options?: ProcessOptions
  ) => Effect.Effect<Outcome.BatchResult, JournalError, R | Journal>
  /** The lane of a delivery by today's code. */
  readonly locate: (delivery: Delivery) => Effect.Effect<Location>
  /**
   * Runs the handlers over recorded entries, one after the other and each as if it were alone, and writes nothing: steps are
   * answered from the record, the clock stands at the commit of the entry, random numbers are drawn from a seed of its own.
   */
  readonly rerun: (entries: ReadonlyArray<Entry>) => Effect.Effect<ReadonlyArray<Rerun>, never, R>
}

/**
 * Where a delivery belongs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Location {
  readonly key: string
  /** Why it can't be read; then the key may be a lane of its own. */
  readonly unreadable: string | undefined
}

/**
 * How one batch is processed.
 *
 * @category models
 * @since 0.1.0
 */
export interface ProcessOptions {
  /** Reads this batch; default: the codec in force, else the worker's own. */
  readonly codec?: Codec.Codec | undefined
  /**
   * The batch is parked entries of one key, from its head, and these are their positions: they run in spite of being parked,
   * and what comes of them resolves them. See `DeadLetters.redrive`.
   */
  readonly redrives?: ReadonlyArray<number> | undefined
}

/**
 * What a handler knows of the delivery besides its payload.
 *
 * @category models
 * @since 0.1.0
 */
export interface Meta {
  /** Id of the event. */
  readonly id: string
  readonly attempt: number
  readonly partition: string
  readonly position: string
  /** Epoch milliseconds. */
  readonly arrival: number
  readonly correlationId: string
  /** The same for every run of this worker over this event: hand it to what you call. */
  readonly idempotencyKey: string
  /** Where `Step.run` keeps results for a replay; `undefined` without a journal. */
  readonly steps: Step.Recorder | undefined
}

/**
 * What a handler may return: nothing, an event or several; the outbox.
 *
 * @category models
 * @since 0.1.0
 */
// oxlint-disable-next-line typescript/no-invalid-void-type -- a handler that returns nothing is the usual one
export type Reply = void | Event.Emitted | ReadonlyArray<Event.Emitted>

/* oxlint-disable typescript/no-explicit-any -- inference over a handler's own error and context types */
type Body = Effect.Effect<Reply, any, any> | Generator<any, Reply, any>

/**
 * One handler for each event: a generator method `*Tag(payload, meta)` or a function that returns an effect.
 *
 * @category models
 * @since 0.1.0
 */
export type Handlers<Events extends ReadonlyArray<Event.Any>> = {
  readonly [E in Events[number] as E["tag"]]: (payload: Event.Payload<E>, meta: Meta) => Body
}

/**
 * One decoded event of a batch, as `prepare` sees it.
 *
 * @category models
 * @since 0.1.0
 */
export type Item<Events extends ReadonlyArray<Event.Any>> = {
  [I in keyof Events]: {
    readonly tag: Events[I]["tag"]
    readonly id: string
    readonly payload: Event.Payload<Events[I]>
  }
}[number]

type ServicesOf<T> =
  T extends Effect.Effect<any, any, infer R>
    ? R
    : T extends Generator<infer Y, any, any>
      ? Y extends Effect.Effect<any, any, infer R>
        ? R
        : never
      : never

/**
 * What the handlers of a worker need.
 *
 * @category models
 * @since 0.1.0
 */
export type HandlerServices<H> = {
  [K in keyof H]: H[K] extends (...args: any) => infer T ? ServicesOf<T> : never
}[keyof H]
/* oxlint-enable typescript/no-explicit-any */

/**
 * Defines a worker.
 *
 * **Details**
 *
 * `prepare` runs once a batch, before the handlers: one read for all of them. It gives services that shadow the
 * application's for this batch alone; its scope closes before the commit, which is where gathered writes go out. It
 * can't fail: what it couldn't fetch, handlers fetch.
 *
 * **Gotchas**
 *
 * Write handlers as generator methods or arrow functions: a handler written as `Effect.fnUntraced(function* (p) …)` in
 * the object literal gets its payload as `any`.
 *
 * **Example** (Ten lines)
 *
 * ```ts
 * import * as Delivery from "@leat/core/Delivery"
 * import * as Event from "@leat/core/Event"
 * import * as Journal from "@leat/core/Journal"
 * import * as Worker from "@leat/core/Worker"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Greeted = Event.make("Greeted", {
 *   payload: Schema.Struct({ name: Schema.String }),
 *   key: (payload) => payload.name,
 *   id: (payload) => payload.name
 * })
 * const greeted: Array<string> = []
 * const greeter = Worker.make("greeter", {
 *   events: [Greeted],
 *   handle: {
 *     *Greeted(payload) {
 *       yield* Effect.sync(() => greeted.push(payload.name))
 *     }
 *   }
 * })
 * const batch = [Delivery.make({ position: "1", bytes: '{"name":"ann"}' })]
 * const result = await Effect.runPromise(Effect.provide(greeter.process(batch), Journal.layerMemory))
 *
 * result.settledPrefix // => 1
 * greeted // => ["ann"]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = <
  const Events extends ReadonlyArray<Event.Any>,
  const H extends Handlers<Events>,
  Prepared = never,
  PrepareServices = never
>(
  name: string,
  options: {
    readonly events: Events
    readonly prepare?: (
      items: ReadonlyArray<Item<Events>>
    ) => Effect.Effect<Context.Context<Prepared>, never, PrepareServices>
    readonly handle: H
    /** The wire format where none is in force. Default: see {@link Codec.Wire}. */
    readonly codec?: Codec.Codec | undefined
    /** Recorded with every outcome, so that a replay can say which code decided. */
    readonly version?: string | undefined
    /** Lanes that run at once when they need fibers. Default 100: a Lambda batch, an undici pool. */
    readonly concurrency?: number | undefined
  }
): Worker<HandlerServices<H> | Exclude<PrepareServices, Scope.Scope>> => {
  const definition = define(name, options)
  const codec = options.codec ?? defaultCodec(options.events)
  const turns = KeyedTurns.make()

  const process = Effect.fnUntraced(function* (batch: ReadonlyArray<Delivery>, processOptions?: ProcessOptions) {
    const environment = yield* environmentOf
    const run = new BatchRun(definition, environment, batch, processOptions?.redrives)
    decode(run, processOptions?.codec ?? Context.get(environment.context, Codec.Wire) ?? codec)
    return yield* turns.take(
      run.lanes,
      Effect.tapError(stages(run), (error) => Effect.sync(() => abort(run, error)))
    )
  })

  // The kernel forgets the services of handlers; `make`'s signature is where they are known.
  return {
    name,
    events: options.events,
    codec,
    process,
    locate: (delivery) =>
      Effect.map(Effect.provide(environmentOf, Context.make(Journal, blank)), (environment) => {
        const run = new BatchRun(definition, environment, [delivery])
        decode(run, Context.get(environment.context, Codec.Wire) ?? codec)
        const [work] = run.works
        return { key: work?.lane.key ?? "", unreadable: work?.undecodable?.message }
      }),
    rerun: (entries) =>
      Effect.flatMap(Effect.provide(environmentOf, Context.make(Journal, blank)), (environment) =>
        rerun(definition, environment, Context.get(environment.context, Codec.Wire) ?? codec, entries)
      )
  }
}

const define = (
  name: string,
  options: {
    readonly events: ReadonlyArray<Event.Any>
    readonly handle: object
    readonly prepare?: unknown
    readonly version?: string | undefined
    readonly concurrency?: number | undefined
  }
): Definition => ({
  name,
  version: options.version,
  concurrency: options.concurrency ?? 100,
  events: new Map(
    options.events.map((event) => [
      event.tag,
      { event, handler: (options.handle as { readonly [tag: string]: Handler })[event.tag] as Handler }
    ])
  ),
  prepare: options.prepare as Definition["prepare"]
})

const defaultCodec = (events: ReadonlyArray<Event.Any>): Codec.Codec => {
  const [first, ...others] = events
  return first !== undefined && others.length === 0 ? Codec.jsonOrCloudEvents(first) : Codec.cloudEvents()
}

const environmentOf: Effect.Effect<Environment, never, Journal> = Effect.map(Effect.context<Journal>(), (context) => {
  const journal = Context.get(context, Journal)
  return {
    context,
    clock: Context.get(context, Clock.Clock),
    journal,
    failure: Context.get(context, FailurePolicy),
    retry: Context.get(context, HandlerRetry),
    publisher: Context.get(context, Publisher),
    sink: journal.durable ? undefined : Context.get(context, DeadLetterSink),
    readers: Context.get(context, Readers),
    refuseMismatch: Context.get(context, KeyMismatch) === "refuse",
    startBy: Context.get(context, Deadline.Deadline) - Deadline.reserve
  }
})

/** For runs that write nothing: it parks and records steps as a durable one, and is never asked. */
const blank = Journal.of({ ...none, durable: true })

// Defined once, here and wherever a batch or a record passes: V8 keeps a hidden class in old space for every closure of a
// generator function, and with it all that the closure sees. Made anew for each batch, they had a third of a batch survive
// every minor collection, which doubled its cost.
const stages = Effect.fnUntraced(function* (run: BatchRun) {
  yield* open(run)
  yield* handle(run)
  yield* publish(run)
  yield* commit(run)
  yield* relay(run)
  return finish(run)
})

const finish = (run: BatchRun): Outcome.BatchResult => {
  for (let index = 0; index < run.outcomes.length; index++) run.outcomes[index] ??= Outcome.unstarted
  const result = Outcome.result(run.outcomes as ReadonlyArray<Outcome.Outcome>)
  if (run.environment.readers.length > 0) {
    run.tell({
      _tag: "BatchFinished",
      worker: run.definition.name,
      batch: run.batch,
      result,
      payload: (index) => run.works[index]?.payload,
      startedAt: run.startedAt,
      latencies: run.latencies,
      duration: run.elapsed(),
      mismatchedKeys: run.mismatchedKeys,
      dropped: run.dropped
    })
  }
  return result
}

const abort = (run: BatchRun, error: JournalError): void =>
  run.tell({ _tag: "BatchAborted", worker: run.definition.name, batch: run.batch, error })
