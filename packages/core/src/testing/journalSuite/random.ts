/**
 * Random histories, random troubles, one or two processes.
 *
 * @since 0.1.0
 */
import { layer } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { Journal } from "../../Journal.ts"
import * as Faults from "../Faults.ts"
import { play } from "./playing.ts"
import { freshName } from "./world.ts"

const Sent = Schema.Struct({
  key: Schema.Literals(["a", "b", "c"]),
  does: Schema.Literals(["well", "well", "well", "slowly", "fails once", "badly"]),
  repeats: Schema.Literals([0, 0, 0, 0, 1, 4])
})

const small = (maximum: number) => Schema.Int.check(Schema.isBetween({ minimum: 1, maximum }))

const journalFaults = {
  "lost acknowledgement": Faults.lostAcknowledgement,
  "failure before commit": Faults.failureBeforeCommit,
  "crash before open": Faults.crashBeforeOpen,
  "crash before commit": Faults.crashBeforeCommit,
  "crash after commit": Faults.crashAfterCommit,
  slow: (when: Faults.Moment) => Faults.slow(when, "1 millis"),
  "conflicting writer": (when: Faults.Moment) => Faults.conflictingWriter(when),
  zombie: (when: Faults.Moment) => Faults.conflictingWriter(when, "the same")
}

const publisherFaults = {
  refused: Faults.refusedPublish,
  "lost answer": Faults.lostAnswer,
  slow: (when: Faults.Moment) => Faults.slowPublish(when, "1 millis")
}

const namesOf = <Name extends string>(faults: { readonly [name in Name]: unknown }) =>
  Schema.Literals(Object.keys(faults) as [Name, ...Array<Name>])

const Process = Schema.Struct({
  batchSize: small(8),
  journal: Schema.Array(Schema.Struct({ fault: namesOf(journalFaults), at: small(8) })).check(Schema.isMaxLength(4)),
  publisher: Schema.Array(Schema.Struct({ fault: namesOf(publisherFaults), at: small(6) })).check(Schema.isMaxLength(2))
})

const History = Schema.Array(Sent).check(Schema.isMinLength(1), Schema.isMaxLength(24))
const Processes = Schema.Array(Process).check(Schema.isMinLength(1), Schema.isMaxLength(2))

/**
 * Declares the property over a journal.
 *
 * @category testing
 * @since 0.1.0
 */
export const random = <E>(
  name: string,
  journal: Layer.Layer<Journal, E>,
  options: { readonly runs: number; readonly timeout: number; readonly seed: number | undefined }
): void =>
  layer(journal, { excludeTestServices: true })(`Journal (${name}), over random histories and troubles`, (it) => {
    it.effect.prop(
      "nothing is lost, a key stays in order, an event has one outcome, and its events go out in order",
      [History, Processes, Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))],
      ([history, processes, redrives]) =>
        Effect.flatMap(Journal, (journal) =>
          play(
            { journal, worker: freshName() },
            history,
            processes.map((process) => ({
              batchSize: process.batchSize,
              journal: process.journal.map(({ at, fault }) => journalFaults[fault](Faults.at(at))),
              publisher: process.publisher.map(({ at, fault }) => publisherFaults[fault](Faults.at(at)))
            })),
            redrives
          )
        ),
      {
        timeout: options.timeout,
        arbitrary: { runs: options.runs, ...(options.seed === undefined ? {} : { seed: options.seed }) }
      }
    )
  })
