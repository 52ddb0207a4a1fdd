import { assert, describe, it } from "@effect/vitest"
import * as Deadline from "@leat/core/Deadline"
import * as Delivery from "@leat/core/Delivery"
import type * as Envelope from "@leat/core/Envelope"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as Outbox from "@leat/core/Outbox"
import * as Publisher from "@leat/core/Publisher"
import * as Worker from "@leat/core/Worker"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import * as Faults from "../src/testing/Faults.ts"

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, id: Schema.String, ships: Schema.Int }),
  key: (payload) => payload.user,
  id: (payload) => payload.id
})
const Shipped = Event.make("Shipped", {
  payload: Schema.Struct({ user: Schema.String, id: Schema.String }),
  key: (payload) => payload.user,
  id: (payload) => payload.id
})

/** Each order ships `ships` events on the key of its user; every process has a worker of its own. */
const process = () =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ id, ships, user }) {
        return Array.from({ length: ships }, () => Shipped.make({ user, id }))
      }
    }
  })

let position = 0
const batchOf = (...ids: ReadonlyArray<string>) =>
  ids.map((id) =>
    Delivery.make({
      position: String((position += 1)),
      partitionKey: id.slice(0, 1),
      bytes: JSON.stringify({ user: id.slice(0, 1), id, ships: id.endsWith("+") ? 2 : id.endsWith("-") ? 0 : 1 })
    })
  )

/** A receiver, and a publisher to it. */
const receiver = () => {
  const received: Array<Envelope.Envelope> = []
  const sound: Publisher.Publisher = {
    publish: (envelopes) =>
      Effect.sync(() => {
        received.push(...envelopes)
        return envelopes.map(() => Exit.void)
      })
  }
  return { sound, ids: () => received.map(({ id }) => id ?? ""), received }
}

const tags = (result: { readonly outcomes: ReadonlyArray<{ readonly _tag: string }> }) =>
  result.outcomes.map((outcome) => outcome._tag)

const through = (publisher: Publisher.Publisher, ...faults: ReadonlyArray<Faults.PublisherFault>) =>
  Effect.provideService(Publisher.Publisher, Faults.publisher(publisher, faults))

const waits = (key = "a") =>
  Effect.map(
    Effect.flatMap(Journal.Journal, ({ open }) => open("shop", [{ key, deliveries: [] }])),
    ({ heads, unpublished }) => ({ ofKey: heads[0]?.unpublished ?? -1, free: unpublished })
  )

const memory = Effect.provide(Journal.layerMemory)

/** What was asked of a journal, in order. */
const counted = (journal: Journal.Journal["Service"]) => {
  const calls: Array<string> = []
  const noted =
    <Args extends ReadonlyArray<unknown>, A, E>(name: string, call: (...args: Args) => Effect.Effect<A, E>) =>
    (...args: Args) =>
      Effect.suspend(() => {
        calls.push(name)
        return call(...args)
      })
  return {
    calls,
    journal: Journal.Journal.of({
      ...journal,
      open: noted("open", journal.open),
      commit: noted("commit", journal.commit),
      parked: noted("parked", journal.parked),
      outbox: { claim: noted("claim", journal.outbox.claim), settle: noted("settle", journal.outbox.settle) }
    })
  }
}

describe("events that a handler returns", () => {
  it.effect("are committed, then published, in order, under ids that follow from their cause", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      let committed = -1
      const looking: Publisher.Publisher = {
        publish: (envelopes) =>
          Effect.andThen(
            Effect.map(Effect.orDie(Effect.provideService(waits(), Journal.Journal, journal)), ({ ofKey }) => {
              committed = ofKey
            }),
            sound.publish(envelopes)
          )
      }
      const journal = yield* Journal.Journal
      const result = yield* process()
        .process(batchOf("a1+", "b1", "a2-", "a3"))
        .pipe(through(looking))
      assert.deepStrictEqual(tags(result), ["Handled", "Handled", "Handled", "Handled"])
      assert.strictEqual(committed, 2, "the entries of a wait in the journal when the publisher is called")
      assert.deepStrictEqual(ids().toSorted(), ["a1+/shop/0", "a1+/shop/1", "a3/shop/0", "b1/shop/0"])
      assert.deepStrictEqual(
        ids().filter((id) => id.startsWith("a")),
        ["a1+/shop/0", "a1+/shop/1", "a3/shop/0"]
      )
      assert.deepStrictEqual(yield* waits(), { ofKey: 0, free: 0 })
    }).pipe(memory)
  )

  it.effect("cost no call of the journal where there are none, and one where there are", () =>
    Effect.gen(function* () {
      const { sound } = receiver()
      const { calls, journal } = counted(yield* Journal.Journal)
      const callsOf = Effect.fnUntraced(function* (
        publisher: Publisher.Publisher | undefined,
        ...ids: ReadonlyArray<string>
      ) {
        calls.length = 0
        yield* process()
          .process(batchOf(...ids))
          .pipe(Effect.provideService(Journal.Journal, journal), Effect.provideService(Publisher.Publisher, publisher))
        return [...calls]
      })
      assert.deepStrictEqual(yield* callsOf(undefined, "a1", "b1-", "c1+"), ["open", "commit"])
      assert.deepStrictEqual(yield* callsOf(sound, "a2-", "b2-"), ["open", "commit"])
      assert.deepStrictEqual(yield* callsOf(sound, "a3", "b3+"), ["open", "commit", "settle"])
      assert.deepStrictEqual(yield* callsOf(sound, "a3", "b3+"), ["open"], "a redelivery writes nothing")
    }).pipe(memory)
  )

  it.effect("are dropped, and wait for nobody, where there is no publisher", () =>
    Effect.gen(function* () {
      yield* process().process(batchOf("a1"))
      assert.deepStrictEqual(yield* waits(), { ofKey: 0, free: 0 })
    }).pipe(memory)
  )

  it.effect("wait while the receiver is down, and go out later, in order, under the same ids", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const down = through(sound, Faults.refusedPublish(Faults.always))
      const result = yield* process().process(batchOf("a1", "a2+")).pipe(down)
      assert.deepStrictEqual(tags(result), ["Handled", "Handled"], "their outcomes stand")
      assert.deepStrictEqual([ids(), yield* waits()], [[], { ofKey: 2, free: 2 }])
      yield* process().process(batchOf("b1-")).pipe(down)
      yield* process().process(batchOf("a3")).pipe(down)
      assert.deepStrictEqual([ids(), yield* waits()], [[], { ofKey: 3, free: 3 }])
      yield* process().process(batchOf("a4", "b2-")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["a1/shop/0", "a2+/shop/0", "a2+/shop/1", "a3/shop/0", "a4/shop/0"])
      assert.deepStrictEqual(yield* waits(), { ofKey: 0, free: 0 })
    }).pipe(memory)
  )

  it.effect("are sent by the next batch, whatever that is about", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      yield* process()
        .process(batchOf("a1"))
        .pipe(through(sound, Faults.refusedPublish(Faults.always)))
      yield* process().process(batchOf("z1-")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["a1/shop/0"])
    }).pipe(memory)
  )

  it.effect("are sent again, under the same ids, when the answer was lost", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      yield* process()
        .process(batchOf("a1", "a2"))
        .pipe(through(sound, Faults.lostAnswer(Faults.at(1, 2))))
      yield* process().process(batchOf("z1-")).pipe(through(sound))
      assert.deepStrictEqual(new Set(ids()), new Set(["a1/shop/0", "a2/shop/0"]))
      assert.isAtLeast(ids().length, 4)
      assert.deepStrictEqual(ids().slice(-2), ["a1/shop/0", "a2/shop/0"])
      assert.deepStrictEqual(yield* waits(), { ofKey: 0, free: 0 })
    }).pipe(memory)
  )

  it.effect("wait alone when the receiver refuses one of them and what is behind it on its key", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const refusal = (reason: "Unavailable" | "Behind") =>
        Exit.fail(new Publisher.PublishError({ reason, message: "no", retryable: true }))
      const choosy: Publisher.Publisher = {
        publish: (envelopes) => {
          const taken = envelopes.filter(({ key }) => key !== "a")
          return Effect.as(
            sound.publish(taken),
            envelopes.map(({ id, key }) =>
              key === "a" ? refusal(id === "a1/shop/0" ? "Unavailable" : "Behind") : Exit.void
            )
          )
        }
      }
      yield* process()
        .process(batchOf("a1", "b1", "a2", "c1"))
        .pipe(through(choosy))
      assert.deepStrictEqual(ids().toSorted(), ["b1/shop/0", "c1/shop/0"])
      assert.deepStrictEqual(
        [yield* waits("a"), yield* waits("b")],
        [
          { ofKey: 2, free: 2 },
          { ofKey: 0, free: 2 }
        ]
      )
    }).pipe(memory)
  )

  it.effect("go out after a crash between the commit and the publish, when the dead process's hold is over", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const crashing = Faults.journal(yield* Journal.Journal, [Faults.crashAfterCommit(Faults.always)])
      const batch = batchOf("a1", "b1")
      const exit = yield* process()
        .process(batch)
        .pipe(through(sound), Effect.provideService(Journal.Journal, crashing), Effect.exit)
      assert.isTrue(Faults.hasCrashed(exit))
      assert.deepStrictEqual(tags(yield* process().process(batch).pipe(through(sound))), ["Duplicate", "Duplicate"])
      // What follows on the key waits behind what the dead process held.
      yield* process().process(batchOf("a2", "c1")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["c1/shop/0"])
      yield* TestClock.adjust(Journal.outboxHold)
      yield* process().process(batchOf("z1-")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["c1/shop/0", "a1/shop/0", "b1/shop/0", "a2/shop/0"])
    }).pipe(memory)
  )

  it.effect("are sent once more when the process died before it could say that they are out", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const journal = yield* Journal.Journal
      const dying = Journal.Journal.of({ ...journal, outbox: { ...journal.outbox, settle: () => Effect.never } })
      const fiber = yield* process()
        .process(batchOf("a1"))
        .pipe(
          through(sound),
          Effect.provideService(Journal.Journal, dying),
          Effect.forkChild({ startImmediately: true })
        )
      yield* Fiber.interrupt(fiber)
      assert.deepStrictEqual(ids(), ["a1/shop/0"])
      yield* TestClock.adjust(Journal.outboxHold)
      yield* Outbox.relay({ name: "shop" }).pipe(through(sound))
      assert.deepStrictEqual([ids(), yield* waits()], [["a1/shop/0", "a1/shop/0"], { ofKey: 0, free: 0 }])
    }).pipe(memory)
  )

  it.effect("stand when the journal can't be told that they are out: the outcome does not depend on it", () =>
    Effect.gen(function* () {
      const { sound } = receiver()
      const journal = yield* Journal.Journal
      const error = new Journal.JournalError({
        operation: "outbox",
        reason: "Unavailable",
        message: "gone",
        retryable: true
      })
      const deaf = Journal.Journal.of({ ...journal, outbox: { ...journal.outbox, settle: () => Effect.fail(error) } })
      const result = yield* process()
        .process(batchOf("a1"))
        .pipe(through(sound), Effect.provideService(Journal.Journal, deaf))
      assert.deepStrictEqual(tags(result), ["Handled"])
      assert.strictEqual((yield* waits()).ofKey, 1)
    }).pipe(memory)
  )

  it.effect("that the deadline cuts off leave the batch settled, and go out later, in order", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const fiber = yield* process()
        .process(batchOf("a1"))
        .pipe(
          through(sound, Faults.stuckPublish(Faults.always)),
          Effect.provideService(Deadline.Deadline, (yield* Clock.currentTimeMillis) + 1_000),
          Effect.forkChild
        )
      yield* TestClock.adjust("1 second")
      assert.deepStrictEqual(tags(yield* Fiber.join(fiber)), ["Handled"])
      yield* process().process(batchOf("a2")).pipe(through(sound))
      yield* TestClock.adjust(Journal.outboxHold)
      yield* process().process(batchOf("z1-")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["a1/shop/0", "a2/shop/0"])
    }).pipe(memory)
  )

  it.effect("that wait from before and that the deadline cuts off are the next batch's", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      yield* process()
        .process(batchOf("a1", "b1"))
        .pipe(through(sound, Faults.refusedPublish(Faults.always)))
      const fiber = yield* process()
        .process(batchOf("z1-"))
        .pipe(
          through(sound, Faults.stuckPublish(Faults.always)),
          Effect.provideService(Deadline.Deadline, (yield* Clock.currentTimeMillis) + 1_000),
          Effect.forkChild
        )
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(fiber)
      yield* process().process(batchOf("z2-")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["a1/shop/0", "b1/shop/0"], "not half a minute later")
    }).pipe(memory)
  )

  it.effect("of another process of the same key wait while the first holds the stream, and then go out behind", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const slow = process()
        .process(batchOf("a1"))
        .pipe(through(sound, Faults.slowPublish(Faults.always, "5 seconds")))
      const fiber = yield* Effect.forkChild(slow, { startImmediately: true })
      yield* process().process(batchOf("a2")).pipe(through(sound))
      assert.deepStrictEqual(ids(), [])
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      yield* process().process(batchOf("a3")).pipe(through(sound))
      assert.deepStrictEqual(ids(), ["a1/shop/0", "a2/shop/0", "a3/shop/0"])
    }).pipe(memory)
  )
})

describe("a relay", () => {
  it.effect("regression: publishes for less long than it holds, or another one would publish beside it", () =>
    Effect.gen(function* () {
      const deadlines: Array<number> = []
      const { sound } = receiver()
      const telling: Publisher.Publisher = {
        publish: (envelopes) =>
          Effect.flatMap(Deadline.Deadline, (deadline) => {
            deadlines.push(deadline)
            return sound.publish(envelopes)
          })
      }
      yield* process().process(batchOf("a1")).pipe(through(telling))
      assert.lengthOf(deadlines, 1)
      assert.isBelow(deadlines[0] ?? Infinity, (yield* Clock.currentTimeMillis) + Journal.outboxHold)
    }).pipe(memory)
  )

  it.effect("sends all that waits, and says how much", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const many = Array.from({ length: 250 }, (_, index) => `a${index}`)
      yield* process()
        .process(batchOf(...many))
        .pipe(through(sound, Faults.refusedPublish(Faults.always)))
      assert.deepStrictEqual(yield* Outbox.relay({ name: "shop" }).pipe(through(sound)), {
        published: 250,
        returned: 0,
        reason: undefined
      })
      assert.deepStrictEqual(
        ids(),
        many.map((id) => `${id}/shop/0`)
      )
      assert.deepStrictEqual(yield* Outbox.relay({ name: "shop" }).pipe(through(sound)), {
        published: 0,
        returned: 0,
        reason: undefined
      })
    }).pipe(memory)
  )

  it.effect("stops where something is refused, and does not go round", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      let calls = 0
      const counting: Publisher.Publisher = {
        publish: (envelopes) => {
          calls += 1
          return Faults.publisher(sound, [Faults.refusedPublish(Faults.always)]).publish(envelopes)
        }
      }
      yield* process().process(batchOf("a1", "b1")).pipe(through(counting))
      calls = 0
      assert.deepStrictEqual(yield* Outbox.relay({ name: "shop" }).pipe(through(counting)), {
        published: 0,
        returned: 2,
        reason: "the receiver is down"
      })
      assert.deepStrictEqual([calls, ids()], [1, []])
    }).pipe(memory)
  )

  it.effect("does nothing without a publisher", () =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* Outbox.relay({ name: "shop" }), { published: 0, returned: 0, reason: undefined })
    }).pipe(memory)
  )

  it.effect("of several at once sends everything once, each stream in order", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const streams = Array.from("abcdefgh", (key) => Array.from({ length: 30 }, (_, index) => `${key}${index}`))
      yield* process()
        .process(batchOf(...streams.flat()))
        .pipe(through(sound, Faults.refusedPublish(Faults.always)))
      const yielding: Publisher.Publisher = {
        publish: (envelopes) => Effect.andThen(Effect.yieldNow, sound.publish(envelopes))
      }
      yield* Effect.forEach([1, 2, 3, 4], () => Outbox.relay({ name: "shop" }).pipe(through(yielding)), {
        concurrency: "unbounded"
      })
      yield* Outbox.relay({ name: "shop" }).pipe(through(sound))
      assert.lengthOf(ids(), 240)
      for (const stream of streams) {
        const [first = ""] = stream
        assert.deepStrictEqual(
          ids().filter((id) => id.startsWith(first.slice(0, 1))),
          stream.map((id) => `${id}/shop/0`)
        )
      }
    }).pipe(memory)
  )

  it.effect("in the background sends what a crash left, and survives an outage of the receiver", () =>
    Effect.gen(function* () {
      const { ids, sound } = receiver()
      const journal = yield* Journal.Journal
      yield* process()
        .process(batchOf("a1"))
        .pipe(
          through(sound),
          Effect.provideService(Journal.Journal, Faults.journal(journal, [Faults.lostAcknowledgement(Faults.always)])),
          Effect.exit
        )
      let broken = true
      const flaky: Publisher.Publisher = {
        publish: (envelopes) => (broken ? Effect.die(new TypeError("a bug")) : sound.publish(envelopes))
      }
      yield* Effect.gen(function* () {
        yield* TestClock.adjust("35 seconds")
        assert.deepStrictEqual(ids(), [])
        broken = false
        yield* TestClock.adjust("2 seconds")
        assert.deepStrictEqual(ids(), ["a1/shop/0"])
      }).pipe(Effect.provide(Outbox.layer({ name: "shop" })), through(flaky))
    }).pipe(memory)
  )
})
