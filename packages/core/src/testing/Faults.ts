/**
 * What goes wrong around a journal and a publisher, at moments of the test's choice: processes that die, answers that get
 * lost, stores that are slow, other processes that write in between.
 *
 * **Details**
 *
 * A fault wraps a service and counts the calls it is about: commits for a journal, publishes for a publisher. Faults
 * compose; the last one given is the outermost. A process that dies is the defect {@link Crashed}: nothing of it runs on,
 * what its journal had written stays.
 *
 * **Example** (The second commit is written, and its answer is lost)
 *
 * ```ts no-run
 * import * as Journal from "@leat/core/Journal"
 * import * as Faults from "@leat/core/testing/Faults"
 *
 * const journal = Faults.layer(Journal.layerMemory, [Faults.lostAcknowledgement(Faults.at(2))])
 * ```
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Journal, JournalError } from "../Journal.ts"
import type { Draft, LaneCommit } from "../Journal.ts"
import { PublishError } from "../Publisher.ts"
import type { Publisher } from "../Publisher.ts"

/**
 * The process died here: always a defect.
 *
 * @category errors
 * @since 0.1.0
 */
export class Crashed extends Schema.TaggedError<Crashed>()("Crashed", { message: Schema.String }) {}

/**
 * Whether the fault strikes at a call: the first is 1.
 *
 * @category models
 * @since 0.1.0
 */
export type Moment = (call: number) => boolean

/**
 * Strikes at these calls.
 *
 * @category moments
 * @since 0.1.0
 */
export const at =
  (...calls: ReadonlyArray<number>): Moment =>
  (call) =>
    calls.includes(call)

/**
 * Strikes at every call.
 *
 * @category moments
 * @since 0.1.0
 */
export const always: Moment = () => true

/**
 * Strikes at every call that `period` divides.
 *
 * @category moments
 * @since 0.1.0
 */
export const every =
  (period: number): Moment =>
  (call) =>
    call % period === 0

/**
 * Strikes at a share of the calls (0 to 1), the same ones for the same seed.
 *
 * @see https://gist.github.com/tommyettinger/46a874533244883189143505d203312c (Mulberry32)
 * @category moments
 * @since 0.1.0
 */
export const seeded =
  (seed: number, share: number): Moment =>
  (call) => {
    let mixed = (Math.imul(seed, 0x9e37_79b9) + Math.imul(call, 0x6d2b_79f5)) | 0
    mixed = Math.imul(mixed ^ (mixed >>> 15), 1 | mixed)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32 < share
  }

/**
 * A journal of which something may fail.
 *
 * @category models
 * @since 0.1.0
 */
export type JournalFault = (journal: Journal["Service"]) => Journal["Service"]

/**
 * A publisher of which something may fail.
 *
 * @category models
 * @since 0.1.0
 */
export type PublisherFault = (publisher: Publisher) => Publisher

const crash = (where: string): Effect.Effect<never> => Effect.die(new Crashed({ message: `the process died ${where}` }))

const unavailable = (message: string) =>
  new JournalError({ operation: "commit", reason: "Unavailable", message, retryable: true })

type Commit = Journal["Service"]["commit"]

/** Counts commits when they run, so that an effect that is retried is another call. */
const aroundCommit =
  (when: Moment, strike: (commit: Commit) => Commit): JournalFault =>
  (journal) => {
    let calls = 0
    const struck = strike(journal.commit)
    return Journal.of({
      ...journal,
      commit: (worker, lanes) =>
        Effect.suspend(() => (when((calls += 1)) ? struck(worker, lanes) : journal.commit(worker, lanes)))
    })
  }

/**
 * The commit is written, and its answer never comes: a retryable error, as of a connection that broke.
 *
 * @category journal
 * @since 0.1.0
 */
export const lostAcknowledgement = (when: Moment): JournalFault =>
  aroundCommit(
    when,
    (commit) => (worker, lanes) =>
      Effect.andThen(commit(worker, lanes), Effect.fail(unavailable("the answer to the commit was lost")))
  )

/**
 * Nothing is written: a retryable error.
 *
 * @category journal
 * @since 0.1.0
 */
export const failureBeforeCommit = (when: Moment): JournalFault =>
  aroundCommit(when, () => () => Effect.fail(unavailable("the journal can't be reached")))

/**
 * The process dies after the handlers ran and before anything of it is written.
 *
 * @category journal
 * @since 0.1.0
 */
export const crashBeforeCommit = (when: Moment): JournalFault =>
  aroundCommit(when, () => () => crash("before its commit"))

/**
 * The process dies when its outcomes are written, before it can acknowledge or publish anything.
 *
 * @category journal
 * @since 0.1.0
 */
export const crashAfterCommit = (when: Moment): JournalFault =>
  aroundCommit(when, (commit) => (worker, lanes) => Effect.andThen(commit(worker, lanes), crash("after its commit")))

/**
 * The process dies before it has read where its lanes stand. Counts opens.
 *
 * @category journal
 * @since 0.1.0
 */
export const crashBeforeOpen =
  (when: Moment): JournalFault =>
  (journal) => {
    let calls = 0
    return Journal.of({
      ...journal,
      open: (worker, lanes) =>
        Effect.suspend(() => (when((calls += 1)) ? crash("before its open") : journal.open(worker, lanes)))
    })
  }

/**
 * The commit takes its time, before it is written and before it is answered.
 *
 * @category journal
 * @since 0.1.0
 */
export const slow = (when: Moment, by: Duration.Input = "2 millis"): JournalFault =>
  aroundCommit(
    when,
    (commit) => (worker, lanes) => Effect.delay(Effect.tap(commit(worker, lanes), Effect.sleep(by)), by)
  )

/**
 * Type of the entries that {@link conflictingWriter} writes as `"something"`.
 *
 * @category constants
 * @since 0.1.0
 */
export const intruder = "Intruder"

/**
 * Another process commits to a lane between this one's open and commit.
 *
 * **Details**
 *
 * `"something"`: an event of its own, of the type {@link intruder}. `"the same"`: what this process was about to commit,
 * as a zombie does that was handed the same batch.
 *
 * @category journal
 * @since 0.1.0
 */
export const conflictingWriter = (when: Moment, writes: "something" | "the same" = "something"): JournalFault => {
  let written = 0
  const entriesOf = ({ entries }: LaneCommit) =>
    writes === "the same" ? entries : entries.slice(0, 1).map((entry) => intrusion(entry, (written += 1)))
  return aroundCommit(when, (commit) =>
    Effect.fnUntraced(function* (worker, lanes) {
      const [lane] = lanes
      if (lane !== undefined) {
        yield* commit(worker, [
          { key: lane.key, expected: lane.expected, entries: entriesOf(lane), outbox: leftOf(lane) }
        ])
      }
      return yield* commit(worker, lanes)
    })
  )
}

const intrusion = (entry: Draft, nth: number): Draft => ({
  ...entry,
  type: intruder,
  id: `${intruder}-${nth}`,
  outcome: { _tag: "Handled", emitted: [] },
  resolves: undefined
})

/** What another process holds it may never publish: it leaves it. */
const leftOf = (lane: LaneCommit) => (lane.outbox === undefined ? undefined : "leave")

/**
 * A journal with faults.
 *
 * @category constructors
 * @since 0.1.0
 */
export const journal = (sound: Journal["Service"], faults: ReadonlyArray<JournalFault>): Journal["Service"] =>
  faults.reduce((wrapped, fault) => fault(wrapped), sound)

/**
 * A journal with faults, as a layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = <E, R>(
  sound: Layer.Layer<Journal, E, R>,
  faults: ReadonlyArray<JournalFault>
): Layer.Layer<Journal, E, R> =>
  Layer.effect(
    Journal,
    Effect.map(Journal, (service) => journal(service, faults))
  ).pipe(Layer.provide(sound))

const refusal = (message: string) => new PublishError({ reason: "Unavailable", message, retryable: true })

const aroundPublish =
  (when: Moment, strike: (publish: Publisher["publish"]) => Publisher["publish"]): PublisherFault =>
  (publisher) => {
    let calls = 0
    const struck = strike(publisher.publish)
    return {
      publish: (envelopes) =>
        Effect.suspend(() => (when((calls += 1)) ? struck(envelopes) : publisher.publish(envelopes)))
    }
  }

/**
 * The receiver takes none of the envelopes.
 *
 * @category publisher
 * @since 0.1.0
 */
export const refusedPublish = (when: Moment): PublisherFault =>
  aroundPublish(
    when,
    () => (envelopes) => Effect.succeed(envelopes.map(() => Exit.fail(refusal("the receiver is down"))))
  )

/**
 * The receiver takes the envelopes, and its answer is lost: the publisher must say that it failed.
 *
 * @category publisher
 * @since 0.1.0
 */
export const lostAnswer = (when: Moment): PublisherFault =>
  aroundPublish(
    when,
    (publish) => (envelopes) =>
      Effect.map(publish(envelopes), (answers) => answers.map(() => Exit.fail(refusal("the answer was lost"))))
  )

/**
 * The receiver takes its time.
 *
 * @category publisher
 * @since 0.1.0
 */
export const slowPublish = (when: Moment, by: Duration.Input = "2 millis"): PublisherFault =>
  aroundPublish(when, (publish) => (envelopes) => Effect.delay(publish(envelopes), by))

/**
 * The receiver never answers: interrupt the process, and it died between its commit and its publish.
 *
 * @category publisher
 * @since 0.1.0
 */
export const stuckPublish = (when: Moment): PublisherFault => aroundPublish(when, () => () => Effect.never)

/**
 * A publisher with faults.
 *
 * @category constructors
 * @since 0.1.0
 */
export const publisher = (sound: Publisher, faults: ReadonlyArray<PublisherFault>): Publisher =>
  faults.reduce((wrapped, fault) => fault(wrapped), sound)

/**
 * Whether an exit is that of a process that died of one of these faults.
 *
 * @category guards
 * @since 0.1.0
 */
export const hasCrashed = (exit: Exit.Exit<unknown, unknown>): boolean =>
  Exit.isFailure(exit) && exit.cause.reasons.some((reason) => reason._tag === "Die" && reason.defect instanceof Crashed)
