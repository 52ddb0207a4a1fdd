import { Journal, layerMemory } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import type { Gate } from "../Gate.ts"
import { times } from "../inTurn.ts"
import * as Requests from "./requests.ts"

const batches = 10
const size = 100

/** Counts, not times: what a worker asks of its journal for a batch of 100 keys is one read and one write. */
export const run = async (print: (text: string) => void): Promise<Gate> => {
  const calls = await Effect.runPromise(processed)
  const shown = Object.entries(calls).map(([name, count]) => `${count / batches} × \`${name}\``)
  print(`Journal calls a batch of ${size} keys: ${shown.join(", ")}.\n`)
  const total = Object.values(calls).reduce((sum, count) => sum + count, 0)
  return {
    what: "journal calls a batch",
    target: 2,
    gate: 2,
    unit: "calls",
    better: "smaller",
    // A batch without a read or without a write would be as wrong as one with two.
    reached: calls.open === batches && calls.commit === batches ? total / batches : undefined
  }
}

const processed = Effect.gen(function* () {
  const calls = { open: 0, commit: 0, other: 0 }
  const counting = Layer.effect(
    Journal,
    Effect.map(Journal, (journal): Journal["Service"] => {
      const counted =
        <Arguments extends ReadonlyArray<unknown>, A>(name: keyof typeof calls, call: (...values: Arguments) => A) =>
        (...values: Arguments): A => {
          calls[name] += 1
          return call(...values)
        }
      const { outbox, views } = journal
      return {
        durable: journal.durable,
        open: counted("open", journal.open),
        commit: counted("commit", journal.commit),
        read: counted("other", journal.read),
        subscribe: counted("other", journal.subscribe),
        parked: counted("other", journal.parked),
        outbox: { claim: counted("other", outbox.claim), settle: counted("other", outbox.settle) },
        views,
        prune: counted("other", journal.prune)
      }
    })
  ).pipe(Layer.provide(layerMemory))
  const next = Requests.feed(2 * size, size)
  yield* Effect.forEach(times(batches), () => Requests.worker.process(times(size).map(() => next().delivery)), {
    discard: true
  }).pipe(Effect.provide(counting))
  return calls
})
