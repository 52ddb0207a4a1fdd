/**
 * What every transport must do: one suite, run against each implementation with the promises it makes.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import * as Event from "../Event.ts"
import * as Journal from "../Journal.ts"
import type { Promises } from "../Transport.ts"
import * as Worker from "../Worker.ts"
import * as Faults from "./Faults.ts"

/**
 * One record to send.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sent {
  readonly key: string
  readonly bytes: Uint8Array
}

/**
 * Runs a worker behind the transport, sends the records in order, and ends when each was acknowledged or given up.
 *
 * @category models
 * @since 0.1.0
 */
export type Harness<E> = (
  worker: Worker.Worker<never>,
  layer: Layer.Layer<Journal.Journal>,
  records: ReadonlyArray<Sent>
) => Effect.Effect<void, E>

class TryLater extends Schema.TaggedError<TryLater>()("TryLater", { retryable: Schema.Boolean }) {}

/** The event of the suite's worker; `fails` is how often its handler refuses before it succeeds. */
const Noted = Event.make("Noted", {
  payload: Schema.Struct({ key: Schema.String, id: Schema.String, fails: Schema.Int, permanent: Schema.Boolean }),
  key: (payload) => payload.key,
  id: (payload) => payload.id
})

const noting = () => {
  const handled: Array<string> = []
  const tries = new Map<string, number>()
  const worker = Worker.make("noting", {
    events: [Noted],
    handle: {
      *Noted({ fails, id, permanent }) {
        const tried = (tries.get(id) ?? 0) + 1
        tries.set(id, tried)
        if (tried <= fails) yield* new TryLater({ retryable: !permanent })
        handled.push(id)
      }
    }
  })
  return { worker, handled }
}

const encoder = new TextEncoder()

const record = (id: string, options: { readonly fails?: number; readonly permanent?: boolean } = {}): Sent => {
  const key = id.slice(0, 1)
  const payload = { key, id, fails: options.fails ?? 0, permanent: options.permanent ?? false }
  return { key, bytes: encoder.encode(JSON.stringify(payload)) }
}

const ofKey = (ids: ReadonlyArray<string>, key: string) => ids.filter((id) => id.startsWith(key))

/**
 * Declares the tests of a transport.
 *
 * @category testing
 * @since 0.1.0
 */
export const suite = <E>(
  name: string,
  harness: Harness<E>,
  promises: Promises,
  options: {
    /** Milliseconds a test may take. Default 10 s. */
    readonly timeout?: number
    /** Also over a journal that is slow, fails, loses answers and is written to by others. Default `false`. */
    readonly faults?: boolean
  } = {}
): void => {
  describe(`Transport (${name})`, () => {
    const timeout = options.timeout ?? 10_000
    const many = Array.from({ length: 40 }, (_, index) => `${"abcd".charAt(index % 4)}${index}`)

    it.live(
      "delivers every record once",
      () =>
        Effect.gen(function* () {
          const { handled, worker } = noting()
          yield* harness(
            worker,
            Journal.layerMemory,
            many.map((id) => record(id))
          )
          assert.deepStrictEqual(handled.toSorted(), many.toSorted())
        }),
      timeout
    )

    it.live.skipIf(!promises.ordersKeys)(
      "keeps the order of a key (promise: ordersKeys)",
      () =>
        Effect.gen(function* () {
          const { handled, worker } = noting()
          yield* harness(
            worker,
            Journal.layerMemory,
            many.map((id) => record(id))
          )
          for (const key of "abcd") assert.deepStrictEqual(ofKey(handled, key), ofKey(many, key))
        }),
      timeout
    )

    it.live.skipIf(!promises.redelivers)(
      "delivers again what failed, in order, and nothing twice (promise: redelivers)",
      () =>
        Effect.gen(function* () {
          const { handled, worker } = noting()
          const ids = ["a1", "b1", "a2", "b2", "a3"]
          yield* harness(
            worker,
            Journal.layerMemory,
            ids.map((id) => record(id, { fails: id === "a1" ? 2 : 0 }))
          )
          assert.deepStrictEqual(ofKey(handled, "a"), ["a1", "a2", "a3"])
          assert.deepStrictEqual(ofKey(handled, "b"), ["b1", "b2"])
        }),
      timeout
    )

    it.live(
      "lets other keys pass a permanent failure, and holds what follows on its own",
      () =>
        Effect.gen(function* () {
          const { handled, worker } = noting()
          const ids = ["a1", "b1", "a2", "c1"]
          yield* harness(
            worker,
            Journal.layerMemory,
            ids.map((id) => record(id, id === "a1" ? { fails: 99, permanent: true } : {}))
          )
          assert.deepStrictEqual(handled.toSorted(), ["b1", "c1"])
        }),
      timeout
    )

    it.live(
      "lets records pass one that can't be read",
      () =>
        Effect.gen(function* () {
          const { handled, worker } = noting()
          const poison = { key: "a", bytes: encoder.encode("{nope") }
          yield* harness(worker, Journal.layerMemory, [record("a1"), poison, record("a2"), record("b1")])
          assert.deepStrictEqual(handled.toSorted(), ["a1", "a2", "b1"])
        }),
      timeout
    )

    it.live(
      "handles an id that was sent twice once",
      () =>
        Effect.gen(function* () {
          const { handled, worker } = noting()
          yield* harness(worker, Journal.layerMemory, [record("a1"), record("b1"), record("a1"), record("a2")])
          assert.deepStrictEqual(handled.toSorted(), ["a1", "a2", "b1"])
        }),
      timeout
    )

    if (options.faults === true) {
      for (const [sentence, fault, needs] of faults) {
        const skipped = needs === "redelivers" && !promises.redelivers
        it.live.skipIf(skipped)(
          `over a journal ${sentence} delivers everything, and gives each record one outcome${needs === undefined ? "" : ` (promise: ${needs})`}`,
          () => deliversOver(harness, promises, fault, many),
          timeout
        )
      }
    }
  })
}

/** What is wrong with the journal, and the promise without which the sender had to send again. */
const faults: ReadonlyArray<readonly [string, () => Faults.JournalFault, keyof Promises | undefined]> = [
  ["that is slow", () => Faults.slow(Faults.always, "5 millis"), undefined],
  ["whose answers get lost", () => Faults.lostAcknowledgement(Faults.at(1, 3)), "redelivers"],
  ["that can't be reached for a while", () => Faults.failureBeforeCommit(Faults.at(1, 2)), "redelivers"],
  ["to which another process writes in between", () => Faults.conflictingWriter(Faults.at(1, 3)), "redelivers"],
  [
    "to which another process writes the same in between",
    () => Faults.conflictingWriter(Faults.at(1, 3), "the same"),
    "redelivers"
  ]
]

const deliversOver = <E>(
  harness: Harness<E>,
  promises: Promises,
  fault: () => Faults.JournalFault,
  ids: ReadonlyArray<string>
): Effect.Effect<void, E | Journal.JournalError> =>
  Effect.gen(function* () {
    const { handled, worker } = noting()
    const sound = yield* Journal.Journal
    yield* harness(
      worker,
      Layer.succeed(Journal.Journal, Faults.journal(sound, [fault()])),
      ids.map((id) => record(id))
    )
    // A handler may run again when nothing was written of its first run; the journal has one outcome.
    assert.sameMembers([...new Set(handled)], [...ids])
    const entries = yield* Stream.runCollect(sound.read(0, { worker: worker.name }))
    const recorded = entries.flatMap(({ id, type }) => (type === Faults.intruder ? [] : [id]))
    assert.deepStrictEqual(recorded.toSorted(), ids.toSorted())
    if (promises.ordersKeys) for (const key of "abcd") assert.deepStrictEqual(ofKey(recorded, key), ofKey(ids, key))
  }).pipe(Effect.provide(Layer.fresh(Journal.layerMemory)))
