/**
 * A small shop whose processes die, compete and meet broken stores, and what must be true of its journal afterwards.
 *
 * @since 0.1.0
 */
import { assert } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import * as DeadLetters from "../../DeadLetters.ts"
import * as Delivery from "../../Delivery.ts"
import type { Envelope } from "../../Envelope.ts"
import * as Event from "../../Event.ts"
import { Journal } from "../../Journal.ts"
import type { JournalError } from "../../Journal.ts"
import { Publisher } from "../../Publisher.ts"
import * as Worker from "../../Worker.ts"
import * as Faults from "../Faults.ts"
import type { World } from "./world.ts"

/**
 * How the handler of an event behaves. `badly`: it fails for good, until the shop is mended.
 *
 * @category models
 * @since 0.1.0
 */
export type Behaviour = "well" | "slowly" | "fails once" | "badly"

/**
 * An event to send. Its place in the history is its id, unless it repeats an earlier one.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sent {
  readonly key: string
  readonly does: Behaviour
  /** 0, or how many places before stands the event that is sent again. */
  readonly repeats?: number | undefined
}

const Noted = Event.make("Noted", {
  payload: Schema.Struct({ key: Schema.String, id: Schema.String, does: Schema.String }),
  key: (payload) => payload.key,
  id: (payload) => payload.id
})

const Echoed = Event.make("Echoed", {
  payload: Schema.Struct({ key: Schema.String, id: Schema.String }),
  key: (payload) => payload.key,
  id: (payload) => payload.id
})

class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

/**
 * A shop, what was sent to it, and what its receiver got.
 *
 * @category models
 * @since 0.1.0
 */
export interface Shop {
  readonly name: string
  readonly deliveries: ReadonlyArray<Delivery.Delivery>
  /** Ids by key, in the order sent, each once. */
  readonly sent: ReadonlyMap<string, ReadonlyArray<string>>
  /** Starts a process: a worker that remembers nothing. */
  readonly process: () => Worker.Worker<never>
  readonly mend: () => void
  readonly received: Array<Envelope>
}

/**
 * Opens a shop.
 *
 * @category constructors
 * @since 0.1.0
 */
export const shop = (name: string, history: ReadonlyArray<Sent>): Shop => {
  let mended = false
  const failed = new Set<string>()
  const payloads: Array<{ readonly key: string; readonly id: string; readonly does: Behaviour }> = []
  for (const [index, { does, key, repeats = 0 }] of history.entries()) {
    payloads.push((repeats === 0 ? undefined : payloads[index - repeats]) ?? { key, id: `${key}${index}`, does })
  }
  const sent = new Map<string, Array<string>>()
  for (const { id, key } of payloads) {
    const ids = sent.get(key) ?? []
    if (!ids.includes(id)) ids.push(id)
    sent.set(key, ids)
  }
  const process = () =>
    Worker.make(name, {
      events: [Noted],
      handle: {
        *Noted({ does, id, key }) {
          if (does === "slowly") yield* Effect.yieldNow
          if (does === "badly" && !mended) yield* new Refused({ retryable: false })
          if (does === "fails once" && !failed.has(id)) {
            failed.add(id)
            yield* new Refused({ retryable: true })
          }
          return Echoed.make({ key, id })
        }
      }
    })
  return {
    name,
    deliveries: payloads.map((payload, index) =>
      Delivery.make({ position: String(index), partitionKey: payload.key, bytes: JSON.stringify(payload) })
    ),
    sent,
    process,
    mend: () => {
      mended = true
    },
    received: []
  }
}

/**
 * What is wrong around one process.
 *
 * @category models
 * @since 0.1.0
 */
export interface Trouble {
  readonly journal?: ReadonlyArray<Faults.JournalFault> | undefined
  readonly publisher?: ReadonlyArray<Faults.PublisherFault> | undefined
}

const publisherTo = (received: Array<Envelope>): Publisher => ({
  publish: (envelopes) =>
    Effect.sync(() => {
      received.push(...envelopes)
      return envelopes.map(() => Exit.void)
    })
})

/** Journal and publisher of one process: their faults count from its start on, over its restarts. */
const surroundings = (sound: Journal["Service"], { received }: Shop, { journal = [], publisher = [] }: Trouble) => {
  const faulty = Faults.journal(sound, journal)
  const sending = Faults.publisher(publisherTo(received), publisher)
  return <A, E>(self: Effect.Effect<A, E, Journal>): Effect.Effect<A, E> =>
    self.pipe(Effect.provideService(Publisher, sending), Effect.provideService(Journal, faulty))
}

/** Rounds after which a process that never comes to an end is one that goes round. */
const patience = 1_000

/**
 * Runs a process over all that was sent, as a transport does: it acknowledges the settled prefix, delivers again what is
 * not settled, and starts the process anew when it died.
 *
 * @category combinators
 * @since 0.1.0
 */
export const deliver = (
  sound: Journal["Service"],
  shop: Shop,
  options: Trouble & { readonly batchSize: number }
): Effect.Effect<void> =>
  Effect.gen(function* () {
    const within = surroundings(sound, shop, options)
    let worker = shop.process()
    let acknowledged = 0
    for (let round = 0; acknowledged < shop.deliveries.length; round++) {
      if (round > patience)
        assert.fail(`only ${acknowledged} of ${shop.deliveries.length} deliveries were ever settled`)
      const batch = shop.deliveries.slice(acknowledged, acknowledged + options.batchSize)
      const exit = yield* Effect.exit(within(worker.process(batch)))
      if (Exit.isSuccess(exit)) acknowledged += exit.value.settledPrefix
      else if (Faults.hasCrashed(exit)) worker = shop.process()
      else if (!isRetryable(exit)) yield* Effect.orDie(exit)
      yield* Effect.yieldNow
    }
  })

const isRetryable = (exit: Exit.Failure<unknown, JournalError>): boolean =>
  exit.cause.reasons.every((reason) => reason._tag === "Fail" && reason.error.retryable)

/**
 * Mends the shop and redrives what waits until nothing does, first with its faults, then without.
 *
 * @category combinators
 * @since 0.1.0
 */
export const redrive = (sound: Journal["Service"], shop: Shop, trouble: Trouble): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    shop.mend()
    yield* Effect.exit(surroundings(sound, shop, trouble)(DeadLetters.redriveAll(shop.process())))
    const within = surroundings(sound, shop, {})
    for (let round = 0; (yield* within(DeadLetters.list(shop.name))).length > 0; round++) {
      // What fails once fails in its first redrive.
      if (round > shop.deliveries.length) assert.fail("what waits is never redriven to its end")
      yield* within(DeadLetters.redriveAll(shop.process()))
    }
  })

/**
 * Nothing is lost, each key is in order, an event has one outcome, and what is committed is published or waits.
 *
 * @category testing
 * @since 0.1.0
 */
export const audit = (journal: Journal["Service"], shop: Shop): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    const all = yield* Stream.runCollect(journal.read(0, { worker: shop.name }))
    const entries = all.filter(({ type }) => type !== Faults.intruder)
    const keys = [...shop.sent.keys()]
    for (const key of keys) {
      const own = entries.filter((entry) => entry.key === key)
      const sent = shop.sent.get(key)
      assert.deepStrictEqual(
        own.filter(({ resolves }) => resolves === undefined).map(({ id }) => id),
        sent,
        `each event of ${key} is recorded once, in the order sent`
      )
      assert.deepStrictEqual(
        own.filter(({ outcome }) => outcome._tag === "Handled").map(({ id }) => id),
        sent,
        `each event of ${key} is handled once, in the order sent`
      )
      const versions = all.filter((entry) => entry.key === key).map(({ version }) => version)
      assert.deepStrictEqual(
        versions,
        versions.map((_, index) => index + 1),
        `the versions of ${key} have no gap`
      )
    }
    assert.deepStrictEqual(yield* journal.parked(shop.name), [], "nothing waits parked")

    const { heads } = yield* journal.open(
      shop.name,
      keys.map((key) => ({ key, deliveries: [] }))
    )
    const received = [...new Set(shop.received.map(({ id }) => id ?? ""))]
    for (const [index, key] of keys.entries()) {
      const emitted = (shop.sent.get(key) ?? []).map((id) => `${id}/${shop.name}/0`)
      const out = received.filter((id) => id.startsWith(key))
      assert.deepStrictEqual(out, emitted.slice(0, out.length), `the events of ${key} went out in order`)
      assert.isAtLeast(
        out.length + (heads[index]?.unpublished ?? 0),
        emitted.length,
        `the events of ${key} went out or wait`
      )
    }
  })

/** A person who mends the shop at some moment and redrives what waits, while deliveries go on. */
const meanwhile = (sound: Journal["Service"], shop: Shop, redrives: number): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    for (let round = 0; round < redrives; round++) {
      for (let turn = 0; turn < 5; turn++) yield* Effect.yieldNow
      shop.mend()
      yield* surroundings(sound, shop, {})(DeadLetters.redriveAll(shop.process()))
    }
  })

/**
 * Processes side by side over one history, redrives meanwhile and in the end, and the audit.
 *
 * @category testing
 * @since 0.1.0
 */
export const play = (
  { journal, worker }: Pick<World, "journal" | "worker">,
  history: ReadonlyArray<Sent>,
  processes: ReadonlyArray<Trouble & { readonly batchSize: number }>,
  redrives = 0
): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    const played = shop(worker, history)
    yield* Effect.all(
      [
        Effect.forEach(processes, (options) => deliver(journal, played, options), { concurrency: "unbounded" }),
        meanwhile(journal, played, redrives)
      ],
      { concurrency: "unbounded" }
    )
    yield* redrive(journal, played, processes[0] ?? {})
    yield* audit(journal, played)
  })
