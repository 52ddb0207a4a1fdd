/**
 * A worker over the journal while something goes wrong.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import * as Faults from "../Faults.ts"
import { play } from "./playing.ts"
import type { Behaviour, Sent, Trouble } from "./playing.ts"
import type { Must } from "./world.ts"

const behaviours: ReadonlyArray<Behaviour> = ["well", "slowly", "well", "fails once", "well", "badly", "well"]

/** 24 events of three keys: some wait, some fail once, some fail for good, some are sent twice. */
const history: ReadonlyArray<Sent> = Array.from({ length: 24 }, (_, index) => ({
  key: "abc".charAt(index % 3),
  does: behaviours[index % behaviours.length] ?? "well",
  repeats: index % 8 === 7 ? 3 : 0
}))

const journalFaults: ReadonlyArray<readonly [sentence: string, fault: (when: Faults.Moment) => Faults.JournalFault]> = [
  ["whose answers to commits are lost", Faults.lostAcknowledgement],
  ["that can't be reached", Faults.failureBeforeCommit],
  ["that is slow", (when) => Faults.slow(when)],
  ["to which another process writes in between", (when) => Faults.conflictingWriter(when)],
  ["to which another process writes the same in between", (when) => Faults.conflictingWriter(when, "the same")]
]

const crashes: ReadonlyArray<readonly [sentence: string, fault: (when: Faults.Moment) => Faults.JournalFault]> = [
  ["before its open", Faults.crashBeforeOpen],
  ["between its handlers and its commit", Faults.crashBeforeCommit],
  ["after its commit, before it is acknowledged", Faults.crashAfterCommit]
]

const publisherFaults: ReadonlyArray<readonly [sentence: string, trouble: Trouble]> = [
  ["is down for a while", { publisher: [Faults.refusedPublish((call) => call < 4)] }],
  ["answers to nobody", { publisher: [Faults.lostAnswer(Faults.every(2))] }],
  ["is slow", { publisher: [Faults.slowPublish(Faults.always)] }]
]

/**
 * What must hold of a worker whatever goes wrong.
 *
 * @category testing
 * @since 0.1.0
 */
export const faulty = (must: Must): void => {
  for (const [sentence, fault] of journalFaults) {
    must(`over a journal ${sentence}, loses nothing, keeps keys in order and gives an event one outcome`, (world) =>
      play(world, history, [{ batchSize: 5, journal: [fault(Faults.at(1, 3, 4))] }])
    )
  }
  for (const [sentence, fault] of crashes) {
    must(`that dies ${sentence}, loses nothing, keeps keys in order and gives an event one outcome`, (world) =>
      play(world, history, [{ batchSize: 5, journal: [fault(Faults.at(1, 3, 4))] }])
    )
  }
  for (const [sentence, trouble] of publisherFaults) {
    must(`whose receiver ${sentence}, publishes what it committed, in order, or leaves it waiting`, (world) =>
      play(world, history, [{ batchSize: 5, ...trouble }])
    )
  }
  must("that shares its batches with another process settles each event once", (world) =>
    play(world, history, [
      { batchSize: 5, journal: [Faults.slow(Faults.every(2))] },
      { batchSize: 3, journal: [Faults.crashAfterCommit(Faults.at(2))] }
    ])
  )
  must("whose letters are redriven while deliveries go on keeps keys in order", (world) =>
    play(world, history, [{ batchSize: 3 }, { batchSize: 4, journal: [Faults.slow(Faults.every(2))] }], 3)
  )
  must("in all these troubles at once does, too", (world) =>
    Effect.forEach(
      [1, 2, 3],
      (seed) =>
        play({ ...world, worker: world.another() }, history, [
          {
            batchSize: 4,
            journal: [...journalFaults, ...crashes].map(([, fault], index) =>
              fault(Faults.seeded(seed * 100 + index, 0.12))
            ),
            publisher: [
              Faults.lostAnswer(Faults.seeded(seed, 0.3)),
              Faults.refusedPublish(Faults.seeded(seed + 1, 0.3))
            ]
          },
          { batchSize: 7, journal: [Faults.crashBeforeCommit(Faults.seeded(seed, 0.3))] }
        ]),
      { discard: true }
    )
  )
}
