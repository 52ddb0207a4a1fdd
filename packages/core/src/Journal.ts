/**
 * The append-only log of outcomes, batch first: one read before a batch, one write after it.
 *
 * **Guarantees.** A stream is one (namespace, worker, key). Its versions are 1, 2, 3, … without gaps; a lane commits whole
 * or, when its stream moved since it was opened, not at all (`conflict`), and conflicts alone. A delivery is recorded
 * once per (namespace, worker, key, type, id): what comes of it later is a *resolution*, an entry that points at it.
 * Positions grow in commit order and without gaps in a namespace, so a reader that has seen a position has seen all before
 * it. What waits parked, what waits to be published and what a projection has not folded is never pruned.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type * as Delivery from "./Delivery.ts"
import type * as Envelope from "./Envelope.ts"
import * as MemoryJournal from "./internal/memoryJournal.ts"
import type * as Outcome from "./Outcome.ts"
import * as Projection from "./Projection.ts"
import type { ViewStore } from "./View.ts"

/**
 * The journal could not read or write.
 *
 * **Details**
 *
 * `Unavailable`: the store can't be reached or is busy, try again. `Refused`: it doesn't let this program in, or its
 * address is wrong. `Incompatible`: its tables were written by a newer program. `Corrupt`: an entry can't be read back.
 * `NoJournal`: {@link layerNone} remembers nothing.
 *
 * @category errors
 * @since 0.1.0
 */
export class JournalError extends Schema.TaggedError<JournalError>()("JournalError", {
  operation: Schema.Literals(["connect", "open", "commit", "read", "parked", "outbox", "view", "prune"]),
  reason: Schema.Literals(["Unavailable", "Refused", "Incompatible", "Corrupt", "NoJournal"]),
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
  /** How many entries of the stream have events that wait to be published. */
  readonly unpublished: number
  /** `known[i]` is the latest outcome of `deliveries[i]`, where it has one; `undefined` where none has. */
  readonly known: ReadonlyArray<JournaledOutcome | undefined> | undefined
}

/**
 * What one read before a batch tells.
 *
 * @category models
 * @since 0.1.0
 */
export interface Opened {
  /** `heads[i]` belongs to the lane at `i`. */
  readonly heads: ReadonlyArray<Head>
  /** Parked entries of the worker, over all its keys. */
  readonly parked: number
  /** Entries of the worker whose events wait to be published and that nobody holds. */
  readonly unpublished: number
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
 * Where a delivery came from: enough to deliver its bytes again.
 *
 * @category models
 * @since 0.1.0
 */
export type Source = Pick<Delivery.Delivery, "partition" | "position" | "partitionKey" | "arrival" | "fault">

/**
 * An entry to append.
 *
 * @category models
 * @since 0.1.0
 */
export interface Draft extends DeliveryId {
  /** Version of the payload, as it was read; `undefined` for what could not be. */
  readonly eventVersion?: number | undefined
  readonly source: Source
  /** The envelope as it was delivered. */
  readonly bytes: Uint8Array
  readonly outcome: JournaledOutcome
  /** How often the handler was called; 0 for what never began: it waits behind another, can't be read, was discarded. */
  readonly attempts: number
  /** Milliseconds from the start of the batch to this outcome. */
  readonly duration: number
  readonly workerVersion: string | undefined
  /** Results of non-deterministic steps, by name: what a replay answers them with. Pure JSON. */
  readonly steps?: { readonly [name: string]: unknown } | undefined
  /** Position of the entry that this one is a later outcome of: a redrive, a discard, a correction. */
  readonly resolves?: number | undefined
}

/**
 * A recorded entry.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry extends Draft {
  /** Place in the namespace, from 1. */
  readonly position: number
  readonly worker: string
  readonly key: string
  /** Place in the stream, from 1. */
  readonly version: number
  /** Epoch milliseconds of the commit. */
  readonly at: number
  /** Its bytes, steps and emitted events were dropped by a pruning; its outcome is still known. */
  readonly compacted: boolean
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
  /**
   * What becomes of emitted events. `hold`: they wait in the outbox, for the committer alone until {@link outboxHold} has
   * passed. `leave`: they wait for any relay. Left out: nobody publishes them.
   */
  readonly outbox?: "hold" | "leave" | undefined
}

/**
 * What became of a lane's commit: the position of its first entry, which the others follow, or a conflict.
 *
 * @category models
 * @since 0.1.0
 */
export type Verdict = { readonly position: number } | "conflict"

/**
 * What to read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Filter {
  readonly worker?: string | undefined
  readonly keys?: ReadonlyArray<string> | undefined
  /** Epoch milliseconds: only what was committed then or later. */
  readonly since?: number | undefined
}

/**
 * Which parked entries to give.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParkedFilter {
  readonly key?: string | undefined
  /** Only entries after this position. Default 0. */
  readonly after?: number | undefined
  /** Default 100. */
  readonly limit?: number | undefined
}

/**
 * Entries whose events are committed and not yet published.
 *
 * @category models
 * @since 0.1.0
 */
export interface Outbox {
  /**
   * Takes entries that wait, at most `limit` (default 100), of streams of which nobody holds an entry: the oldest first, and
   * streams that were given back after those that were not tried. They are the caller's for {@link outboxHold}: one relay a
   * stream at a time. In order of position.
   */
  readonly claim: (worker: string, limit?: number) => Effect.Effect<ReadonlyArray<Entry>, JournalError>
  /** Takes published entries out of the outbox and gives the others back, so that any relay may take them. */
  readonly settle: (
    worker: string,
    positions: { readonly published: ReadonlyArray<number>; readonly returned: ReadonlyArray<number> }
  ) => Effect.Effect<void, JournalError>
}

/**
 * Milliseconds that claimed entries of the outbox are their claimer's. A relay publishes under a deadline that is sooner.
 *
 * @category constants
 * @since 0.1.0
 */
export const outboxHold = 15_000

/**
 * What may go, in epoch milliseconds of the commit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Cutoffs {
  /** Entries older than this lose bytes, steps and emitted events; their outcomes stay known. */
  readonly compactBefore?: number | undefined
  /** Entries older than this are forgotten: the same id later is a new delivery. Streams keep their versions. */
  readonly forgetBefore?: number | undefined
}

/**
 * How many entries a pruning changed.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pruned {
  readonly compacted: number
  readonly forgotten: number
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
    /** One read. */
    readonly open: (worker: string, lanes: ReadonlyArray<LaneRequest>) => Effect.Effect<Opened, JournalError>
    /**
     * One write, in one transaction. The verdict at `i` belongs to `lanes[i]`; lanes have different keys. A lane that
     * records a delivery which is recorded already, or twice, is a conflict.
     */
    readonly commit: (
      worker: string,
      lanes: ReadonlyArray<LaneCommit>
    ) => Effect.Effect<ReadonlyArray<Verdict>, JournalError>
    /** Entries after `from` (a position; 0 for all), in commit order, up to now. */
    readonly read: (from: number, filter?: Filter) => Stream.Stream<Entry, JournalError>
    /** As `read`, then what is committed from now on. */
    readonly subscribe: (from: number, filter?: Filter) => Stream.Stream<Entry, JournalError>
    /** Entries that are parked and not resolved, in order of position. */
    readonly parked: (worker: string, filter?: ParkedFilter) => Effect.Effect<ReadonlyArray<Entry>, JournalError>
    readonly outbox: Outbox
    readonly views: ViewStore
    /** Removes what is old and needed by nothing. */
    readonly prune: (cutoffs: Cutoffs) => Effect.Effect<Pruned, JournalError>
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
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const memory = MemoryJournal.make(yield* Projection.Inline, outboxHold)
    const now = () => clock.currentTimeMillisUnsafe()
    return Journal.of({
      durable: true,
      open: (worker, lanes) => Effect.sync(() => memory.open(worker, lanes, now())),
      commit: (worker, lanes) => Effect.sync(() => memory.commit(worker, lanes, now())),
      read: (from, filter) => pages(memory, from, filter),
      subscribe: (from, filter) => follow(memory, from, filter),
      parked: (worker, filter) => Effect.sync(() => memory.parked(worker, filter)),
      outbox: {
        claim: (worker, limit) => Effect.sync(() => memory.claim(worker, limit ?? 100, now())),
        settle: (worker, { published, returned }) =>
          Effect.sync(() => memory.settle(worker, published, returned, now()))
      },
      views: memory.views,
      prune: (cutoffs) => Effect.sync(() => memory.prune(cutoffs))
    })
  })
)

/** Page by page, so that a reader of a million entries doesn't hold them twice. */
const pages = (memory: MemoryJournal.MemoryJournal, from: number, filter: Filter | undefined) =>
  Stream.suspend(() => {
    const end = memory.last()
    return Stream.unfold(from, (cursor) =>
      Effect.sync(() => (cursor >= end ? undefined : memory.page(cursor, end, filter)))
    ).pipe(Stream.flattenIterable)
  })

const follow = (memory: MemoryJournal.MemoryJournal, from: number, filter: Filter | undefined) =>
  Stream.unfold(from, (cursor) => Effect.map(memory.moved(cursor), (last) => memory.page(cursor, last, filter))).pipe(
    Stream.flattenIterable
  )

const noJournal = Effect.fail(
  new JournalError({
    operation: "read",
    reason: "NoJournal",
    message: "this program keeps no journal: nothing is parked, projected or published later",
    retryable: false
  })
)

/**
 * No journal: nothing is remembered. Parking becomes halting, a redelivery runs again.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: Journal["Service"] = {
  durable: false,
  open: () => Effect.succeed({ heads: [], parked: 0, unpublished: 0 }),
  commit: (_worker, lanes) => Effect.sync(() => lanes.map(() => ({ position: 0 }))),
  read: () => Stream.empty,
  subscribe: () => Stream.never,
  parked: () => noJournal,
  outbox: { claim: () => noJournal, settle: () => noJournal },
  views: {
    stand: () => noJournal,
    begin: () => noJournal,
    states: () => noJournal,
    advance: () => noJournal,
    swap: () => noJournal,
    drop: () => noJournal
  },
  prune: () => noJournal
}

/**
 * See {@link none}.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerNone: Layer.Layer<Journal> = Layer.succeed(Journal, none)

/**
 * The entry's bytes as a delivery: for redrives and replays.
 *
 * @category getters
 * @since 0.1.0
 */
export const toDelivery = (entry: Entry): Delivery.Delivery => ({
  ...entry.source,
  attempt: 1,
  version: entry.eventVersion,
  bytes: entry.bytes
})
