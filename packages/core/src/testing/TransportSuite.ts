/**
 * What every transport must do: one suite, run against each implementation with the promises it makes.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import * as Event from "../Event.ts"
import * as Journal from "../Journal.ts"
import type { Promises } from "../Transport.ts"
import * as Worker from "../Worker.ts"

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
  options: { readonly timeout?: number } = {}
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
  })
}
