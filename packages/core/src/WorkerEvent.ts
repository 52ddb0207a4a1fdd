/**
 * What a worker did, as a closed union: metrics, logs, spans and the live page read it. One event a batch on the good
 * path, nothing per record.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type * as Delivery from "./Delivery.ts"
import type * as Journal from "./Journal.ts"
import type * as Outcome from "./Outcome.ts"

/**
 * A batch ended with a result.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchFinished {
  readonly _tag: "BatchFinished"
  readonly worker: string
  readonly batch: ReadonlyArray<Delivery.Delivery>
  readonly result: Outcome.BatchResult
  /** The decoded payload of `batch[index]`, `undefined` where it could not be decoded. */
  readonly payload: (index: number) => unknown
  /** Epoch milliseconds at the start of the batch. */
  readonly startedAt: number
  /** Milliseconds from the start of the batch to each record's outcome. */
  readonly latencies: ReadonlyArray<number>
  /** Milliseconds the whole batch took. */
  readonly duration: number
  /** Deliveries whose wire partition key was not the one their payload asks for. */
  readonly mismatchedKeys: number
  /** Emitted events that were dropped for want of a publisher. */
  readonly dropped: number
}

/**
 * A batch ended without a result: the journal failed.
 *
 * @category models
 * @since 0.1.0
 */
export interface BatchAborted {
  readonly _tag: "BatchAborted"
  readonly worker: string
  readonly batch: ReadonlyArray<Delivery.Delivery>
  readonly error: Journal.JournalError
}

/**
 * The scope of a `prepare` did not close in time or died; what it gathered may not be written.
 *
 * @category models
 * @since 0.1.0
 */
export interface FlushFailed {
  readonly _tag: "FlushFailed"
  readonly worker: string
  readonly reason: string
}

/**
 * A `prepare` died; handlers fetched for themselves.
 *
 * @category models
 * @since 0.1.0
 */
export interface PrepareFailed {
  readonly _tag: "PrepareFailed"
  readonly worker: string
  readonly reason: string
}

/**
 * A handler is tried again.
 *
 * @category models
 * @since 0.1.0
 */
export interface HandlerRetried {
  readonly _tag: "HandlerRetried"
  readonly worker: string
  readonly delivery: Delivery.Delivery
  readonly attempt: number
}

/**
 * Committed events could not be published now; they wait in the outbox.
 *
 * @category models
 * @since 0.1.0
 */
export interface RelayFailed {
  readonly _tag: "RelayFailed"
  readonly worker: string
  readonly reason: string
}

/**
 * What a worker did.
 *
 * @category models
 * @since 0.1.0
 */
export type WorkerEvent = BatchFinished | BatchAborted | PrepareFailed | FlushFailed | HandlerRetried | RelayFailed

/**
 * Reads what workers do.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reader {
  /** Called in the worker's own turn: must be quick and must not throw. */
  readonly onEvent: (event: WorkerEvent) => void
  /** Writes out what is held back. A Lambda runs it before every response. */
  readonly flush: Effect.Effect<void>
}

/**
 * The readers in force; none by default.
 *
 * @category references
 * @since 0.1.0
 */
export const Readers: Context.Reference<ReadonlyArray<Reader>> = Context.Reference<ReadonlyArray<Reader>>(
  "@leat/core/WorkerEvent/Readers",
  { defaultValue: () => [] }
)

/**
 * Adds a reader to those in force.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(make: Effect.Effect<Reader, E, R>): Layer.Layer<never, E, R> =>
  Layer.effect(
    Readers,
    Effect.gen(function* () {
      return [...(yield* Readers), yield* make]
    })
  )

/**
 * Flushes every reader.
 *
 * @category combinators
 * @since 0.1.0
 */
export const flush: Effect.Effect<void> = Effect.flatMap(Readers, (readers) =>
  Effect.forEach(readers, (reader) => reader.flush, { discard: true })
)
