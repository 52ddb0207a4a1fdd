import { assert, describe, it } from "@effect/vitest"
import * as Codec from "@leat/core/Codec"
import * as DeadLetters from "@leat/core/DeadLetters"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as Faults from "../src/testing/Faults.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, id: Schema.String }),
  key: (payload) => payload.user,
  id: (payload) => payload.id
})

const order = (id: string) => JSON.stringify({ user: id.slice(0, 1), id })

let position = 0
/** Ids as deliveries; a body that starts with `{` is sent as it is. */
const batchOf = (...bodies: ReadonlyArray<string>) =>
  bodies.map((body) =>
    Delivery.make({
      position: String((position += 1)),
      partitionKey: body.slice(0, 1),
      bytes: body.startsWith("{") ? body : order(body)
    })
  )

/** A shop whose orders fail while a test says so. */
const shop = (options: { readonly eager?: boolean } = {}) => {
  const handled: Array<string> = []
  const broken = new Set<string>()
  const down = new Set<string>()
  const make = () =>
    Worker.make("shop", {
      events: [Ordered],
      handle: {
        *Ordered({ id }) {
          if (broken.has(id)) yield* new Refused({ message: `no ${id}`, retryable: false })
          if (down.has(id)) yield* new Refused({ message: `not now, ${id}`, retryable: true })
          if (options.eager !== true) yield* Effect.yieldNow
          handled.push(id)
        }
      }
    })
  return { worker: make(), another: make, handled, broken, down }
}

const tags = (result: { readonly outcomes: ReadonlyArray<{ readonly _tag: string }> }) =>
  result.outcomes.map((outcome) => outcome._tag)

const entries = Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))
const waiting = (key?: string) =>
  Effect.map(
    Effect.flatMap(Journal.Journal, ({ parked }) => parked("shop", { key, limit: 10_000 })),
    (parked) => parked.map(({ id }) => id)
  )
/** Outcomes by id in the order of the journal, first records and resolutions alike. */
const story = Effect.map(entries, (all) =>
  all.map(({ id, outcome, resolves }) => `${id} ${outcome._tag}${resolves === undefined ? "" : " again"}`)
)

const memory = Effect.provide(Journal.layerMemory)

describe("a dead letter", () => {
  it.effect("waits with its bytes, its reason and trace, and how often it was tried", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      yield* TestClock.adjust(7)
      const batch = batchOf("a1", "a2")
      yield* worker.process(batch)
      yield* DeadLetters.redrive(worker, "a")
      yield* DeadLetters.redrive(worker, "a")
      const [first, second] = yield* DeadLetters.inspect("shop", "a")
      const { attempt, partition, partitionKey, position } =
        first?.delivery ?? Delivery.make({ position: "", bytes: "" })
      assert.deepStrictEqual([partition, position, partitionKey, attempt], ["0", batch[0]?.position, "a", 1])
      assert.deepStrictEqual(first?.delivery.bytes, batch[0]?.bytes)
      assert.strictEqual(Buffer.from(first?.bytes ?? []).toString(), order("a1"))
      assert.deepStrictEqual([first?.type, first?.id, first?.attempts, first?.at], ["Ordered", "a1", 3, 7])
      assert.match(first?.reason ?? "", /no a1/)
      assert.match(first?.trace ?? "", /DeadLetters\.test\.ts/)
      assert.deepStrictEqual([second?.id, second?.attempts], ["a2", 0])
      assert.match(second?.reason ?? "", /behind/)
    }).pipe(memory)
  )

  it.effect("tells the reason of its last attempt", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      broken.clear()
      broken.add("a2")
      yield* DeadLetters.redrive(worker, "a")
      const [letter] = yield* DeadLetters.inspect("shop", "a")
      assert.strictEqual(letter?.id, "a2")
      assert.match(letter?.reason ?? "", /no a2/)
    }).pipe(memory)
  )

  it.effect("is listed under its key, the longest waiting first", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      for (const id of ["b1", "a1"]) broken.add(id)
      yield* worker.process(batchOf("b1", "c1"))
      yield* TestClock.adjust(10)
      yield* worker.process(batchOf("a1", "b2", "a2", "b3"))
      assert.deepStrictEqual(
        (yield* DeadLetters.list("shop")).map(({ count, id, key, since }) => ({ count, id, key, since })),
        [
          { key: "b", count: 3, id: "b1", since: 0 },
          { key: "a", count: 2, id: "a1", since: 10 }
        ]
      )
      assert.deepStrictEqual(yield* DeadLetters.list("another"), [])
      assert.deepStrictEqual(yield* DeadLetters.inspect("shop", "c"), [])
    }).pipe(memory)
  )

  it.effect("is shown page by page", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a0")
      yield* worker.process(batchOf(...Array.from({ length: 250 }, (_, index) => `a${index}`)))
      const first = yield* DeadLetters.inspect("shop", "a")
      const next = yield* DeadLetters.inspect("shop", "a", { after: first.at(-1)?.position, limit: 3 })
      assert.deepStrictEqual([first.length, next.map(({ id }) => id)], [100, ["a100", "a101", "a102"]])
      assert.strictEqual((yield* DeadLetters.list("shop"))[0]?.count, 250)
    }).pipe(memory)
  )
})

describe("a redrive", () => {
  it.effect("runs what waits on a key in order, and lets the key go on", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "b1", "a2"))
      yield* worker.process(batchOf("a3"))
      broken.clear()
      assert.deepStrictEqual(yield* DeadLetters.redrive(worker, "a"), { key: "a", settled: 3, stopped: undefined })
      assert.deepStrictEqual(handled, ["b1", "a1", "a2", "a3"])
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("a4"))), ["Handled"])
      assert.deepStrictEqual(yield* story, [
        "a1 Parked",
        "a2 Parked",
        "b1 Handled",
        "a3 Parked",
        "a1 Handled again",
        "a2 Handled again",
        "a3 Handled again",
        "a4 Handled"
      ])
    }).pipe(memory)
  )

  it.effect("of a key on which nothing waits does nothing", () =>
    Effect.gen(function* () {
      const { worker } = shop()
      yield* worker.process(batchOf("a1"))
      assert.deepStrictEqual(yield* DeadLetters.redrive(worker, "a"), { key: "a", settled: 0, stopped: undefined })
      assert.deepStrictEqual(yield* DeadLetters.redrive(worker, "nobody"), {
        key: "nobody",
        settled: 0,
        stopped: undefined
      })
      assert.lengthOf(yield* entries, 1)
    }).pipe(memory)
  )

  it.effect("runs any number, page by page, in order", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      const ids = Array.from({ length: 350 }, (_, index) => `a${index}`)
      broken.add("a0")
      yield* worker.process(batchOf(...ids))
      broken.clear()
      const { settled } = yield* DeadLetters.redrive(worker, "a")
      assert.strictEqual(settled, 350)
      assert.deepStrictEqual(handled, ids)
    }).pipe(memory)
  )

  it.effect("stops at what fails again, which stays at the head of its key with all behind it", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      broken.add("a1").add("a3")
      yield* worker.process(batchOf("a1", "a2", "a3", "a4"))
      broken.delete("a1")
      const { settled, stopped } = yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual([settled, stopped?.retryable], [2, false])
      assert.match(stopped?.reason ?? "", /no a3/)
      assert.deepStrictEqual(yield* waiting("a"), ["a3", "a4"])
      // What only waits behind it is not written again.
      assert.deepStrictEqual((yield* story).slice(4), ["a1 Handled again", "a2 Handled again", "a3 Parked again"])
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("a5"))), ["Parked"])
      broken.clear()
      yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual(handled, ["a1", "a2", "a3", "a4", "a5"])
    }).pipe(memory)
  )

  it.effect("stops at what may succeed later, says so, and writes nothing of it", () =>
    Effect.gen(function* () {
      const { broken, down, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2", "a3"))
      broken.clear()
      down.add("a2")
      const redriven = yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual([redriven.settled, redriven.stopped?.retryable], [1, true])
      assert.deepStrictEqual(yield* waiting("a"), ["a2", "a3"])
      assert.deepStrictEqual(yield* story, ["a1 Parked", "a2 Parked", "a3 Parked", "a1 Handled again"])
    }).pipe(memory)
  )

  it.effect("lets new deliveries of its key queue behind while it runs, in another process", () =>
    Effect.gen(function* () {
      const { another, broken, handled, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      broken.clear()
      const fiber = yield* Effect.forkChild(DeadLetters.redrive(worker, "a"), { startImmediately: true })
      assert.deepStrictEqual(tags(yield* another().process(batchOf("a3", "b1"))), ["Parked", "Handled"])
      yield* Fiber.join(fiber)
      yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual(
        handled.filter((id) => id.startsWith("a")),
        ["a1", "a2", "a3"]
      )
      assert.deepStrictEqual(yield* waiting(), [])
    }).pipe(memory)
  )

  it.effect("that crashed before its commit runs again, and one that crashed after it goes on where it was", () =>
    Effect.gen(function* () {
      const { another, broken, worker } = shop()
      broken.add("a0")
      const ids = Array.from({ length: 250 }, (_, index) => `a${index}`)
      yield* worker.process(batchOf(...ids))
      broken.clear()
      const journal = yield* Journal.Journal
      const crashing = (fault: Faults.JournalFault) =>
        DeadLetters.redrive(another(), "a").pipe(
          Effect.provideService(Journal.Journal, Faults.journal(journal, [fault])),
          Effect.exit
        )
      assert.isTrue(Faults.hasCrashed(yield* crashing(Faults.crashBeforeCommit(Faults.at(2)))))
      assert.lengthOf(yield* waiting("a"), 150)
      assert.isTrue(Faults.hasCrashed(yield* crashing(Faults.crashAfterCommit(Faults.at(1)))))
      assert.lengthOf(yield* waiting("a"), 50)
      assert.strictEqual((yield* DeadLetters.redrive(another(), "a")).settled, 50)
      const resolved = (yield* entries).filter(({ resolves }) => resolves !== undefined)
      assert.deepStrictEqual(
        resolved.map(({ id, outcome }) => `${id} ${outcome._tag}`),
        ids.map((id) => `${id} Handled`)
      )
    }).pipe(memory)
  )

  it.effect("fails where the journal does, and loses nothing when its answer was lost", () =>
    Effect.gen(function* () {
      const { another, broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      broken.clear()
      const faulty = Faults.journal(yield* Journal.Journal, [Faults.lostAcknowledgement(Faults.at(1))])
      const error = yield* Effect.flip(
        DeadLetters.redrive(another(), "a").pipe(Effect.provideService(Journal.Journal, faulty))
      )
      assert.isTrue(error.retryable)
      assert.deepStrictEqual(yield* DeadLetters.redrive(another(), "a"), { key: "a", settled: 0, stopped: undefined })
      assert.lengthOf(yield* story, 4)
    }).pipe(memory)
  )

  it.effect("of two at once, in two processes, one stops, and nothing is written twice", () =>
    Effect.gen(function* () {
      const { another, broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2", "a3"))
      broken.clear()
      const both = yield* Effect.forEach([another(), another()], (process) => DeadLetters.redrive(process, "a"), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(both.map(({ settled }) => settled).toSorted(), [0, 3])
      assert.deepStrictEqual(
        both.flatMap(({ stopped }) => (stopped === undefined ? [] : [stopped.retryable])),
        [true]
      )
      assert.deepStrictEqual((yield* story).slice(3), ["a1 Handled again", "a2 Handled again", "a3 Handled again"])
      assert.deepStrictEqual(yield* waiting(), [])
    }).pipe(memory)
  )

  it.effect("regression: that was overtaken before it opened its key writes nothing over the other's outcomes", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      broken.clear()
      // Both have listed the letters when the first commits; they take turns on the key.
      const both = yield* Effect.all([DeadLetters.redrive(worker, "a"), DeadLetters.redrive(worker, "a")], {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(both.map(({ settled }) => settled).toSorted(), [0, 2])
      assert.deepStrictEqual(yield* story, ["a1 Parked", "a2 Parked", "a1 Handled again", "a2 Handled again"])
    }).pipe(memory)
  )

  it.effect(
    "regression: that empties a key meanwhile lets nothing of a batch be parked in front of what comes again",
    () =>
      Effect.gen(function* () {
        const { broken, handled, worker } = shop()
        broken.add("a1")
        yield* worker.process(batchOf("a1"))
        broken.clear()
        const journal = yield* Journal.Journal
        let overtaken = false
        const meddled = Journal.Journal.of({
          ...journal,
          commit: (name, lanes) =>
            Effect.suspend(() => {
              if (overtaken) return journal.commit(name, lanes)
              overtaken = true
              const emptied = Effect.provideService(
                DeadLetters.redrive(shop().another(), "a"),
                Journal.Journal,
                journal
              )
              return Effect.andThen(emptied, journal.commit(name, lanes))
            })
        })
        const newer = JSON.stringify({
          specversion: "1.0",
          type: "Ordered",
          source: "test",
          id: "a3",
          dataversion: 2,
          partitionkey: "a",
          data: {}
        })
        const result = yield* Effect.provideService(worker.process(batchOf("a2", newer)), Journal.Journal, meddled)
        assert.deepStrictEqual(tags(result), ["Failed", "Unstarted"])
        assert.deepStrictEqual(yield* waiting("a"), [])
        yield* worker.process(batchOf("a2", newer))
        assert.deepStrictEqual(handled, ["a2"])
        assert.strictEqual((yield* waiting("a")).length, 1)
      }).pipe(memory)
  )

  it.effect("goes on where another process only queued something behind it meanwhile", () =>
    Effect.gen(function* () {
      const { another, broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      broken.clear()
      const journal = yield* Journal.Journal
      let meddled = false
      const meddling = Journal.Journal.of({
        ...journal,
        commit: (name, lanes) => {
          if (meddled) return journal.commit(name, lanes)
          meddled = true
          return Effect.andThen(
            Effect.provideService(another().process(batchOf("a3")), Journal.Journal, journal),
            journal.commit(name, lanes)
          )
        }
      })
      const redriven = yield* DeadLetters.redrive(worker, "a").pipe(Effect.provideService(Journal.Journal, meddling))
      assert.deepStrictEqual(redriven, { key: "a", settled: 3, stopped: undefined })
      assert.deepStrictEqual((yield* story).slice(2), [
        "a3 Parked",
        "a1 Handled again",
        "a2 Handled again",
        "a3 Handled again"
      ])
    }).pipe(memory)
  )

  it.effect("takes an event that was handled under the same id meanwhile for settled", () =>
    Effect.gen(function* () {
      const Newer = Event.make("Ordered", {
        version: 2,
        payload: Schema.Struct({ user: Schema.String, id: Schema.String }),
        upcasters: { 1: (data) => data },
        key: (payload) => payload.user,
        id: (payload) => payload.id
      })
      const handled: Array<string> = []
      const today = Worker.make("shop", {
        events: [Newer],
        handle: { Ordered: ({ id }) => Effect.sync(() => void handled.push(id)) }
      })
      const { worker } = shop()
      const newer = (id: string) =>
        Delivery.make({
          position: `newer-${(position += 1)}`,
          partitionKey: "a",
          bytes: JSON.stringify({ specversion: "1.0", id, type: "Ordered", dataversion: 2, data: { user: "a", id } })
        })
      // The same event twice, at two places: yesterday's program can't see that they are one.
      yield* worker.process([newer("n1"), newer("n1")])
      assert.strictEqual((yield* DeadLetters.redrive(today, "a")).settled, 2)
      assert.deepStrictEqual(handled, ["n1"])
      assert.deepStrictEqual(yield* waiting(), [])
    }).pipe(memory)
  )

  describe("of all", () => {
    it.effect("redrives every key; one that fails again holds up no other", () =>
      Effect.gen(function* () {
        const { broken, handled, worker } = shop()
        broken.add("a1").add("b1").add("c1")
        yield* worker.process(batchOf("a1", "b1", "c1", "a2", "c2"))
        broken.clear()
        broken.add("b1")
        const all = yield* DeadLetters.redriveAll(worker)
        assert.deepStrictEqual(
          all.map(({ key, settled, stopped }) => [key, settled, stopped?.retryable]),
          [
            ["a", 2, undefined],
            ["b", 0, false],
            ["c", 2, undefined]
          ]
        )
        assert.deepStrictEqual(handled.toSorted(), ["a1", "a2", "c1", "c2"])
      }).pipe(memory)
    )

    const keys = "abcdefghij"
    const parkedKeys = Effect.fnUntraced(function* (perKey: number) {
      const one = shop()
      const ids = Array.from(keys).flatMap((key) => Array.from({ length: perKey }, (_, index) => `${key}${index}`))
      for (const key of keys) one.broken.add(`${key}0`)
      yield* one.worker.process(batchOf(...ids))
      one.broken.clear()
      return one
    })

    it.effect("goes no faster than its rate, over many keys", () =>
      Effect.gen(function* () {
        const { handled, worker } = yield* parkedKeys(1)
        const fiber = yield* Effect.forkChild(DeadLetters.redriveAll(worker, { rate: 2, concurrency: 1 }))
        const seen: Array<number> = []
        for (let second = 0; second < 6; second++) {
          yield* TestClock.adjust("1 second")
          seen.push(handled.length)
        }
        assert.isTrue(
          seen.every((count, index) => count <= 2 * (index + 1) + 1),
          `at most 2 a second: ${seen.join(", ")}`
        )
        yield* TestClock.adjust("1 minute")
        assert.lengthOf(yield* Fiber.join(fiber), 10)
        assert.lengthOf(handled, 10)
      }).pipe(memory)
    )

    it.effect("goes no faster than its rate where the keys run side by side", () =>
      Effect.gen(function* () {
        const { handled, worker } = yield* parkedKeys(2)
        const fiber = yield* Effect.forkChild(DeadLetters.redriveAll(worker, { rate: 2 }))
        yield* TestClock.adjust("2 seconds")
        // What may be under way when the first second begins is the concurrency, 10.
        assert.isAtMost(handled.length, 4 + 10)
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
        assert.lengthOf(handled, 20)
      }).pipe(memory)
    )

    it.effect("goes no faster than its rate on one key", () =>
      Effect.gen(function* () {
        const { broken, handled, worker } = shop({ eager: true })
        broken.add("a0")
        yield* worker.process(batchOf(...Array.from({ length: 50 }, (_, index) => `a${index}`)))
        broken.clear()
        const fiber = yield* Effect.forkChild(DeadLetters.redriveAll(worker, { rate: 10, concurrency: 1 }))
        yield* TestClock.adjust("1 second")
        assert.isAtMost(handled.length, 21, "events a second, over all keys")
        yield* TestClock.adjust("1 hour")
        yield* Fiber.join(fiber)
        assert.lengthOf(handled, 50)
      }).pipe(memory)
    )
  })
})

describe("a discard", () => {
  it.effect("of the head gives it up with a reason, and what waited behind it can be redriven", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      const [head] = yield* DeadLetters.inspect("shop", "a")
      const discarded = yield* DeadLetters.discard("shop", "a", {
        reason: "bought elsewhere",
        positions: [head?.position ?? 0]
      })
      assert.strictEqual(discarded, 1)
      assert.deepStrictEqual(yield* waiting(), ["a2"])
      yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual(handled, ["a2"])
      const [again] = (yield* worker.process(batchOf("a1"))).outcomes
      assert.deepStrictEqual(again, { _tag: "Duplicate", prior: { _tag: "Skipped", reason: "bought elsewhere" } })
    }).pipe(memory)
  )

  it.effect("of all that waits on a key lets the key go on", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      broken.add("a0").add("b1")
      yield* worker.process(batchOf("b1", ...Array.from({ length: 230 }, (_, index) => `a${index}`)))
      assert.strictEqual(yield* DeadLetters.discard("shop", "a", { reason: "test data" }), 230)
      assert.deepStrictEqual(yield* waiting(), ["b1"])
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("a999"))), ["Handled"])
      assert.deepStrictEqual(handled, ["a999"])
      assert.strictEqual(yield* DeadLetters.discard("shop", "a", { reason: "again" }), 0)
    }).pipe(memory)
  )

  it.effect("of what doesn't wait, or on another key, is refused, whole", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1").add("b1")
      yield* worker.process(batchOf("a1", "b1", "a2"))
      const [a1, a2] = yield* DeadLetters.inspect("shop", "a")
      const [b1] = yield* DeadLetters.inspect("shop", "b")
      const refused = yield* Effect.flip(
        DeadLetters.discard("shop", "a", { reason: "no", positions: [a1?.position ?? 0, b1?.position ?? 0] })
      )
      assert.isTrue(refused._tag === "NotParked" && !refused.retryable)
      assert.lengthOf(yield* waiting(), 3)
      yield* DeadLetters.discard("shop", "a", { reason: "yes", positions: [a2?.position ?? 0] })
      const twice = yield* Effect.flip(
        DeadLetters.discard("shop", "a", { reason: "yes", positions: [a2?.position ?? 0] })
      )
      assert.strictEqual(twice._tag, "NotParked")
    }).pipe(memory)
  )

  it.effect("is tried again where the key moved meanwhile", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1"))
      const busy = Faults.journal(yield* Journal.Journal, [Faults.conflictingWriter(Faults.at(1))])
      const discarded = yield* DeadLetters.discard("shop", "a", { reason: "yes" }).pipe(
        Effect.provideService(Journal.Journal, busy)
      )
      assert.deepStrictEqual([discarded, yield* waiting()], [1, []])
    }).pipe(memory)
  )

  it.effect("while a redrive runs the same letter: one of the two is refused", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      broken.clear()
      const [head] = yield* DeadLetters.inspect("shop", "a")
      const fiber = yield* Effect.forkChild(DeadLetters.redrive(worker, "a"), { startImmediately: true })
      yield* DeadLetters.discard("shop", "a", { reason: "first", positions: [head?.position ?? 0] })
      const { settled, stopped } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([settled, stopped?.retryable], [0, true])
      assert.deepStrictEqual(yield* waiting(), ["a2"])
      assert.lengthOf(
        (yield* entries).filter(({ resolves }) => resolves === head?.position),
        1
      )
    }).pipe(memory)
  )
})

describe("a letter that could not be read", () => {
  const cents = (id: string) => `${id.slice(0, 1)}|${id}`
  const lenient: Codec.Codec = {
    ...Codec.json(Ordered),
    decode: (bytes) => {
      const text = Buffer.from(bytes).toString()
      const json = text.startsWith("{") ? text : JSON.stringify({ user: text.slice(0, 1), id: text.slice(2) })
      return Codec.json(Ordered).decode(Buffer.from(json))
    }
  }

  it.effect("moves to the lane of its key when today's codec can read it", () =>
    Effect.gen(function* () {
      const { handled, worker } = shop()
      const [good] = batchOf("a1")
      const bad = Delivery.make({ position: "77", partition: "p", bytes: cents("a2") })
      assert.deepStrictEqual(tags(yield* worker.process([...(good === undefined ? [] : [good]), bad])), [
        "Handled",
        "Parked"
      ])
      const [own] = yield* DeadLetters.list("shop")
      assert.deepStrictEqual([own?.key, own?.type], ["p/77", "undecodable"])
      assert.strictEqual((yield* DeadLetters.redrive(worker, "p/77")).settled, 0, "yesterday's code still can't")

      const redriven = yield* DeadLetters.redrive(worker, "p/77").pipe(Effect.provide(Codec.layer(lenient)))
      assert.deepStrictEqual(redriven, { key: "p/77", settled: 1, stopped: undefined })
      assert.deepStrictEqual(handled, ["a1", "a2"])
      assert.deepStrictEqual(yield* waiting(), [])
      const moved = (yield* entries).find(({ id }) => id === "a2")
      assert.deepStrictEqual([moved?.key, moved?.version, moved?.outcome._tag], ["a", 2, "Handled"])
      // The record comes again, to both programs.
      assert.deepStrictEqual(tags(yield* worker.process([bad])), ["Duplicate"])
      assert.deepStrictEqual(tags(yield* worker.process([bad]).pipe(Effect.provide(Codec.layer(lenient)))), [
        "Duplicate"
      ])
    }).pipe(memory)
  )

  it.effect("waits in turn on its key where something is parked there", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      broken.add("a1")
      yield* worker.process([...batchOf("a1"), Delivery.make({ position: "78", partition: "p", bytes: cents("a2") })])
      const read = Effect.provide(Codec.layer(lenient))
      assert.strictEqual((yield* read(DeadLetters.redrive(worker, "p/78"))).settled, 1)
      assert.deepStrictEqual(yield* waiting("a"), ["a1", "a2"])
      assert.deepStrictEqual(yield* waiting("p/78"), [])
      broken.clear()
      yield* read(DeadLetters.redrive(worker, "a"))
      assert.deepStrictEqual(handled, ["a1", "a2"])
    }).pipe(memory)
  )

  it.effect("stays where it is when its key can't take it now", () =>
    Effect.gen(function* () {
      const { down, worker } = shop()
      down.add("a2")
      yield* worker.process([Delivery.make({ position: "79", partition: "p", bytes: cents("a2") })])
      const redriven = yield* DeadLetters.redrive(worker, "p/79").pipe(Effect.provide(Codec.layer(lenient)))
      assert.deepStrictEqual([redriven.settled, redriven.stopped?.retryable], [0, true])
      assert.deepStrictEqual(yield* waiting("p/79"), ["p/79"])
    }).pipe(memory)
  )

  it.effect("by the code that redrives it, though by yesterday's, stays at the head of its key", () =>
    Effect.gen(function* () {
      const { broken, handled, worker } = shop()
      broken.add("a1")
      const wired = worker.process(
        ["a1", "a2"].map((id, index) => Delivery.make({ position: `8${index}`, partition: "wire", bytes: cents(id) })),
        { codec: lenient }
      )
      assert.deepStrictEqual(tags(yield* wired), ["Parked", "Parked"])
      broken.clear()
      // A transport may read its deliveries with a codec of its own; who redrives them may not know it.
      const { settled, stopped } = yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual([settled, stopped !== undefined, handled], [0, true, []])
      assert.deepStrictEqual(yield* waiting("a"), ["a1", "a2"])
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("a3"))), ["Parked"], "nothing passes them")
    }).pipe(memory)
  )

  it.effect("of a newer version holds its key, and runs first when today's code knows the version", () =>
    Effect.gen(function* () {
      const Newer = Event.make("Ordered", {
        version: 2,
        payload: Schema.Struct({ user: Schema.String, id: Schema.String, gift: Schema.Boolean }),
        upcasters: { 1: (data) => ({ ...(data as object), gift: false }) },
        key: (payload) => payload.user,
        id: (payload) => payload.id
      })
      const seen: Array<string> = []
      const today = Worker.make("shop", {
        events: [Newer],
        handle: { Ordered: ({ gift, id }) => Effect.sync(() => void seen.push(`${id} ${gift}`)) }
      })
      const { handled, worker } = shop()
      const newer = Delivery.make({
        position: "80",
        partitionKey: "a",
        bytes: JSON.stringify({
          specversion: "1.0",
          id: "n1",
          type: "Ordered",
          dataversion: 2,
          data: { user: "a", id: "n1", gift: true }
        })
      })
      const older = (id: string) =>
        JSON.stringify({ specversion: "1.0", id, type: "Ordered", dataversion: 1, data: { user: id.slice(0, 1), id } })
      const behind = ["a2", "b1"].map((id) => Delivery.make({ position: `older-${id}`, bytes: older(id) }))
      const batch = [newer, ...behind]
      assert.deepStrictEqual(tags(yield* worker.process(batch)), ["Parked", "Parked", "Handled"])
      const stopped = yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual([stopped.settled, handled], [0, ["b1"]], "yesterday's program can't")
      assert.match(stopped.stopped?.reason ?? "", /version 2/)

      assert.deepStrictEqual(yield* DeadLetters.redrive(today, "a"), { key: "a", settled: 2, stopped: undefined })
      assert.deepStrictEqual(seen, ["n1 true", "a2 false"])
      assert.deepStrictEqual(tags(yield* today.process([newer])), ["Duplicate"])
      assert.deepStrictEqual(tags(yield* worker.process([newer])), ["Duplicate"])
    }).pipe(memory)
  )
})

describe("bounds", () => {
  it.effect("a key on which enough waits halts, and goes on after a redrive", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      const result = yield* worker.process(batchOf("a1", "a2", "b1", "a3", "a4"))
      assert.deepStrictEqual(tags(result), ["Parked", "Parked", "Handled", "Failed", "Unstarted"])
      assert.isTrue(result.outcomes[3]?._tag === "Failed" && result.outcomes[3].retryable)
      const [, , , third, fourth] = result.outcomes.map((_, index) => index)
      assert.deepStrictEqual([third, fourth, result.settledPrefix], [3, 4, 3])
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("a3"))), ["Failed"])
      broken.clear()
      yield* DeadLetters.redrive(worker, "a")
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("a3", "a4"))), ["Handled", "Handled"])
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ maxParkedPerKey: 2 })]))
  )

  it.effect("a worker of which enough waits halts what would park, and handles everything else", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      for (const id of ["a1", "b1", "c1"]) broken.add(id)
      // Which two of them found room is not said: lanes run side by side.
      const found = tags(yield* worker.process(batchOf("a1", "b1", "c1", "d1", "a2")))
      assert.deepStrictEqual(
        [found[3], found.filter((tag) => tag === "Parked").length, found.filter((tag) => tag === "Handled").length],
        ["Handled", 2, 1]
      )
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("{nope", "d2"))), ["Failed", "Handled"])
      broken.clear()
      yield* DeadLetters.redriveAll(worker)
      assert.lengthOf(yield* waiting(), 0)
      assert.deepStrictEqual(tags(yield* worker.process(batchOf("c7", "a7", "b7"))), ["Handled", "Handled", "Handled"])
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ maxParked: 2 })]))
  )

  it.effect("hold also where two keys of a batch fill them together", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      for (const id of ["a1", "b1", "c1", "d1"]) broken.add(id)
      yield* worker.process(batchOf("a1", "b1", "c1", "d1"))
      assert.lengthOf(yield* waiting(), 3)
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ maxParked: 3 })]))
  )

  it.effect("don't hold back a redrive", () =>
    Effect.gen(function* () {
      const { broken, worker } = shop()
      broken.add("a1")
      yield* worker.process(batchOf("a1", "a2"))
      assert.strictEqual((yield* DeadLetters.redrive(worker, "a")).stopped?.retryable, false)
      broken.clear()
      assert.strictEqual((yield* DeadLetters.redrive(worker, "a")).settled, 2)
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ maxParked: 2, maxParkedPerKey: 2 })]))
  )
})

describe("without a journal", () => {
  it.effect("nothing waits, and who asks is told", () =>
    Effect.gen(function* () {
      const { worker } = shop()
      for (const asked of [
        Effect.asVoid(DeadLetters.list("shop")),
        Effect.asVoid(DeadLetters.redrive(worker, "a")),
        Effect.asVoid(DeadLetters.discard("shop", "a", { reason: "none" }))
      ]) {
        const error = yield* Effect.flip(asked)
        assert.strictEqual(error._tag === "JournalError" && error.reason, "NoJournal")
      }
    }).pipe(Effect.provide(Layer.fresh(Journal.layerNone)))
  )
})
