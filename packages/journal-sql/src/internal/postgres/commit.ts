/** The one write after a batch: one round trip, unless views are folded inline. */
import { outboxHold } from "@leat/core/Journal"
import type { JournalError, LaneCommit, Verdict } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import { SqlError } from "effect/sql/SqlError"

import * as Digest from "../digest.ts"
import * as Drafts from "../drafts.ts"
import * as EscapedText from "../escapedText.ts"
import * as StoredOutcome from "../storedOutcome.ts"
import type { Session } from "./Connection.ts"
import * as InlineViews from "./inlineViews.ts"
import * as Names from "./names.ts"
import { booleans, bytes, ints, numbers, texts } from "./parameters.ts"
import * as PostgresError from "./postgresError.ts"
import type { Store } from "./Store.ts"

export const commit = (
  store: Store,
  worker: string,
  lanes: ReadonlyArray<LaneCommit>
): Effect.Effect<ReadonlyArray<Verdict>, JournalError> =>
  lanes.length === 0
    ? Effect.succeed([])
    : once(store, worker, lanes).pipe(
        Effect.retry({ times: retries, while: collided }),
        Effect.tap(() => Effect.sync(store.bell.ring))
      )

/** How often a commit is tried again that another one got in the way of: only foreign statements could. */
const retries = 5

const collided = (error: JournalError): boolean => {
  const state = error.cause instanceof SqlError ? PostgresError.stateOf(error.cause) : undefined
  return state === deadlock || state === serializationFailure
}

const deadlock = "40P01"
const serializationFailure = "40001"

/** With inline views several round trips: they are locked before the ticket, so that nobody's entries are passed over. */
const once = (
  store: Store,
  worker: string,
  lanes: ReadonlyArray<LaneCommit>
): Effect.Effect<ReadonlyArray<Verdict>, JournalError> =>
  store.inline.length === 0
    ? append(store, store.connection, worker, lanes)
    : store.connection.transaction("commit", (session) =>
        Effect.gen(function* () {
          const views = yield* InlineViews.lock(store, session)
          const verdicts = yield* append(store, session, worker, lanes)
          if (verdicts.some((verdict) => verdict !== "conflict")) yield* InlineViews.fold(store, session, views)
          return verdicts
        })
      )

const append = (
  store: Store,
  session: Session,
  worker: string,
  lanes: ReadonlyArray<LaneCommit>
): Effect.Effect<ReadonlyArray<Verdict>, JournalError> =>
  Effect.suspend(() => {
    const sent = lanes.filter((lane) => !Drafts.repeatsItself(lane))
    const values = [store.namespace, EscapedText.encode(worker), outboxHold, ...parametersOf(sent)]
    return Effect.map(session.query<Answer>("commit", call, values), ([answer]) => {
      const positions = new Map(sent.map((lane, index) => [lane, answer?.positions?.[index]]))
      return lanes.map((lane): Verdict => {
        const position = positions.get(lane)
        return position === null || position === undefined ? "conflict" : { position }
      })
    })
  })

interface Answer {
  readonly positions: ReadonlyArray<number | null> | null
}

const parameterCount = 30

const call = `SELECT leat_commit_1(${Array.from({ length: parameterCount }, (_, index) => `$${index + 1}`).join(", ")}) AS positions`

const encoded = (text: string | undefined) => (text === undefined ? null : EscapedText.encode(text))

/** In the order of the function's parameters. */
const parametersOf = (lanes: ReadonlyArray<LaneCommit>): ReadonlyArray<unknown> => {
  const entries = lanes.flatMap((lane) => lane.entries)
  return [
    texts(lanes.map(({ key }) => Names.indexed(key))),
    texts(lanes.map(({ key }) => Names.whole(key))),
    numbers(lanes.map(({ expected }) => expected)),
    ints(lanes.map((lane) => lane.entries.length)),
    ints(lanes.map((lane) => Drafts.count(lane.entries, Drafts.parks))),
    ints(lanes.map(Drafts.unpublished)),
    ints(lanes.map((lane) => Drafts.count(lane.entries, Drafts.ends))),
    booleans(lanes.map(({ outbox }) => outbox === "hold")),
    ints(lanes.flatMap((lane, index) => lane.entries.map(() => index + 1))),
    ints(lanes.flatMap((lane) => lane.entries.map((_, index) => index + 1))),
    numbers(entries.map(({ id, type }) => Digest.of(type, id))),
    texts(entries.map(({ type }) => EscapedText.encode(type))),
    texts(entries.map(({ id }) => EscapedText.encode(id))),
    texts(entries.map(({ source }) => EscapedText.encode(source.partition))),
    texts(entries.map(({ source }) => EscapedText.encode(source.position))),
    texts(entries.map(({ source }) => EscapedText.encode(source.partitionKey))),
    numbers(entries.map(({ source }) => source.arrival)),
    bytes(entries.map((draft) => draft.bytes)),
    texts(entries.map(({ outcome }) => outcome._tag)),
    texts(entries.map(({ outcome }) => StoredOutcome.detailOf(outcome))),
    ints(entries.map(({ attempts }) => attempts)),
    numbers(entries.map(({ duration }) => duration)),
    texts(entries.map(({ workerVersion }) => encoded(workerVersion))),
    ints(entries.map(({ eventVersion }) => eventVersion ?? null)),
    texts(entries.map(({ source }) => encoded(source.fault))),
    texts(entries.map(({ steps }) => (steps === undefined ? null : JSON.stringify(steps)))),
    numbers(entries.map(({ resolves }) => resolves ?? null))
  ]
}
