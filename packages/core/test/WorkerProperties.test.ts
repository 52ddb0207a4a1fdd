import { assert, describe, it } from "@effect/vitest"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Fetching from "@leat/core/Fetching"
import * as Journal from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Worker from "@leat/core/Worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

const Step = Event.make("Step", {
  payload: Schema.Struct({ key: Schema.String, id: Schema.String }),
  key: (payload) => payload.key,
  id: (payload) => payload.id
})

/** One record of a random history: its key, whether it repeats an earlier one, and how its handler behaves. */
const Record = Schema.Struct({
  key: Schema.Literals(["a", "b", "c", "d"]),
  /** 0: a new event. Else: the id of the record so many places before, sent again by its producer. */
  repeats: Schema.Literals([0, 0, 0, 1, 3]),
  behaves: Schema.Literals([
    "well",
    "well",
    "slowly",
    "late",
    "fails once",
    "fails twice",
    "never well",
    "badly",
    "unreadable"
  ])
})

const History = Schema.Array(Record).check(Schema.isMaxLength(40))

type History = typeof History.Type

const deliveriesOf = (history: History): ReadonlyArray<Delivery.Delivery> => {
  const ids: Array<{ readonly key: string; readonly id: string } | undefined> = []
  return history.map(({ behaves, key, repeats }, index) => {
    const earlier = repeats === 0 ? undefined : ids[index - repeats]
    const sent = earlier ?? { key, id: `${key}${index}` }
    const readable = earlier !== undefined || behaves !== "unreadable"
    ids.push(readable ? sent : undefined)
    return Delivery.make({
      position: String(index),
      partitionKey: sent.key,
      bytes: readable ? JSON.stringify(sent) : "{nope"
    })
  })
}

/** Plays a history's behaviours by id, and keeps the order in which handlers succeeded. */
const player = (history: History) => {
  const handled: Array<string> = []
  const tries = new Map<string, number>()
  const worker = Worker.make("player", {
    events: [Step],
    prepare: (items) =>
      Effect.sync(() => {
        const late = items.flatMap((item, place) => (history[indexOf(item.id)]?.behaves === "late" ? [place] : []))
        // As a batch without misses does: then nothing is said of fetching at all.
        return late.length === 0
          ? Context.empty()
          : Context.make(Fetching.Fetching, { places: late, until: Effect.sleep(1) })
      }),
    handle: {
      *Step({ id }) {
        const behaves = history[Number(id.slice(1))]?.behaves ?? "well"
        const tried = (tries.get(id) ?? 0) + 1
        tries.set(id, tried)
        if (behaves === "slowly") yield* Effect.yieldNow
        if (behaves === "fails once" && tried <= 1) yield* new Refused({ retryable: true })
        if (behaves === "fails twice" && tried <= 2) yield* new Refused({ retryable: true })
        if (behaves === "never well") yield* new Refused({ retryable: false })
        if (behaves === "badly") throw new Error("a bug")
        handled.push(id)
      }
    }
  })
  return { worker, handled }
}

const indexOf = (id: string) => Number(id.slice(1))

describe("Worker, over random histories", () => {
  for (const [name, attempts] of [
    ["without retries", 1],
    ["with retries", 3]
  ] as const) {
    it.effect.prop(
      `loses nothing, keeps each key's order and handles an id once, ${name}`,
      [History, Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: 12 }))],
      ([history, batchSize]) =>
        TestClock.withLive(
          Effect.gen(function* () {
            const { handled, worker } = player(history)
            const deliveries = deliveriesOf(history)
            const delivered = yield* MemoryTransport.run(worker, deliveries, { batchSize, maxAttempts: 20 })

            const unsettled = delivered.filter(
              ({ outcome }) => outcome._tag === "Failed" || outcome._tag === "Unstarted"
            )
            assert.strictEqual(delivered.length, deliveries.length, "every delivery has an outcome")
            assert.strictEqual(unsettled.length, 0, "and is settled in the end")

            assert.strictEqual(new Set(handled).size, handled.length, "no id was handled twice")
            for (const key of "abcd") {
              const order = handled.filter((id) => id.startsWith(key)).map(indexOf)
              assert.deepStrictEqual(
                order,
                order.toSorted((a, b) => a - b),
                "a key is in order"
              )
              const firstParked = history.findIndex(
                (record, index) =>
                  record.behaves !== "unreadable" &&
                  (record.behaves === "never well" || record.behaves === "badly") &&
                  deliveries[index] !== undefined &&
                  idOf(deliveries[index]) === `${key}${index}`
              )
              if (firstParked !== -1) {
                assert.isTrue(
                  order.every((index) => index < firstParked),
                  "nothing passes a parked event of its key"
                )
              }
            }

            const entries = yield* Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))
            const ids = entries.map((entry) => `${entry.type} ${entry.key} ${entry.id}`)
            assert.strictEqual(new Set(ids).size, ids.length, "the journal has one entry an id")
            const accounted = new Set(entries.map((entry) => entry.id))
            for (const delivery of deliveries) {
              assert.isTrue(accounted.has(idOf(delivery) ?? `0/${delivery.position}`), "and one for every delivery")
            }
          }).pipe(
            Effect.provide([Journal.layerMemory, RetryPolicy.layer(RetryPolicy.make({ attempts, base: 0, cap: 0 }))])
          )
        ),
      { arbitrary: { runs: 300 } }
    )
  }

  it.effect.prop(
    "lets two competing processes settle a delivery once, in each key's order",
    [History],
    ([history]) =>
      TestClock.withLive(
        Effect.gen(function* () {
          const deliveries = deliveriesOf(history)
          const compete = (seed: number) =>
            MemoryTransport.run(player(history).worker, deliveries, { batchSize: seed, maxAttempts: 50 })
          yield* Effect.all([compete(3), compete(5), compete(7)], { concurrency: "unbounded" })

          const entries = yield* Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))
          const ids = entries.map((entry) => `${entry.key} ${entry.id}`)
          assert.strictEqual(new Set(ids).size, ids.length, "one entry an id")
          for (const key of "abcd") {
            const order = entries.filter((entry) => entry.key === key).map((entry) => indexOf(entry.id))
            assert.deepStrictEqual(
              order,
              order.toSorted((a, b) => a - b),
              "a stream is in order"
            )
          }
          for (const delivery of deliveries) {
            assert.include(
              ids.map((id) => id.split(" ")[1]),
              idOf(delivery) ?? `0/${delivery.position}`
            )
          }
        }).pipe(Effect.provide(Journal.layerMemory))
      ),
    { arbitrary: { runs: 200 } }
  )
})

const idOf = (delivery: Delivery.Delivery): string | undefined => {
  const body = Buffer.from(delivery.bytes).toString()
  return body.startsWith("{nope") ? undefined : (JSON.parse(body) as { readonly id: string }).id
}
