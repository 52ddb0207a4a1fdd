/**
 * The outbox: events that are committed with the outcome that emitted them, and published afterwards.
 *
 * **Guarantees.** What is committed is published, also when the program crashed in between: later, under the same ids. One
 * relay a stream at a time, and the publisher keeps the order of a key: what a stream emits to one key goes out in the order
 * of its commits. A publish whose answer was lost is repeated: at least once.
 *
 * **Details**
 *
 * A worker sends what it committed right after the commit, and then what waits from before (in Lambda: until the
 * deadline, the rest in the next invocation). {@link layer} is for long-running programs: it sends what others left.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

import * as Deadline from "./Deadline.ts"
import type { Envelope } from "./Envelope.ts"
import { Journal, outboxHold } from "./Journal.ts"
import type { Entry, JournalError } from "./Journal.ts"
import { Publisher } from "./Publisher.ts"
import type { PublishError } from "./Publisher.ts"

/**
 * Committed events on their way out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sending {
  /** Position of the entry that emitted them. */
  readonly position: number
  readonly envelopes: ReadonlyArray<Envelope>
}

/**
 * How many entries were published and how many were not accepted and wait again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Relayed {
  readonly published: number
  readonly returned: number
  /** Why the first of those that were not accepted was not. */
  readonly reason: string | undefined
}

/**
 * Publishes entries that are the caller's, and tells the outbox which of them were accepted. Interrupted it gives all of
 * them back, so that the next relay need not wait for the hold to end.
 *
 * @category combinators
 * @since 0.1.0
 */
export const send = (
  journal: Journal["Service"],
  publisher: Publisher,
  worker: string,
  sending: ReadonlyArray<Sending>
): Effect.Effect<Relayed, JournalError> => {
  const envelopes = sending.flatMap((one) => one.envelopes)
  return Effect.exit(publisher.publish(envelopes)).pipe(
    // Whoever publishes longer than the entries are held does so beside the next relay.
    Deadline.within(outboxHold - 2_000),
    Effect.onInterrupt(() =>
      Effect.ignore(journal.outbox.settle(worker, { published: [], returned: sending.map(({ position }) => position) }))
    ),
    Effect.flatMap((answers) => {
      const { published, reason, returned } = sort(sending, answers)
      return Effect.as(journal.outbox.settle(worker, { published, returned }), {
        published: published.length,
        returned: returned.length,
        reason
      })
    })
  )
}

type Answers = Exit.Exit<ReadonlyArray<Exit.Exit<void, PublishError>>>

/** An entry is published when all that it emitted was accepted. */
const sort = (sending: ReadonlyArray<Sending>, answers: Answers) => {
  const published: Array<number> = []
  const returned: Array<number> = []
  let refused: Exit.Exit<unknown, PublishError> | undefined
  let next = 0
  for (const { envelopes, position } of sending) {
    const own = Exit.isSuccess(answers) ? answers.value.slice(next, next + envelopes.length) : [answers]
    const failed = own.length < envelopes.length && Exit.isSuccess(answers) ? silent : own.find(Exit.isFailure)
    ;(failed === undefined ? published : returned).push(position)
    refused ??= failed
    next += envelopes.length
  }
  const reason = refused !== undefined && Exit.isFailure(refused) ? messageOf(Cause.squash(refused.cause)) : undefined
  return { published, returned, reason }
}

const silent: Exit.Exit<never> = Exit.die("the publisher gave no answer")

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/**
 * Sends what waits until nothing does that this relay may take, or nothing more is accepted.
 *
 * @category combinators
 * @since 0.1.0
 */
export const drain = (
  journal: Journal["Service"],
  publisher: Publisher,
  worker: string
): Effect.Effect<Relayed, JournalError> =>
  Effect.gen(function* () {
    let sum: Relayed = { published: 0, returned: 0, reason: undefined }
    while (true) {
      const entries = yield* journal.outbox.claim(worker)
      if (entries.length === 0) return sum
      const sent = yield* send(journal, publisher, worker, entries.map(toSending))
      sum = {
        published: sum.published + sent.published,
        returned: sum.returned + sent.returned,
        reason: sum.reason ?? sent.reason
      }
      // What was refused is tried again by the next relay: here it would go round for ever.
      if (sent.published === 0) return sum
    }
  })

const toSending = ({ outcome, position }: Entry): Sending => ({
  position,
  envelopes: outcome._tag === "Handled" ? outcome.emitted : []
})

/**
 * Sends what waits of a worker's events, through the publisher in force; nothing where there is none.
 *
 * @category combinators
 * @since 0.1.0
 */
export const relay = (worker: { readonly name: string }): Effect.Effect<Relayed, JournalError, Journal> =>
  Effect.gen(function* () {
    const publisher = yield* Publisher
    return publisher === undefined
      ? { published: 0, returned: 0, reason: undefined }
      : yield* drain(yield* Journal, publisher, worker.name)
  })

/**
 * Sends in the background what a worker's programs left behind: after a crash, an outage of the receiver, a deadline.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  worker: { readonly name: string },
  options: {
    /** Pause between two looks. Default 1 s. */
    readonly every?: Duration.Input | undefined
  } = {}
): Layer.Layer<never, never, Journal> =>
  Layer.effectDiscard(
    relay(worker).pipe(
      Effect.tap(({ reason }) => (reason === undefined ? Effect.void : waits(worker.name, reason))),
      // A relay that ended would let events wait without a word.
      Effect.catchCause((cause) => waits(worker.name, Cause.pretty(cause))),
      Effect.andThen(Effect.sleep(options.every ?? "1 second")),
      Effect.forever,
      Effect.forkScoped
    )
  )

const waits = (worker: string, reason: string) =>
  Effect.logWarning(`events of ${worker} wait to be published: ${reason}`)
