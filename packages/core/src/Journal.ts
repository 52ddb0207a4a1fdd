/**
 * The append-only log of outcomes, batch first: one read before a batch, one write after it.
 *
 * **Guarantees.** A stream is one (namespace, worker, key). Its versions are 1, 2, 3, … without gaps; a lane commits whole
 * or, when its stream moved since it was opened, not at all (`conflict`), and conflicts alone. A delivery is recorded
 * once per (namespace, worker, key, type, id). Positions grow in commit order.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type * as Envelope from "./Envelope.ts"
import * as MemoryJournal from "./internal/memoryJournal.ts"
import type * as Outcome from "./Outcome.ts"

/**
 * The journal could not read or write.
 *
 * @category errors
 * @since 0.1.0
 */
export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  operation: Schema.Literals(["open", "commit", "read"]),
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * Names one delivery of a lane.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeliveryId {
  readonly type: string
  readonly id: string
}

/**
 * A lane about to be worked on.
 *
 * @category models
 * @since 0.1.0
 */
export interface LaneRequest {
  readonly key: string
  readonly deliveries: ReadonlyArray<DeliveryId>
}

/**
 * What the journal knows of a lane.
 *
 * @category models
 * @since 0.1.0
 */
export interface Head {
  /** Version of the stream's last entry; 0 where there is none. */
  readonly version: number
  /** How many entries of the stream are parked and not resolved. */
  readonly parked: number
  /** `known[i]` is the latest outcome of `deliveries[i]`, where it has one; `undefined` where none has. */
  readonly known: ReadonlyArray<JournaledOutcome | undefined> | undefined
}

/**
 * An outcome that is recorded.
 *
 * @category models
 * @since 0.1.0
 */
export type JournaledOutcome =
  | { readonly _tag: "Handled"; readonly emitted: ReadonlyArray<Envelope.Envelope> }
  | Outcome.Skipped
  | Outcome.Parked

/**
 * An entry to append.
 *
 * @category models
 * @since 0.1.0
 */
export interface Draft extends DeliveryId {
  readonly source: { readonly partition: string; readonly position: string }
  /** The envelope as it was delivered. */
  readonly bytes: Uint8Array
  readonly outcome: JournaledOutcome
  readonly attempts: number
  /** Milliseconds from the start of the batch to this outcome. */
  readonly duration: number
  readonly workerVersion: string | undefined
  /** Results of non-deterministic steps, by name: what a replay answers them with. */
  readonly steps?: { readonly [name: string]: unknown }
  /** Position of the parked entry that this one redrives or discards. */
  readonly resolves?: number
}

/**
 * A recorded entry.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry extends Draft {
  /** Place in the whole journal, from 1. */
  readonly position: number
  readonly worker: string
  readonly key: string
  /** Place in the stream, from 1. */
  readonly version: number
  /** Epoch milliseconds of the commit. */
  readonly at: number
}

/**
 * The entries of one lane to append, if its stream is still at `expected`.
 *
 * @category models
 * @since 0.1.0
 */
export interface LaneCommit {
  readonly key: string
  readonly expected: number
  readonly entries: ReadonlyArray<Draft>
}

/**
 * What to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly worker?: string | undefined
  readonly keys?: ReadonlyArray<string> | undefined
}

/**
 * A journal.
 *
 * @category services
 * @since 0.1.0
 */
export class Journal extends Context.Service<
  Journal,
  {
    /** `false` for {@link layerNone}: nothing is remembered. */
    readonly durable: boolean
    /** One read. The head at `i` belongs to `lanes[i]`. */
    readonly open: (
      worker: string,
      lanes: ReadonlyArray<LaneRequest>
    ) => Effect.Effect<ReadonlyArray<Head>, JournalError>
    /** One write. The verdict at `i` belongs to `lanes[i]`. */
    readonly commit: (
      worker: string,
      lanes: ReadonlyArray<LaneCommit>
    ) => Effect.Effect<ReadonlyArray<"ok" | "conflict">, JournalError>
    /** Entries after `from` (a position; 0 for all), in commit order, up to now. */
    readonly read: (from: number, filter?: Filter) => Stream.Stream<Entry, JournalError>
    /** As `read`, then what is committed from now on. */
    readonly subscribe: (from: number, filter?: Filter) => Stream.Stream<Entry, JournalError>
  }
>()("@leat/core/Journal") {}

/**
 * A journal in this process: the reference implementation, gone when the process ends.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory: Layer.Layer<Journal> = Layer.effect(
  Journal,
  Effect.map(Clock.Clock, (clock) => {
    const memory = MemoryJournal.make()
    return Journal.of({
      durable: true,
      open: (worker, lanes) => Effect.sync(() => lanes.map((lane) => memory.open(worker, lane))),
      commit: (worker, lanes) =>
        Effect.sync(() => {
          const verdicts = lanes.map((lane) => memory.commit(worker, lane, clock.currentTimeMillisUnsafe()))
          memory.wake()
          return verdicts
        }),
      read: (from, filter) => Stream.suspend(() => Stream.fromIterable(memory.after(from, filter))),
      subscribe: (from, filter) => follow(memory, from, filter)
    })
  })
)

const follow = (memory: MemoryJournal.MemoryJournal, from: number, filter: Filter | undefined) =>
  Stream.unfold(from, (cursor) =>
    Effect.map(memory.moved(cursor), (last) => [memory.after(cursor, filter), last] as const)
  ).pipe(Stream.flattenIterable)

/**
 * No journal: nothing is remembered. Parking becomes halting, a redelivery runs again; see DESIGN §5.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<Journal> = Layer.succeed(Journal, {
  durable: false,
  open: () => Effect.succeed([]),
  commit: (_worker, lanes) => Effect.sync(() => lanes.map(() => "ok" as const)),
  read: () => Stream.empty,
  subscribe: () => Stream.never
})
