import { assert, describe, it } from "@effect/vitest"
import * as DeadLetterSink from "@leat/core/DeadLetterSink"
import * as Deadline from "@leat/core/Deadline"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Fetching from "@leat/core/Fetching"
import * as Guarantees from "@leat/core/Guarantees"
import * as Journal from "@leat/core/Journal"
import * as Lanes from "@leat/core/Lanes"
import * as Publisher from "@leat/core/Publisher"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Worker from "@leat/core/Worker"
import * as WorkerEvent from "@leat/core/WorkerEvent"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, id: Schema.String, does: Schema.optionalKey(Schema.String) }),
  key: (payload) => payload.user,
  id: (payload) => payload.id
})
const Shipped = Event.make("Shipped", {
  payload: Schema.Struct({ id: Schema.String }),
  key: (payload) => payload.id,
  id: (payload) => payload.id
})

const order = (id: string, does?: string) => JSON.stringify({ user: id.slice(0, 1), id, ...(does ? { does } : {}) })

const batchOf = (...bodies: ReadonlyArray<string>) =>
  bodies.map((bytes, index) => Delivery.make({ position: String(index + 1), bytes }))

/** A worker whose payloads say what to do, and the ids it handled. */
const scripted = () => {
  const handled: Array<string> = []
  const worker = Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ id, does }) {
        if (does === "wait") yield* Effect.sleep(10)
        if (does === "refuse") yield* new Refused({ retryable: false })
        if (does === "try-later") yield* new Refused({ retryable: true })
        if (does === "bug") throw new TypeError("a bug")
        handled.push(id)
        return does === "emit" ? Shipped.make({ id }) : undefined
      }
    }
  })
  return { worker, handled }
}

const tags = (result: { readonly outcomes: ReadonlyArray<{ readonly _tag: string }> }) =>
  result.outcomes.map((outcome) => outcome._tag)

const live = <A, E>(self: Effect.Effect<A, E>) => TestClock.withLive(self)

describe("Worker", () => {
  it.effect("handles every delivery of a batch and settles all of it", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      const result = yield* worker.process(batchOf(order("a1"), order("b1"), order("a2")))
      assert.deepStrictEqual(tags(result), ["Handled", "Handled", "Handled"])
      assert.strictEqual(result.settledPrefix, 3)
      assert.deepStrictEqual(handled, ["a1", "b1", "a2"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("keeps a key in order when an earlier event of it waits, and lets other keys pass", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      yield* live(
        worker.process(batchOf(order("a1", "wait"), order("b1"), order("a2"))).pipe(Effect.provide(Journal.layerMemory))
      )
      assert.deepStrictEqual(handled, ["b1", "a1", "a2"])
    })
  )

  it.effect("finds the outcome of a redelivery and doesn't run the handler again", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      yield* worker.process(batchOf(order("a1"), order("b1")))
      const again = yield* worker.process(batchOf(order("a1"), order("b2"), order("b1")))
      assert.deepStrictEqual(tags(again), ["Duplicate", "Handled", "Duplicate"])
      assert.deepStrictEqual(handled, ["a1", "b1", "b2"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("treats the second of two equal ids in one batch as a duplicate", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      const result = yield* worker.process(batchOf(order("a1"), order("a1")))
      assert.deepStrictEqual(tags(result), ["Handled", "Duplicate"])
      assert.deepStrictEqual(handled, ["a1"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("parks the key of a permanent failure, in order, and lets the others pass", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      const result = yield* worker.process(batchOf(order("a1", "refuse"), order("b1"), order("a2")))
      assert.deepStrictEqual(tags(result), ["Parked", "Handled", "Parked"])
      assert.strictEqual(result.settledPrefix, 3)
      const next = yield* worker.process(batchOf(order("a3"), order("b2")))
      assert.deepStrictEqual(tags(next), ["Parked", "Handled"])
      assert.deepStrictEqual(handled, ["b1", "b2"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("halts the lane of a transient failure: the transport delivers again from there", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      const result = yield* worker.process(batchOf(order("b1"), order("a1", "try-later"), order("b2"), order("a2")))
      assert.deepStrictEqual(tags(result), ["Handled", "Failed", "Handled", "Unstarted"])
      assert.strictEqual(result.settledPrefix, 1)
      assert.deepStrictEqual(handled, ["b1", "b2"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("never retries a defect: it parks with its trace", () =>
    Effect.gen(function* () {
      const { worker } = scripted()
      const result = yield* worker.process(batchOf(order("a1", "bug")))
      const [outcome] = result.outcomes
      assert.strictEqual(outcome?._tag, "Parked")
      assert.strictEqual(outcome?._tag === "Parked" ? outcome.reason : "", "TypeError: a bug")
      assert.match(outcome?._tag === "Parked" ? (outcome.trace ?? "") : "", /TypeError: a bug[\s\S]*Worker\.test\.ts/)
    }).pipe(Effect.provide([Journal.layerMemory, RetryPolicy.layer({ attempts: 3 })]))
  )

  it.effect("parks what can't be read, with its bytes, and goes on", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      const result = yield* worker.process(batchOf("{nope", order("a1"), '{"user":"a"}', '{"user":1,"id":2}'))
      assert.deepStrictEqual(tags(result), ["Parked", "Handled", "Parked", "Parked"])
      assert.deepStrictEqual(handled, ["a1"])
      const [, , , both] = result.outcomes
      assert.match(both?._tag === "Parked" ? both.reason : "", /user[\s\S]*id/)
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("holds a key behind an event of it that only a newer program can read", () =>
    Effect.gen(function* () {
      const { handled, worker } = scripted()
      const newer = JSON.stringify({ specversion: "1.0", id: "n1", type: "Ordered", dataversion: 2, data: {} })
      const batch = [
        Delivery.make({ position: "1", partitionKey: "a", bytes: newer }),
        Delivery.make({ position: "2", partitionKey: "a", bytes: order("a2") }),
        Delivery.make({ position: "3", partitionKey: "b", bytes: order("b1") })
      ]
      assert.deepStrictEqual(tags(yield* worker.process(batch)), ["Parked", "Parked", "Handled"])
      const halted = yield* worker.process(batch).pipe(Effect.provide(Layer.fresh(Journal.layerNone)))
      assert.deepStrictEqual(tags(halted), ["Failed", "Unstarted", "Handled"])
      assert.deepStrictEqual(handled, ["b1", "b1"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("skips and records a failure where the policy says so", () =>
    Effect.gen(function* () {
      const { worker } = scripted()
      const result = yield* worker.process(batchOf(order("a1", "refuse"), order("a2"), "{nope"))
      assert.deepStrictEqual(tags(result), ["Skipped", "Handled", "Skipped"])
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ permanent: "skip" })]))
  )

  it.effect("counts a transient failure as permanent from the delivery attempt the policy names", () =>
    Effect.gen(function* () {
      const { worker } = scripted()
      const attempt = (n: number) => [Delivery.make({ position: "1", bytes: order("a1", "try-later"), attempt: n })]
      assert.deepStrictEqual(tags(yield* worker.process(attempt(2))), ["Failed"])
      assert.deepStrictEqual(tags(yield* worker.process(attempt(3))), ["Parked"])
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ maxAttempts: 3 })]))
  )

  it.effect("retries a transient failure by the policy, calling the handler anew each time", () =>
    Effect.gen(function* () {
      let calls = 0
      const worker = Worker.make("flaky", {
        events: [Ordered],
        handle: {
          *Ordered() {
            calls += 1
            if (calls < 3) yield* new Refused({ retryable: true })
          }
        }
      })
      const fiber = yield* Effect.forkChild(worker.process(batchOf(order("a1"), order("a2"))))
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(tags(yield* Fiber.join(fiber)), ["Handled", "Handled"])
      assert.strictEqual(calls, 4)
    }).pipe(Effect.provide([Journal.layerMemory, RetryPolicy.layer({ attempts: 3 })]))
  )

  describe("under a deadline", () => {
    it.effect("hands back, unstarted, what can't start before it", () =>
      Effect.gen(function* () {
        const { worker, handled } = scripted()
        const result = yield* worker
          .process(batchOf(order("a1"), order("b1")))
          .pipe(Effect.provideService(Deadline.Deadline, Deadline.reserve))
        assert.deepStrictEqual(tags(result), ["Unstarted", "Unstarted"])
        assert.deepStrictEqual(handled, [])
      }).pipe(Effect.provide(Journal.layerMemory))
    )

    it.effect("interrupts a handler in flight and settles the rest", () =>
      Effect.gen(function* () {
        const worker = Worker.make("slow", {
          events: [Ordered],
          handle: {
            *Ordered({ does }) {
              if (does === "wait") yield* Effect.never
            }
          }
        })
        const fiber = yield* worker
          .process(batchOf(order("b1"), order("a1", "wait"), order("a2"), order("c1")))
          .pipe(Effect.provideService(Deadline.Deadline, 2_000), Effect.forkChild)
        yield* TestClock.adjust("1500 millis")
        const result = yield* Fiber.join(fiber)
        assert.deepStrictEqual(tags(result), ["Handled", "Failed", "Unstarted", "Handled"])
        assert.strictEqual(result.outcomes[1]?._tag === "Failed" && result.outcomes[1].retryable, true)
      }).pipe(Effect.provide(Journal.layerMemory))
    )
  })

  describe("without a journal", () => {
    it.effect("halts where it would park, and reports what can't be read as failed", () =>
      Effect.gen(function* () {
        const { worker } = scripted()
        const result = yield* worker.process(batchOf(order("b1"), order("a1", "refuse"), "{nope", order("a2")))
        assert.deepStrictEqual(tags(result), ["Handled", "Failed", "Failed", "Unstarted"])
        assert.strictEqual(result.settledPrefix, 1)
      }).pipe(Effect.provide(Journal.layerNone))
    )

    it.effect("gives what it can't handle to the dead-letter sink, with its bytes, and goes on", () =>
      Effect.gen(function* () {
        const { worker, handled } = scripted()
        const letters: Array<DeadLetterSink.DeadLetter> = []
        const result = yield* worker
          .process(batchOf(order("a1", "refuse"), "{nope", order("a2"), order("b1", "try-later")))
          .pipe(Effect.provide([Journal.layerNone, DeadLetterSink.layerMemory(letters)]))
        assert.deepStrictEqual(tags(result), ["Parked", "Parked", "Handled", "Failed"])
        assert.deepStrictEqual(handled, ["a2"])
        assert.deepStrictEqual(letters.map((letter) => letter.delivery.position).toSorted(), ["1", "2"])
      })
    )

    it.effect("keeps a record whose dead letter the sink refuses", () =>
      Effect.gen(function* () {
        const { worker } = scripted()
        const refusing = DeadLetterSink.layer({
          accept: (letters) =>
            Effect.succeed(
              letters.map(() => Exit.fail(new DeadLetterSink.DeadLetterError({ message: "full", retryable: true })))
            )
        })
        const result = yield* worker
          .process(batchOf("{nope", order("a1", "refuse"), order("a2")))
          .pipe(Effect.provide([Journal.layerNone, refusing]))
        assert.deepStrictEqual(tags(result), ["Failed", "Failed", "Unstarted"])
      })
    )
  })

  describe("with events returned", () => {
    it.effect("publishes them under ids that follow from their cause", () =>
      Effect.gen(function* () {
        const { worker } = scripted()
        const published: Array<{ readonly id: string | undefined; readonly causationId: string | undefined }> = []
        yield* worker
          .process(batchOf(order("a1", "emit"), order("b1")))
          .pipe(Effect.provide([Journal.layerMemory, Publisher.layerMemory(published as never)]))
        assert.deepStrictEqual(
          published.map(({ id, causationId }) => [id, causationId]),
          [["a1/shop/0", "a1"]]
        )
      })
    )

    it.effect("fails the record whose event was not accepted, and what follows on its key", () =>
      Effect.gen(function* () {
        const { worker } = scripted()
        const down = Publisher.layer({
          publish: (envelopes) =>
            Effect.succeed(
              envelopes.map(() =>
                Exit.fail(new Publisher.PublishError({ reason: "Unavailable", message: "down", retryable: true }))
              )
            )
        })
        const result = yield* worker
          .process(batchOf(order("b1"), order("a1", "emit"), order("a2"), order("b2")))
          .pipe(Effect.provide([Journal.layerNone, down]))
        assert.deepStrictEqual(tags(result), ["Handled", "Failed", "Failed", "Handled"])
      })
    )
  })

  it.effect("hands back what a publisher or a dead-letter sink holds beyond the deadline", () =>
    Effect.gen(function* () {
      const { worker } = scripted()
      const stuck = Layer.mergeAll(
        Journal.layerNone,
        Publisher.layer({ publish: () => Effect.never }),
        DeadLetterSink.layer({ accept: () => Effect.never })
      )
      const outcomesOf = Effect.fnUntraced(function* (...bodies: ReadonlyArray<string>) {
        const fiber = yield* worker
          .process(batchOf(...bodies))
          .pipe(
            Effect.provide(stuck),
            Effect.provideService(Deadline.Deadline, (yield* Clock.currentTimeMillis) + 1_000),
            Effect.forkChild
          )
        yield* TestClock.adjust("1 second")
        return tags(yield* Fiber.join(fiber))
      })
      assert.deepStrictEqual(yield* outcomesOf(order("a1", "emit"), order("a2"), order("b1")), [
        "Failed",
        "Failed",
        "Handled"
      ])
      assert.deepStrictEqual(yield* outcomesOf("{nope", order("b1")), ["Failed", "Handled"])
    })
  )

  describe("with prepare", () => {
    class Prices extends Context.Service<Prices, { readonly of: (id: string) => Effect.Effect<number> }>()(
      "@leat/core/test/Worker.test/Prices"
    ) {}

    it.effect("reads once for the batch and closes its scope before the commit", () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const worker = Worker.make("priced", {
          events: [Ordered],
          prepare: (items) =>
            Effect.gen(function* () {
              log.push(`read ${items.map((item) => item.payload.id).join(" ")}`)
              yield* Effect.addFinalizer(() => Effect.sync(() => log.push("flush")))
              return Context.make(Prices, { of: (id) => Exit.succeed(id.length) })
            }),
          handle: {
            *Ordered({ id }) {
              const price = yield* (yield* Prices).of(id)
              log.push(`${id} ${price}`)
            }
          }
        })
        const journal = yield* Journal.Journal
        const watched = Journal.Journal.of({
          ...journal,
          commit: (name, lanes) =>
            Effect.andThen(
              Effect.sync(() => log.push("commit")),
              journal.commit(name, lanes)
            )
        })
        const app = Prices.of({ of: () => Effect.die("the application's own must be shadowed") })
        yield* worker
          .process(batchOf(order("a1"), order("b1")))
          .pipe(Effect.provideService(Journal.Journal, watched), Effect.provideService(Prices, app))
        yield* worker
          .process(batchOf(order("a1"), order("c1")))
          .pipe(Effect.provideService(Journal.Journal, watched), Effect.provideService(Prices, app))
        assert.deepStrictEqual(log, [
          "read a1 b1",
          "a1 2",
          "b1 2",
          "flush",
          "commit",
          "read c1",
          "c1 2",
          "flush",
          "commit"
        ])
      }).pipe(Effect.provide(Journal.layerMemory))
    )

    it.effect("handles what it is still fetching for afterwards, in each key's order, and the rest meanwhile", () =>
      Effect.gen(function* () {
        const log: Array<string> = []
        const worker = Worker.make("fetching", {
          events: [Ordered],
          prepare: (items) =>
            Effect.sync(() =>
              Context.make(Fetching.Fetching, {
                places: items.flatMap((item, place) => (item.payload.does === "fetch" ? [place] : [])),
                until: Effect.andThen(
                  Effect.sleep(100),
                  Effect.sync(() => log.push("fetched"))
                )
              })
            ),
          handle: {
            *Ordered({ does, id }) {
              if (does === "wait") yield* Effect.sleep(200)
              log.push(id)
            }
          }
        })
        const batch = batchOf(order("a1", "fetch"), order("b1", "wait"), order("a2"), order("b2", "fetch"), order("c1"))
        const fiber = yield* Effect.forkChild(worker.process(batch))
        yield* TestClock.adjust("1 second")
        const result = yield* Fiber.join(fiber)
        assert.strictEqual(result.settledPrefix, 5)
        assert.deepStrictEqual(log, ["c1", "fetched", "a1", "a2", "b1", "b2"])
      }).pipe(Effect.provide(Journal.layerMemory))
    )

    it.effect("gives what can't be read behind an event it is fetching for to the dead-letter sink too", () =>
      Effect.gen(function* () {
        const letters: Array<DeadLetterSink.DeadLetter> = []
        const worker = Worker.make("fetching", {
          events: [Ordered],
          prepare: (items) =>
            Effect.succeed(
              Context.make(Fetching.Fetching, { places: items.map((_, place) => place), until: Effect.void })
            ),
          handle: { Ordered: () => Effect.void }
        })
        const newer = JSON.stringify({ specversion: "1.0", id: "n1", type: "Ordered", dataversion: 2, data: {} })
        const batch = [
          Delivery.make({ position: "1", partitionKey: "a", bytes: order("a1") }),
          Delivery.make({ position: "2", partitionKey: "a", bytes: newer })
        ]
        const result = yield* worker
          .process(batch)
          .pipe(Effect.provide([Layer.fresh(Journal.layerNone), DeadLetterSink.layerMemory(letters)]))
        assert.deepStrictEqual(tags(result), ["Handled", "Parked"])
        assert.strictEqual(letters.length, 1)
      })
    )

    it.effect("fails what it was still fetching for when the time ran out, and hands back what follows", () =>
      Effect.gen(function* () {
        const worker = Worker.make("fetching", {
          events: [Ordered],
          prepare: (items) =>
            Effect.succeed(
              Context.make(Fetching.Fetching, { places: items.map((_, place) => place), until: Effect.never })
            ),
          handle: { Ordered: () => Effect.void }
        })
        const fiber = yield* worker
          .process(batchOf(order("a1"), order("a2"), order("b1")))
          .pipe(Effect.provideService(Deadline.Deadline, 2_000), Effect.forkChild)
        yield* TestClock.adjust("1500 millis")
        assert.deepStrictEqual(tags(yield* Fiber.join(fiber)), ["Failed", "Unstarted", "Failed"])
      }).pipe(Effect.provide(Journal.layerMemory))
    )

    it.effect("goes on without what a prepare that died couldn't fetch", () =>
      Effect.gen(function* () {
        const told: Array<string> = []
        const worker = Worker.make("unprepared", {
          events: [Ordered],
          prepare: (): Effect.Effect<Context.Context<never>> => Effect.die("no connection"),
          handle: { Ordered: () => Effect.void }
        })
        const reader = WorkerEvent.layer(
          Effect.succeed({
            onEvent: (event: WorkerEvent.WorkerEvent) => void told.push(event._tag),
            flush: Effect.void
          })
        )
        const result = yield* worker.process(batchOf(order("a1"))).pipe(Effect.provide([Journal.layerMemory, reader]))
        assert.deepStrictEqual(tags(result), ["Handled"])
        assert.deepStrictEqual(told, ["PrepareFailed", "BatchFinished"])
      })
    )
  })

  it.effect("gives calls that share a key their turns, in order of arrival", () =>
    Effect.gen(function* () {
      const { worker, handled } = scripted()
      yield* live(
        Effect.gen(function* () {
          const first = yield* Effect.forkChild(worker.process(batchOf(order("a1", "wait"), order("b1", "wait"))), {
            startImmediately: true
          })
          const second = yield* Effect.forkChild(worker.process(batchOf(order("a2"), order("c1"))), {
            startImmediately: true
          })
          const third = yield* Effect.forkChild(worker.process(batchOf(order("d1"))), { startImmediately: true })
          const results = yield* Effect.forEach([first, second, third], (fiber) => Fiber.join(fiber))
          assert.deepStrictEqual(results.flatMap(tags), ["Handled", "Handled", "Handled", "Handled", "Handled"])
        }).pipe(Effect.provide(Journal.layerMemory))
      )
      assert.deepStrictEqual(handled, ["d1", "a1", "b1", "a2", "c1"])
    })
  )

  it.effect("commits the other lanes when one lane's stream was moved by somebody else", () =>
    Effect.gen(function* () {
      const journal = yield* Journal.Journal
      const meddling = Journal.Journal.of({
        ...journal,
        commit: (name, lanes) =>
          journal.commit(
            name,
            lanes.map((lane) => (lane.key === "a" ? { ...lane, expected: 7 } : lane))
          )
      })
      const { worker } = scripted()
      const result = yield* worker
        .process(batchOf(order("b1"), order("a1"), order("b2")))
        .pipe(Effect.provideService(Journal.Journal, meddling))
      assert.deepStrictEqual(tags(result), ["Handled", "Failed", "Handled"])
      assert.strictEqual(result.settledPrefix, 1)
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("regression: does not wait for a journal that stands still beyond its deadline, and begins nothing", () =>
    Effect.gen(function* () {
      const still = Journal.Journal.of({ ...(yield* Journal.Journal), open: () => Effect.never })
      const { handled, worker } = scripted()
      const fiber = yield* worker
        .process(batchOf(order("a1")))
        .pipe(
          Effect.provideService(Journal.Journal, still),
          Effect.provideService(Deadline.Deadline, (yield* Clock.currentTimeMillis) + 1_000),
          Effect.flip,
          Effect.forkChild
        )
      yield* TestClock.adjust("1 second")
      const error = yield* Fiber.join(fiber)
      assert.deepStrictEqual([error.operation, error.reason, error.retryable], ["open", "Unavailable", true])
      assert.deepStrictEqual(handled, [])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("fails as a whole only when the journal does, and tells it", () =>
    Effect.gen(function* () {
      const broken = Journal.Journal.of({
        ...(yield* Journal.Journal),
        commit: () =>
          Effect.fail(
            new Journal.JournalError({
              operation: "commit",
              reason: "Unavailable",
              message: "disk full",
              retryable: true
            })
          )
      })
      const { worker } = scripted()
      const error = yield* Effect.flip(
        worker.process(batchOf(order("a1"))).pipe(Effect.provideService(Journal.Journal, broken))
      )
      assert.strictEqual(error.message, "disk full")
      const again = yield* worker.process(batchOf(order("a1")))
      assert.deepStrictEqual(tags(again), ["Handled"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("counts partition keys that a payload doesn't ask for, and refuses them by config", () =>
    Effect.gen(function* () {
      const told: Array<number> = []
      const reader = WorkerEvent.layer(
        Effect.succeed({
          onEvent: (event: WorkerEvent.WorkerEvent) =>
            void (event._tag === "BatchFinished" && told.push(event.mismatchedKeys)),
          flush: Effect.void
        })
      )
      const batch = [
        Delivery.make({ position: "1", bytes: order("a1"), partitionKey: "a" }),
        Delivery.make({ position: "2", bytes: order("a2"), partitionKey: "z" })
      ]
      const counted = yield* scripted().worker.process(batch).pipe(Effect.provide(reader))
      const refused = yield* scripted()
        .worker.process(batch)
        .pipe(
          Effect.provideService(Lanes.KeyMismatch, "refuse"),
          Effect.provide([reader, Layer.fresh(Journal.layerMemory)])
        )
      assert.deepStrictEqual(told, [1, 1])
      assert.deepStrictEqual(
        [tags(counted), tags(refused)],
        [
          ["Handled", "Handled"],
          ["Handled", "Parked"]
        ]
      )
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("answers an empty batch", () =>
    Effect.gen(function* () {
      const result = yield* scripted().worker.process([])
      assert.deepStrictEqual(result, { outcomes: [], settledPrefix: 0 })
    }).pipe(Effect.provide(Layer.mergeAll(Journal.layerMemory)))
  )
})

describe("Guarantees", () => {
  const said = (layer: Layer.Layer<Journal.Journal>) =>
    Effect.map(Effect.provide(Effect.context<Journal.Journal>(), layer), (context) =>
      Guarantees.describe(context).join("; ")
    )

  it.effect("say what holds with a journal, and what no longer does without one", () =>
    Effect.gen(function* () {
      assert.match(yield* said(Journal.layerMemory), /effectively once.*never block a partition/)
      assert.match(
        yield* said(Journal.layerNone),
        /at least once.*park needs a journal.*on-failure destination.*dropped/
      )
      const withParts = Layer.mergeAll(Journal.layerNone, DeadLetterSink.layerMemory([]), Publisher.layerMemory([]))
      assert.match(yield* said(withParts), /to the dead-letter sink.*before the acknowledgement/)
    })
  )
})
