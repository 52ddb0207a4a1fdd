/**
 * The outbox: events that are committed with the outcome that emitted them, and published afterwards.
 *
 * **Guarantees.** What is committed is published, also when the program crashed in between: later, under the same ids. One
 * relay a stream at a time, so events of a stream go out in the order of their commits. A publish whose answer was lost
 * is repeated: at least once.
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

import type { Envelope } from "./Envelope.ts"
import { Journal } from "./Journal.ts"
import type { Entry, JournalError } from "./Journal.ts"
import { Publisher } from "./Publisher.ts"

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
}

/**
 * Publishes entries that are the caller's, and tells the outbox which of them were accepted.
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
  return Effect.flatMap(Effect.exit(publisher.publish(envelopes)), (answers) => {
    const published: Array<number> = []
    const returned: Array<number> = []
    let next = 0
    for (const { envelopes: own, position } of sending) {
      const accepted = Exit.isSuccess(answers) && own.every((_, index) => isAccepted(answers.value[next + index]))
      ;(accepted ? published : returned).push(position)
      next += own.length
    }
    return Effect.as(journal.outbox.settle(worker, { published, returned }), {
      published: published.length,
      returned: returned.length
    })
  })
}

const isAccepted = (answer: Exit.Exit<void, unknown> | undefined): boolean =>
  answer !== undefined && Exit.isSuccess(answer)

/**
 * Sends what waits until nothing does that this relay may take, or something was not accepted.
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
    let published = 0
    while (true) {
      const entries = yield* journal.outbox.claim(worker)
      if (entries.length === 0) return { published, returned: 0 }
      const sent = yield* send(journal, publisher, worker, entries.map(toSending))
      published += sent.published
      if (sent.returned > 0) return { published, returned: sent.returned }
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
      ? { published: 0, returned: 0 }
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
      // A relay that ended would let events wait without a word.
      Effect.catchCause((cause) => Effect.logWarning(`the outbox of ${worker.name} waits: ${Cause.pretty(cause)}`)),
      Effect.andThen(Effect.sleep(options.every ?? "1 second")),
      Effect.forever,
      Effect.forkScoped
    )
  )
