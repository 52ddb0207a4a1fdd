import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

import type { Envelope } from "../../Envelope.ts"
import type * as Event from "../../Event.ts"
import { Journal } from "../../Journal.ts"
import type { Entry, JournaledOutcome, JournalError } from "../../Journal.ts"
import type { Outcome } from "../../Outcome.ts"
import type { Projection } from "../../Projection.ts"
import * as View from "../../View.ts"
import { idOf } from "./Input.ts"
import { canonical, differences, eventLine, inOrder, isSaid, said } from "./report.ts"
import type { Story } from "./Story.ts"

type Faulty = Effect.Effect<string | undefined, JournalError, Journal>

const noBatch = "no batch has ended: this comes after a `Spec.when…` that delivers"

/** Each outcome of the last batch is what its line says. */
export const outcomes = ({ last }: Story, lines: ReadonlyArray<string>): string | undefined => {
  if (last?.result === undefined) return noBatch
  const was = last.result.outcomes
  return differences(
    ["delivery", "expected", "was"],
    Array.from({ length: Math.max(lines.length, was.length) }, (_, place) => {
      const [line, outcome] = [lines[place], was[place]]
      return {
        ok: line !== undefined && outcome !== undefined && isSaid(line, outcome),
        cells: [
          last.batch[place]?.name ?? "(none)",
          line ?? "(nothing)",
          outcome === undefined ? "(nothing)" : said(outcome)
        ]
      }
    })
  )
}

/** So many of the last batch may be acknowledged. */
export const settled = ({ last }: Story, count: number): string | undefined => {
  if (last?.result === undefined) return noBatch
  const { outcomes, settledPrefix } = last.result
  const first = outcomes[settledPrefix]
  const because = first === undefined ? "all are settled" : `${last.batch[settledPrefix]?.name} is ${said(first)}`
  return settledPrefix === count ? undefined : `${settledPrefix} of ${outcomes.length} are settled: ${because}`
}

/** These events, in order. */
export const events = (
  expected: ReadonlyArray<Event.Emitted>,
  was: ReadonlyArray<Event.Emitted | Envelope>
): string | undefined =>
  inOrder(expected, was, {
    same: (left, right) => eventLine(left) === eventLine(right),
    expected: eventLine,
    was: eventLine
  })

/** What the last `when` emitted: in the order of its batch, else in the order of commits. */
export const emitted = (story: Story): Effect.Effect<ReadonlyArray<Event.Emitted | Envelope>, JournalError, Journal> =>
  story.last?.result === undefined
    ? Effect.map(entries(story, story.before), (all) => all.flatMap(({ outcome }) => emittedBy(outcome)))
    : Effect.succeed(story.last.result.outcomes.flatMap(emittedBy))

const emittedBy = (outcome: Outcome | JournaledOutcome): ReadonlyArray<Event.Emitted | Envelope> =>
  outcome._tag === "Handled" ? outcome.emitted : []

/** What the worker journaled after a position. */
export const entries = (story: Story, after: number): Effect.Effect<ReadonlyArray<Entry>, JournalError, Journal> =>
  Effect.flatMap(Journal, ({ read }) => Stream.runCollect(read(after, { worker: story.worker.name })))

/** Position of the last entry that the worker journaled. */
export const position = (worker: string, after: number): Effect.Effect<number, JournalError, Journal> =>
  Effect.flatMap(Journal, ({ read }) =>
    Stream.runFold(
      read(after, { worker }),
      () => after,
      (_, entry) => entry.position
    )
  )

/** These events wait on the key, in order. */
export const parked = (story: Story, key: string, expected: ReadonlyArray<Event.Emitted | string>): Faulty =>
  Effect.map(waiting(story, key), (was) =>
    inOrder(expected, was, {
      same: (left, right) => left === right.id || (typeof left !== "string" && idOf(story, left) === right.id),
      expected: (one) => (typeof one === "string" ? one : (idOf(story, one) ?? one.type)),
      was: (entry) => `${entry.id} ${said(entry.outcome)}`
    })
  )

/** Nothing waits on any key. */
export const nothingParked = (story: Story): Faulty =>
  Effect.map(waiting(story, undefined), (was) =>
    inOrder([], was, {
      same: () => false,
      expected: String,
      was: (entry) => `${entry.key}: ${entry.type} ${entry.id} ${said(entry.outcome)}`
    })
  )

const waiting = (story: Story, key: string | undefined) =>
  Effect.flatMap(Journal, (journal) => journal.parked(story.worker.name, { key, limit: 1_000 }))

/** The state of a key, when everything journaled is folded. */
export const state = <State>(projection: Projection<State>, key: string, expected: State | undefined): Faulty =>
  Effect.gen(function* () {
    yield* View.catchUp(projection)
    const was = Option.getOrUndefined(yield* View.get(projection, key))
    const line = (one: State | undefined) =>
      one === undefined ? "(no state)" : canonical(JSON.parse(projection.encode(one)))
    const cells = [line(expected), line(was)]
    return differences(["expected", "was"], [{ ok: cells[0] === cells[1], cells }])
  })

/** What is said of an entry; what is left out may be anything. */
export interface EntryLike {
  readonly key?: string | undefined
  readonly type?: string | undefined
  readonly id?: string | undefined
  /** `Handled`, or `Parked: part of the reason`. */
  readonly outcome?: string | undefined
  readonly attempts?: number | undefined
  readonly steps?: { readonly [name: string]: unknown } | undefined
  /** Whether it is a later outcome of an earlier entry. */
  readonly resolution?: boolean | undefined
}

/** These entries, in order of commit. */
export const journal = (story: Story, expected: ReadonlyArray<EntryLike>): Faulty =>
  Effect.map(entries(story, story.start), (was) =>
    inOrder(expected, was, {
      same: isLike,
      expected: (one) => Object.entries(one).map(member).join(", "),
      was: (entry) =>
        [
          `key: ${entry.key}, type: ${entry.type}, id: ${entry.id}, outcome: ${said(entry.outcome)}`,
          `attempts: ${entry.attempts}`,
          ...(entry.steps === undefined ? [] : [`steps: ${canonical(entry.steps)}`]),
          ...(entry.resolves === undefined ? [] : ["resolution: true"])
        ].join(", ")
    })
  )

const member = ([name, value]: readonly [string, unknown]) =>
  `${name}: ${typeof value === "string" ? value : canonical(value)}`

const isLike = (like: EntryLike, entry: Entry): boolean =>
  isEither(like.key, entry.key) &&
  isEither(like.type, entry.type) &&
  isEither(like.id, entry.id) &&
  (like.outcome === undefined || isSaid(like.outcome, entry.outcome)) &&
  isEither(like.attempts, entry.attempts) &&
  (like.steps === undefined || canonical(like.steps) === canonical(entry.steps ?? {})) &&
  isEither(like.resolution, entry.resolves !== undefined)

const isEither = <A>(said: A | undefined, is: A): boolean => said === undefined || said === is
