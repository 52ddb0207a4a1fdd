/**
 * Replays: today's code over what the journal recorded.
 *
 * **Guarantees.** A replay calls nothing outside: steps are answered from the record, the clock stands at the commit of each
 * entry and random numbers come from a seed of its own, so two replays of the same code give the same. It changes nothing
 * unless it is asked to write corrections. Entries are run in commit order, one page in memory at a time.
 *
 * **Gotchas.** What a handler does outside of a step is really done, and what it read there may differ: `Step.run` is the
 * border, for the time too: the recorded run saw the real clock. Old payloads pass the upcasters of today's events, as they
 * would on a redelivery; `meta.attempt` is 1.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type { Rerun } from "./internal/kernel/rerun.ts"
import { Journal } from "./Journal.ts"
import type { Entry, JournaledOutcome, JournalError } from "./Journal.ts"
import * as Lanes from "./Lanes.ts"
import type * as Outcome from "./Outcome.ts"
import type { Worker } from "./Worker.ts"

/**
 * What to replay, and where its results go.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Where to begin: after a position, at a commit time, or with the first entry. Default `"beginning"`. */
  readonly from?: "beginning" | { readonly position: number } | { readonly time: number } | undefined
  /** Only these keys. Default: all. */
  readonly keys?: ReadonlyArray<string> | undefined
  /**
   * `"scratch"`, the default: the report is all that remains. `"journal"`: each changed outcome is appended as a correction
   * that points at the entry; projections fold it, its events are not published, and what waits parked goes on waiting
   * (that is a redrive's to end).
   */
  readonly into?: "scratch" | "journal" | undefined
  /** Changes that are kept in the report; all are counted. Default 100. */
  readonly keep?: number | undefined
}

/**
 * An outcome that today's code would not repeat.
 *
 * @category models
 * @since 0.1.0
 */
export interface Change {
  readonly entry: Entry
  readonly before: JournaledOutcome
  readonly after: JournaledOutcome | Outcome.Failed
}

/**
 * What a replay found.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  readonly worker: string
  /** Entries that were run. */
  readonly replayed: number
  /** Entries of the range that no handler had run: they waited behind another, or were discarded. */
  readonly passed: number
  /** Entries that were compacted, so that their events are gone. */
  readonly compacted: number
  readonly changed: number
  /** The first of the changes. */
  readonly changes: ReadonlyArray<Change>
  /** Corrections that were appended. */
  readonly corrected: number
  /** Position of the last entry that was read; 0 where there was none. */
  readonly position: number
}

/** Entries run at once. */
const pageSize = 200

/**
 * Runs a worker over a range of what it did before, and reports what it would do otherwise today.
 *
 * **Example** (What a discount would have changed)
 *
 * ```ts
 * import * as Delivery from "@leat/core/Delivery"
 * import * as Event from "@leat/core/Event"
 * import * as Journal from "@leat/core/Journal"
 * import * as Replay from "@leat/core/Replay"
 * import * as Worker from "@leat/core/Worker"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const film = Schema.Struct({ film: Schema.String, cents: Schema.Int })
 * const Ordered = Event.make("Ordered", { payload: film, key: (order) => order.film, id: (order) => order.film })
 * const Billed = Event.make("Billed", { payload: film, key: (bill) => bill.film, id: (bill) => bill.film })
 * const till = (price: (cents: number) => number) =>
 *   Worker.make("till", {
 *     events: [Ordered],
 *     handle: { Ordered: (order) => Effect.succeed(Billed.make({ ...order, cents: price(order.cents) })) }
 *   })
 * const orders = Delivery.ofEvent(Ordered, [
 *   { film: "Heat", cents: 990 },
 *   { film: "Ran", cents: 1_490 }
 * ])
 * const program = Effect.gen(function* () {
 *   yield* till((cents) => cents).process(orders)
 *   return yield* Replay.run(till((cents) => Math.min(cents, 1_290)))
 * })
 * const report = await Effect.runPromise(Effect.provide(program, Journal.layerMemory))
 *
 * Replay.describe(report)[0] // => "this code changes 1 of 2 outcomes"
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const run = <R>(worker: Worker<R>, options: Options = {}): Effect.Effect<Report, JournalError, R | Journal> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const { from = "beginning", keep = 100, keys } = options
    const position = typeof from === "object" && "position" in from ? from.position : 0
    const since = typeof from === "object" && "time" in from ? from.time : undefined
    const entries = Stream.grouped(journal.read(position, { worker: worker.name, keys, since }), pageSize)
    return yield* Stream.runFoldEffect(
      entries,
      () => begun(worker.name, position),
      (report, page) =>
        Effect.gen(function* () {
          const reruns = yield* worker.rerun(page.filter(isRun))
          const changes = yield* stillSo(worker.name, reruns.flatMap(changeOf))
          const corrected = options.into === "journal" ? yield* correct(worker.name, changes) : 0
          return add(report, page, changes, corrected, keep)
        })
    )
  })

const begun = (worker: string, position: number): Report => ({
  worker,
  replayed: 0,
  passed: 0,
  compacted: 0,
  changed: 0,
  changes: [],
  corrected: 0,
  position
})

const add = (
  report: Report,
  page: ReadonlyArray<Entry>,
  changes: ReadonlyArray<Change>,
  corrected: number,
  keep: number
): Report => {
  const compacted = page.filter((entry) => entry.compacted).length
  const replayed = page.filter(isRun).length
  return {
    worker: report.worker,
    replayed: report.replayed + replayed,
    passed: report.passed + page.length - replayed - compacted,
    compacted: report.compacted + compacted,
    changed: report.changed + changes.length,
    changes: report.changes.length >= keep ? report.changes : [...report.changes, ...changes].slice(0, keep),
    corrected: report.corrected + corrected,
    position: page.at(-1)?.position ?? report.position
  }
}

/** What a handler decided, and what none could: today's code may read it. */
const isRun = (entry: Entry): boolean =>
  !entry.compacted && (entry.attempts > 0 || (entry.type === "undecodable" && entry.resolves === undefined))

/** A change, with what a correction takes from today's run. */
interface Changed extends Change {
  readonly steps: Entry["steps"]
  readonly workerVersion: string | undefined
}

const changeOf = ({ entry, outcome: after, steps, workerVersion }: Rerun): ReadonlyArray<Changed> => {
  const before = entry.outcome
  return isSame(before, after) || isGivenUp(entry, after) ? [] : [{ entry, before, after, steps, workerVersion }]
}

/**
 * What has been settled otherwise since: an event that was redriven is judged where that is recorded, and one that was
 * corrected to what today's code says is no change any more.
 */
const stillSo = (
  worker: string,
  changes: ReadonlyArray<Changed>
): Effect.Effect<ReadonlyArray<Changed>, JournalError, Journal> =>
  Effect.gen(function* () {
    if (changes.length === 0) return changes
    const lanes = Lanes.group(changes, ({ entry }) => entry.key)
    const requests = Array.from(lanes, ([key, own]) => ({ key, deliveries: own.map(({ entry }) => entry) }))
    const { heads } = yield* (yield* Journal).open(worker, requests)
    return [...lanes.values()].flatMap((own, lane) =>
      own.filter(({ after, before }, index) => {
        const latest = heads[lane]?.known?.[index] ?? before
        return !isSame(latest, after) && (before._tag !== "Parked" || latest._tag === "Parked")
      })
    )
  })

/** What failed for good after many deliveries may say, at a first one, that it can be tried again. */
const isGivenUp = (entry: Entry, after: JournaledOutcome | Outcome.Failed): boolean =>
  entry.outcome._tag !== "Handled" && after._tag === "Failed" && after.retryable

/**
 * Whether two outcomes are the same to the outside: the events emitted, or that there are none. Why something was parked may
 * be worded otherwise.
 */
const isSame = (before: JournaledOutcome, after: JournaledOutcome | Outcome.Failed): boolean => {
  if (before._tag !== "Handled" || after._tag !== "Handled") return before._tag === after._tag
  return canonical(before.emitted) === canonical(after.emitted)
}

/** As JSON with the members of every object in one order: a store gives them back in another one. */
const canonical = (value: unknown): string => JSON.stringify(value, sorted)

const sorted = (_name: string, value: unknown): unknown =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    : value

/** Corrects what was handled or skipped by what today's code would have made of it; it doesn't park, nor end a parking. */
const correct = (worker: string, changes: ReadonlyArray<Changed>): Effect.Effect<number, JournalError, Journal> =>
  Effect.map(
    Effect.forEach(changes, (change) =>
      change.before._tag === "Parked" || change.after._tag === "Parked" || change.after._tag === "Failed"
        ? Effect.succeed(0)
        : append(worker, change, change.after)
    ),
    (appended) => appended.reduce<number>((sum, one) => sum + one, 0)
  )

/** A key on which another program writes meanwhile is read again; what was corrected before is not again. */
const append = (
  worker: string,
  change: Changed,
  outcome: JournaledOutcome
): Effect.Effect<number, JournalError, Journal> =>
  Effect.gen(function* () {
    const journal = yield* Journal
    const { entry, steps, workerVersion } = change
    const { at: _at, compacted: _compacted, key, position, version: _version, worker: _worker, ...draft } = entry
    const { heads } = yield* journal.open(worker, [{ key, deliveries: [entry] }])
    const [head] = heads
    const latest = head?.known?.[0]
    if (latest !== undefined && isSame(latest, outcome)) return 0
    const resolves = entry.resolves ?? position
    const correction = { ...draft, outcome, steps, workerVersion, attempts: 0, resolves }
    const [verdict] = yield* journal.commit(worker, [{ key, expected: head?.version ?? 0, entries: [correction] }])
    return verdict === "conflict" ? yield* append(worker, change, outcome) : 1
  })

/**
 * The report in lines for a person: the sum, then each change that was kept.
 *
 * @category getters
 * @since 0.1.0
 */
export const describe = (report: Report): ReadonlyArray<string> => {
  const { changed, changes, compacted, passed, replayed } = report
  const left = [
    passed === 0 ? [] : [`${count(passed)} had no handler run`],
    compacted === 0 ? [] : [`${count(compacted)} are compacted`]
  ].flat()
  return [
    `this code changes ${count(changed)} of ${count(replayed)} outcomes${left.length === 0 ? "" : ` (${left.join(", ")})`}`,
    ...changes.map(
      ({ after, before, entry }) => `${entry.key} ${entry.type} ${entry.id}: ${said(before)} -> ${said(after)}`
    ),
    ...(changed > changes.length ? [`and ${count(changed - changes.length)} more`] : [])
  ]
}

const count = (n: number): string => n.toLocaleString("en-US")

const said = (outcome: JournaledOutcome | Outcome.Failed): string => {
  switch (outcome._tag) {
    case "Handled":
      return outcome.emitted.length === 0
        ? "handled"
        : outcome.emitted.map(({ data, type }) => `${type} ${JSON.stringify(data)}`).join(", ")
    case "Failed":
      return `failed: ${messageOf(Cause.squash(outcome.cause))}`
    default:
      return `${outcome._tag.toLowerCase()}: ${outcome.reason}`
  }
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
