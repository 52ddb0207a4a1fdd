/**
 * Events that wait parked in the journal: the failed one at the head of its key, and behind it what followed on that key.
 *
 * **Guarantees.** A redrive runs what waits on a key in order, with today's code, while new deliveries of that key go on
 * queueing behind. What comes of an event and that it no longer waits is one commit: a redrive that crashes half-way goes
 * on where it was, and of two at once one stops. Only an outcome or a discard with a reason ends the waiting of an event.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import type { Delivery } from "./Delivery.ts"
import { Journal, toDelivery } from "./Journal.ts"
import type { Draft, Entry, JournaledOutcome, JournalError } from "./Journal.ts"
import * as Outcome from "./Outcome.ts"
import type { Worker } from "./Worker.ts"

/**
 * A key on which events wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface ParkedKey {
  readonly key: string
  /** How many events wait. */
  readonly count: number
  /** Why the first of them does. */
  readonly reason: string
  /** Type and id of the first. */
  readonly type: string
  readonly id: string
  /** When the first was parked, in epoch milliseconds. */
  readonly since: number
}

/**
 * An event that waits.
 *
 * @category models
 * @since 0.1.0
 */
export interface Letter {
  /** Names it: what {@link discard} takes. */
  readonly position: number
  readonly type: string
  readonly id: string
  /** The record as it came. */
  readonly bytes: Uint8Array
  readonly delivery: Delivery
  /** Why it waits, of the last attempt, in one line. */
  readonly reason: string
  readonly trace: string | undefined
  /** How often its handler ran, redrives included; 0 for what waits behind another or can't be read. */
  readonly attempts: number
  /** When it was parked, in epoch milliseconds. */
  readonly at: number
}

/**
 * How far a redrive came.
 *
 * @category models
 * @since 0.1.0
 */
export interface Redriven {
  readonly key: string
  /** Events that no longer wait. */
  readonly settled: number
  /** Why it stopped before the end of what waits; `undefined` when nothing waits any more. */
  readonly stopped: { readonly reason: string; readonly retryable: boolean } | undefined
}

/**
 * A letter can't be discarded: it doesn't wait on this key, or another program resolved it meanwhile.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotParked extends Schema.TaggedError<NotParked>()("NotParked", {
  key: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

const pageSize = 100

/** What waits of a worker, page by page, in order of commit. */
const letters = (worker: string): Stream.Stream<Entry, JournalError, Journal> =>
  Stream.unwrap(
    Effect.map(Journal, (journal) =>
      Stream.unfold(0, (after) =>
        Effect.map(journal.parked(worker, { after, limit: pageSize }), (page) => {
          const last = page.at(-1)
          return last === undefined ? undefined : ([page, last.position] as const)
        })
      ).pipe(Stream.flattenIterable)
    )
  )

/**
 * The keys on which events of a worker wait, the longest waiting first.
 *
 * @category combinators
 * @since 0.1.0
 */
export const list = (worker: string): Effect.Effect<ReadonlyArray<ParkedKey>, JournalError, Journal> =>
  Effect.map(
    Stream.runFold(
      letters(worker),
      () => new Map<string, ParkedKey>(),
      (keys, entry) => {
        const { count = 0 } = keys.get(entry.key) ?? {}
        return keys.set(entry.key, { ...(keys.get(entry.key) ?? headOf(entry)), count: count + 1 })
      }
    ),
    (keys) => [...keys.values()]
  )

const headOf = (entry: Entry): ParkedKey => ({
  key: entry.key,
  count: 0,
  reason: reasonOf(entry.outcome),
  type: entry.type,
  id: entry.id,
  since: entry.at
})

const reasonOf = (outcome: JournaledOutcome): string => (outcome._tag === "Handled" ? "" : outcome.reason)

/**
 * What waits on a key, in order: the first `limit` events (default 100).
 *
 * @category combinators
 * @since 0.1.0
 */
export const inspect = (
  worker: string,
  key: string,
  options: { readonly limit?: number | undefined; readonly after?: number | undefined } = {}
): Effect.Effect<ReadonlyArray<Letter>, JournalError, Journal> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const entries = yield* journal.parked(worker, { ...options, key })
    const [first] = entries
    if (first === undefined) return []
    const tries = yield* Stream.runCollect(
      Stream.filter(journal.read(first.position, { worker, keys: [key] }), (entry) => entry.resolves !== undefined)
    )
    return entries.map((entry) =>
      letterOf(
        entry,
        tries.filter(({ resolves }) => resolves === entry.position)
      )
    )
  })

/** The last attempt says why it waits now. */
const letterOf = (entry: Entry, tries: ReadonlyArray<Entry>): Letter => {
  const { outcome } = tries.at(-1) ?? entry
  return {
    position: entry.position,
    type: entry.type,
    id: entry.id,
    bytes: entry.bytes,
    delivery: toDelivery(entry),
    reason: reasonOf(outcome),
    trace: outcome._tag === "Parked" ? outcome.trace : undefined,
    attempts: tries.reduce((sum, one) => sum + one.attempts, entry.attempts),
    at: entry.at
  }
}

/**
 * Runs what waits on a key again, in order, until nothing does or an event fails again.
 *
 * @category combinators
 * @since 0.1.0
 */
export const redrive = <R>(worker: Worker<R>, key: string): Effect.Effect<Redriven, JournalError, R | Journal> =>
  redriveAt(worker, key, unhurried)

/** How a redrive is held back: so many events at once, and what comes before each lot. */
interface Pace {
  readonly lot: number
  readonly before: (events: number) => Effect.Effect<void>
}

const unhurried: Pace = { lot: pageSize, before: () => Effect.void }

const redriveAt = <R>(worker: Worker<R>, key: string, pace: Pace): Effect.Effect<Redriven, JournalError, R | Journal> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    let settled = 0
    while (true) {
      const waiting = yield* journal.parked(worker.name, { key, limit: pace.lot })
      const [first] = waiting
      if (first === undefined) return { key, settled, stopped: undefined }
      yield* pace.before(waiting.length)
      const step = yield* lot(worker, key, first, waiting)
      settled += step.settled
      if (step.stopped !== undefined) return { key, settled, stopped: step.stopped }
    }
  })

type Progress = Pick<Redriven, "settled" | "stopped">

/**
 * Runs what of the head of a key still belongs to it. Today's code may read a lane out of what had none, or another one:
 * that moves. What it can't read any more stays where it is, and holds what is behind it.
 */
const lot = Effect.fnUntraced(function* <R>(
  worker: Worker<R>,
  key: string,
  first: Entry,
  waiting: ReadonlyArray<Entry>
) {
  const places = yield* Effect.forEach(waiting, (entry) => worker.locate(toDelivery(entry)))
  const moved = places.findIndex((place) => place.key !== key)
  if (moved !== 0) return yield* run(worker, moved === -1 ? waiting : waiting.slice(0, moved))
  const reason = places[0]?.unreadable
  const stays: Progress = { settled: 0, stopped: { reason: reason ?? "", retryable: false } }
  return reason === undefined ? yield* move(worker, first) : stays
})

const run = <R>(worker: Worker<R>, batch: ReadonlyArray<Entry>) =>
  Effect.map(
    worker.process(batch.map(toDelivery), { redrives: batch.map(({ position }) => position) }),
    ({ outcomes }): Progress => {
      const stop = outcomes.findIndex((outcome) => outcome._tag === "Parked" || !Outcome.isSettled(outcome))
      const stopped = outcomes[stop]
      return stopped === undefined
        ? { settled: outcomes.length, stopped: undefined }
        : { settled: stop, stopped: why(stopped) }
    }
  )

const why = (outcome: Outcome.Outcome): NonNullable<Redriven["stopped"]> => ({
  reason: Outcome.reason(outcome) ?? "the time was up",
  retryable: outcome._tag === "Unstarted" || (outcome._tag === "Failed" && outcome.retryable)
})

/** It is delivered to the lane it belongs to, where it is handled, known, or waits in turn; only then it is done with here. */
const move = Effect.fnUntraced(function* <R>(worker: Worker<R>, letter: Entry) {
  const { outcomes } = yield* worker.process([toDelivery(letter)])
  const [outcome] = outcomes
  if (outcome === undefined || !Outcome.isSettled(outcome)) {
    return { settled: 0, stopped: why(outcome ?? Outcome.unstarted) } satisfies Progress
  }
  const { key } = yield* worker.locate(toDelivery(letter))
  return yield* resolve(worker.name, letter.key, [letter.position], `delivered again on the key ${key}`).pipe(
    Effect.map((settled): Progress => ({ settled, stopped: undefined })),
    Effect.catchTag("NotParked", ({ message }) =>
      Effect.succeed<Progress>({ settled: 0, stopped: { reason: message, retryable: true } })
    )
  )
})

/**
 * Redrives every key on which events of a worker wait, several side by side.
 *
 * @category combinators
 * @since 0.1.0
 */
export const redriveAll = <R>(
  worker: Worker<R>,
  options: {
    /** Events a second over all keys, so that what failed under load isn't loaded at once. Default: as fast as it goes. */
    readonly rate?: number | undefined
    /** Keys at once. Default 10. */
    readonly concurrency?: number | undefined
  } = {}
): Effect.Effect<ReadonlyArray<Redriven>, JournalError, R | Journal> =>
  Effect.gen(function* () {
    const pace = options.rate === undefined ? unhurried : paced(options.rate)
    return yield* Effect.forEach(yield* list(worker.name), ({ key }) => redriveAt(worker, key, pace), {
      concurrency: options.concurrency ?? 10
    })
  })

/** Lots of a tenth of a second, so that a long key is no burst; each takes its time before the next may begin. */
const paced = (rate: number): Pace => {
  let next = 0
  return {
    lot: Math.max(1, Math.min(pageSize, Math.floor(rate / 10))),
    before: (events) =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const at = Math.max(now, next)
        next = at + (1_000 * events) / rate
        return at > now ? Effect.sleep(at - now) : Effect.void
      })
  }
}

/**
 * Gives up events that wait on a key, and says why: they are journaled as skipped, and what waits behind them no longer
 * does because of them.
 *
 * @category combinators
 * @since 0.1.0
 */
export const discard = (
  worker: string,
  key: string,
  options: {
    readonly reason: string
    /** Which events; their positions are in {@link inspect}. Default: all that wait on the key. */
    readonly positions?: ReadonlyArray<number> | undefined
  }
): Effect.Effect<number, JournalError | NotParked, Journal> =>
  Effect.gen(function* () {
    if (options.positions !== undefined) return yield* resolve(worker, key, options.positions, options.reason)
    const journal = yield* Journal
    let discarded = 0
    while (true) {
      const waiting = yield* journal.parked(worker, { key })
      if (waiting.length === 0) return discarded
      discarded += yield* resolve(
        worker,
        key,
        waiting.map(({ position }) => position),
        options.reason
      )
    }
  })

/** How often a commit is tried against a key on which new events go on queueing. */
const tries = 10

/** Writes a resolution for each letter, in one commit. */
const resolve = Effect.fnUntraced(function* (
  worker: string,
  key: string,
  positions: ReadonlyArray<number>,
  reason: string
) {
  const journal = yield* Journal
  for (let tried = 0; tried < tries; tried++) {
    const { heads } = yield* journal.open(worker, [{ key, deliveries: [] }])
    const waiting = yield* waitingAt(worker, key, positions)
    const missing = positions.find((position) => !waiting.has(position))
    if (missing !== undefined) {
      const message = `no event waits at position ${missing} of the key ${JSON.stringify(key)}`
      return yield* new NotParked({ key, message, retryable: false })
    }
    const entries = Array.from(waiting.values(), (letter) => resolution(letter, reason))
    const [verdict] = yield* journal.commit(worker, [{ key, expected: heads[0]?.version ?? 0, entries }])
    if (verdict !== "conflict") return entries.length
  }
  const message = `other programs kept writing to the key ${JSON.stringify(key)}: try again`
  return yield* new NotParked({ key, message, retryable: true })
})

/** Those of the positions at which an event waits on the key. */
const waitingAt = Effect.fnUntraced(function* (worker: string, key: string, positions: ReadonlyArray<number>) {
  const journal = yield* Journal
  const asked = new Set(positions)
  const last = Math.max(...positions)
  const found = new Map<number, Entry>()
  let after = Math.min(...positions) - 1
  while (after < last) {
    const page = yield* journal.parked(worker, { key, after, limit: pageSize })
    for (const entry of page) if (asked.has(entry.position)) found.set(entry.position, entry)
    after = page.at(-1)?.position ?? last
  }
  return found
})

const resolution = (letter: Entry, reason: string): Draft => ({
  type: letter.type,
  id: letter.id,
  source: letter.source,
  bytes: letter.bytes,
  outcome: Outcome.skipped(reason),
  attempts: 0,
  duration: 0,
  workerVersion: letter.workerVersion,
  resolves: letter.position
})
