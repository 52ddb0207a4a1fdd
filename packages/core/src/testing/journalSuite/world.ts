/**
 * What the tests of {@link "../JournalSuite.ts"} work with.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import * as Envelope from "../../Envelope.ts"
import type { Draft, Entry, Journal, JournaledOutcome, JournalError, LaneCommit, Verdict } from "../../Journal.ts"

/**
 * A journal, and a worker that nobody else writes for: implementations with a real store share it between tests.
 *
 * @category models
 * @since 0.1.0
 */
export interface World {
  readonly journal: Journal["Service"]
  readonly worker: string
  /** Another worker of the same test. */
  readonly another: () => string
}

/**
 * Declares one test.
 *
 * @category models
 * @since 0.1.0
 */
export type Must = (
  sentence: string,
  body: (world: World) => Effect.Effect<void, JournalError, Scope.Scope | Journal>
) => void

const run = globalThis.crypto.randomUUID().slice(0, 8)
let unused = 0

/**
 * A name that no test has used, also not one of an earlier run over the same store.
 *
 * @category constructors
 * @since 0.1.0
 */
export const freshName = (): string => `suite-${run}-${(unused += 1)}`

/**
 * The world of one test.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (journal: Journal["Service"]): World => ({ journal, worker: freshName(), another: freshName })

/**
 * Handled, with nothing emitted.
 *
 * @category constants
 * @since 0.1.0
 */
export const handled: JournaledOutcome = { _tag: "Handled", emitted: [] }
/**
 * Parked, with a reason alone.
 *
 * @category constants
 * @since 0.1.0
 */
export const parked: JournaledOutcome = { _tag: "Parked", reason: "for a test" }
/**
 * Skipped, with a reason.
 *
 * @category constants
 * @since 0.1.0
 */
export const skipped: JournaledOutcome = { _tag: "Skipped", reason: "for a test" }

/**
 * Handled, with one event that says which.
 *
 * @category constructors
 * @since 0.1.0
 */
export const emitting = (id: string): JournaledOutcome => ({
  _tag: "Handled",
  emitted: [Envelope.make({ id: `${id}/0`, type: "Emitted", source: "suite", key: "k", data: { id } })]
})

/**
 * An entry to append; its bytes are its id.
 *
 * @category constructors
 * @since 0.1.0
 */
export const draft = (id: string, outcome: JournaledOutcome = handled, more: Partial<Draft> = {}): Draft => ({
  type: "Tested",
  id,
  source: { partition: "0", position: id, partitionKey: "", arrival: 0 },
  bytes: new TextEncoder().encode(id),
  outcome,
  attempts: 1,
  duration: 1,
  workerVersion: undefined,
  ...more
})

/**
 * A lane's commit.
 *
 * @category constructors
 * @since 0.1.0
 */
export const lane = (
  key: string,
  expected: number,
  entries: ReadonlyArray<Draft>,
  outbox?: LaneCommit["outbox"]
): LaneCommit => ({ key, expected, entries, outbox })

/**
 * A verdict in a word.
 *
 * @category getters
 * @since 0.1.0
 */
export const tagOf = (verdict: Verdict | undefined): "ok" | "conflict" | "missing" =>
  verdict === undefined ? "missing" : verdict === "conflict" ? verdict : "ok"

/**
 * Position of a lane's first entry; -1 where it was refused.
 *
 * @category getters
 * @since 0.1.0
 */
export const placeOf = (verdict: Verdict | undefined): number =>
  verdict === undefined || verdict === "conflict" ? -1 : verdict.position

/**
 * Commits one lane; gives the position of its first entry.
 *
 * @category combinators
 * @since 0.1.0
 */
export const append = (
  { journal, worker }: Pick<World, "journal" | "worker">,
  key: string,
  expected: number,
  entries: ReadonlyArray<Draft>,
  outbox?: LaneCommit["outbox"]
): Effect.Effect<number, JournalError> =>
  Effect.map(journal.commit(worker, [lane(key, expected, entries, outbox)]), ([verdict]) => placeOf(verdict))

/**
 * All entries of the world's worker.
 *
 * @category getters
 * @since 0.1.0
 */
export const entriesOf = ({ journal, worker }: World): Effect.Effect<ReadonlyArray<Entry>, JournalError> =>
  Stream.runCollect(journal.read(0, { worker }))

/**
 * What the journal knows of one key of the world's worker, and of the worker as a whole.
 *
 * @category getters
 * @since 0.1.0
 */
export const look = (
  { journal, worker }: World,
  key: string,
  ...ids: ReadonlyArray<string>
): Effect.Effect<
  {
    readonly version: number
    readonly parked: number
    readonly unpublished: number
    /** Tags of the outcomes known. */
    readonly known: ReadonlyArray<string | undefined>
    readonly allParked: number
    readonly free: number
  },
  JournalError
> =>
  Effect.map(
    journal.open(worker, [{ key, deliveries: ids.map((id) => ({ type: "Tested", id })) }]),
    ({ heads: [head], parked, unpublished }) => ({
      version: head?.version ?? -1,
      parked: head?.parked ?? -1,
      unpublished: head?.unpublished ?? -1,
      known: ids.map((_, index) => head?.known?.[index]?._tag),
      allParked: parked,
      free: unpublished
    })
  )

/**
 * A value without members that are `undefined`: an implementation may leave those out.
 *
 * @category getters
 * @since 0.1.0
 */
export const plain = (value: unknown): unknown => (value === undefined ? undefined : JSON.parse(JSON.stringify(value)))

/**
 * The next commit has a later time than the last.
 *
 * @category combinators
 * @since 0.1.0
 */
export const later: Effect.Effect<void> = Effect.sleep(5)

/**
 * Strings that stores have stumbled over: NUL, which PostgreSQL's `text` refuses; lone surrogates, which UTF-8 can't say;
 * what breaks quoting; the separator of composite keys; what two collations order differently; what is long.
 *
 * @category constants
 * @since 0.1.0
 */
export const oddStrings: ReadonlyArray<string> = [
  "",
  " ",
  "\u0000",
  "a\u0000b",
  "\uD800",
  "x\uDFFFy",
  "\uFFFD",
  "🎬🍿",
  "e\u0301 é",
  `'; DROP TABLE entries; --"\\`,
  "\\u0000",
  "\\x00",
  "line\nbreak\r\ttab",
  "a/b",
  "A",
  "a",
  "%_",
  "\u{10FFFF}",
  "long".repeat(75),
  "日本".repeat(150)
]
