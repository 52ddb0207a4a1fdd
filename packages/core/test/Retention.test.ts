import { assert, describe, it } from "@effect/vitest"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as Retention from "@leat/core/Retention"
import * as Worker from "@leat/core/Worker"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const Noted = Event.make("Noted", {
  payload: Schema.Struct({ id: Schema.String }),
  key: ({ id }) => id.slice(0, 1),
  id: ({ id }) => id
})

const worker = Worker.make("notes", {
  events: [Noted],
  handle: {
    Noted: ({ id }) => (id === "b1" ? Effect.fail({ _tag: "Refused", retryable: false }) : Effect.void)
  }
})

const note = (...ids: ReadonlyArray<string>) =>
  worker.process(
    Delivery.ofEvent(
      Noted,
      ids.map((id) => ({ id }))
    )
  )

const kept = Effect.flatMap(Journal.Journal, ({ read }) =>
  Effect.map(Stream.runCollect(read(0)), (entries) =>
    entries.map(({ compacted, id }) => (compacted ? `${id} compacted` : id))
  )
)

const days = (count: number) => TestClock.adjust(`${count} days`)

describe("Retention", () => {
  it.effect("compacts what is old and forgets what is very old, but never what waits parked", () =>
    Effect.gen(function* () {
      yield* note("a1", "b1", "b2")
      yield* days(5)
      yield* note("a2")
      const retention = { compactAfter: "3 days", forgetAfter: "10 days" } as const
      assert.deepStrictEqual(yield* Retention.prune(retention), { compacted: 1, forgotten: 0 })
      assert.deepStrictEqual(yield* kept, ["a1 compacted", "b1", "b2", "a2"])
      yield* days(6)
      assert.deepStrictEqual(yield* Retention.prune(retention), { compacted: 1, forgotten: 1 })
      assert.deepStrictEqual(yield* kept, ["b1", "b2", "a2 compacted"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("prunes in the background, at the start and every hour, by its variables", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.Journal
      yield* note("a1")
      yield* days(2)
      const variables = ConfigProvider.layer(ConfigProvider.fromEnv({ env: { JOURNAL_FORGET_AFTER: "1 day" } }))
      yield* Layer.build(Layer.provide(Retention.layerConfig, [variables, Layer.succeed(Journal.Journal, journal)]))
      yield* TestClock.adjust(0)
      assert.deepStrictEqual(yield* kept, [])
      yield* note("a2")
      yield* TestClock.adjust("24 hours")
      assert.deepStrictEqual(yield* kept, ["a2"])
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(yield* kept, [])
    }).pipe(Effect.scoped, Effect.provide(Journal.layerMemory))
  )

  it.effect("does nothing where no age is set, or no journal is kept", () =>
    Effect.gen(function* () {
      yield* Layer.build(Layer.provide(Retention.layer({}), Journal.layerMemory))
      yield* Layer.build(Layer.provide(Retention.layer({ forgetAfter: "1 day" }), Journal.layerNone))
    }).pipe(Effect.scoped)
  )
})
