import { assert, describe, it } from "@effect/vitest"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Step from "@leat/core/Step"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

const Asked = Event.make("Asked", {
  payload: Schema.Struct({ id: Schema.String }),
  key: ({ id }) => id.slice(0, 1),
  id: ({ id }) => id
})

class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  code: Schema.Int,
  retryable: Schema.Boolean
}) {}

const refused = (retryable: boolean) => new Refused({ message: "sold out", code: 409, retryable })

const asking = <E, R>(body: (meta: Worker.Meta) => Generator<Effect.Effect<unknown, E, R>, void>) =>
  Worker.make("asking", {
    events: [Asked],
    handle: {
      *Asked(_payload, meta) {
        yield* body(meta)
      }
    }
  })

const one = Delivery.ofEvent(Asked, [{ id: "a1" }])

const recorded = Effect.map(
  Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0))),
  (entries) => entries.map(({ steps }) => steps && { ...steps })
)

const memory = Effect.provide(Journal.layerMemory)

describe("a step", () => {
  it.effect("is written with the outcome it led to, and its value goes on to the handler", () =>
    Effect.gen(function* () {
      const seen: Array<unknown> = []
      const worker = asking(function* (meta) {
        seen.push(yield* Step.run(meta, "price", Effect.delay(Effect.succeed({ cents: 799 }), 1)))
        seen.push(yield* Step.run(meta, "nothing", Effect.succeed(null)))
      })
      const fiber = yield* Effect.forkChild(worker.process(one))
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(seen, [{ cents: 799 }, null])
      assert.deepStrictEqual(yield* recorded, [{ price: { value: { cents: 799 } }, nothing: { value: null } }])
    }).pipe(memory)
  )

  it.effect("whose value is there already needs no fiber: it stays the exit it was", () =>
    Effect.gen(function* () {
      const value = Exit.succeed(1)
      let same: boolean | undefined
      const order: Array<string> = []
      const worker = Worker.make("asking", {
        events: [Asked],
        handle: {
          *Asked({ id }, meta) {
            const step = Step.run(meta, "ready", id === "a1" ? value : Effect.delay(Effect.succeed(1), 0))
            if (id === "a1") same = Object.is(step, value)
            yield* step
            order.push(id)
          }
        }
      })
      const batch = Delivery.ofEvent(Asked, [{ id: "b1" }, { id: "a1" }])
      const fiber = yield* Effect.forkChild(worker.process(batch))
      yield* TestClock.adjust(1)
      yield* Fiber.join(fiber)
      assert.isTrue(same)
      assert.deepStrictEqual(order, ["a1", "b1"], "what needs no fiber is handled in the first turn")
    }).pipe(memory)
  )

  it.effect("that fails is written with the fields of its failure, and the handler may go on", () =>
    Effect.gen(function* () {
      const worker = asking(function* (meta) {
        yield* Step.run(meta, "buy", Effect.fail(refused(false))).pipe(
          Effect.catchTag("Refused", () => Step.run(meta, "refund", Effect.succeed(true)))
        )
      })
      const { outcomes } = yield* worker.process(one)
      assert.strictEqual(outcomes[0]?._tag, "Handled")
      assert.deepStrictEqual(yield* recorded, [
        {
          buy: { error: { _tag: "Refused", message: "sold out", code: 409, retryable: false } },
          refund: { value: true }
        }
      ])
    }).pipe(memory)
  )

  it.effect("that fails for good is written with the parked outcome", () =>
    Effect.gen(function* () {
      const worker = asking(function* (meta) {
        yield* Step.run(meta, "buy", Effect.fail(refused(false)))
      })
      const { outcomes } = yield* worker.process(one)
      assert.strictEqual(outcomes[0]?._tag, "Parked")
      assert.deepStrictEqual(Object.keys((yield* recorded)[0] ?? {}), ["buy"])
    }).pipe(memory)
  )

  it.effect("that dies is not written: a bug is none of its results", () =>
    Effect.gen(function* () {
      const worker = asking(function* (meta) {
        yield* Step.run(meta, "before", Effect.succeed(1))
        yield* Step.run(meta, "bug", Effect.die(new TypeError("a bug")))
      })
      yield* worker.process(one)
      assert.deepStrictEqual(yield* recorded, [{ before: { value: 1 } }])
    }).pipe(memory)
  )

  it.effect("under a name that came before is another step", () =>
    Effect.gen(function* () {
      const worker = asking(function* (meta) {
        for (const price of [7, 8, 9]) yield* Step.run(meta, "price", Effect.succeed(price))
        yield* Step.run(meta, "constructor", Effect.succeed(1))
        yield* Step.run(meta, "__proto__", Effect.succeed(2))
      })
      yield* worker.process(one)
      const [steps] = yield* recorded
      assert.deepStrictEqual(Object.entries(steps ?? {}), [
        ["price", { value: 7 }],
        ["price#2", { value: 8 }],
        ["price#3", { value: 9 }],
        ["constructor", { value: 1 }],
        ["__proto__", { value: 2 }]
      ])
    }).pipe(memory)
  )

  it.effect("is written as its schema says, and gives the value itself", () =>
    Effect.gen(function* () {
      let seen: unknown
      const worker = asking(function* (meta) {
        seen = yield* Step.run(meta, "stock", Effect.succeed(new Map([["Heat", 3n]])), {
          schema: Schema.ReadonlyMap(Schema.String, Schema.BigInt)
        })
      })
      yield* worker.process(one)
      assert.deepStrictEqual(seen, new Map([["Heat", 3n]]))
      const [steps] = yield* recorded
      assert.deepStrictEqual(JSON.parse(JSON.stringify(steps)), steps, "it is JSON")
    }).pipe(memory)
  )

  it.effect("of a run that was retried is forgotten: what counts is the run that decided", () =>
    Effect.gen(function* () {
      let tries = 0
      const worker = asking(function* (meta) {
        tries += 1
        yield* Step.run(meta, `try ${tries}`, Effect.succeed(tries))
        if (tries < 3) yield* Step.run(meta, "call", Effect.fail(refused(true)))
        yield* Step.run(meta, "call", Effect.succeed("ok"))
      })
      const fiber = yield* Effect.forkChild(worker.process(one))
      yield* TestClock.adjust("5 seconds")
      yield* Fiber.join(fiber)
      assert.deepStrictEqual(yield* recorded, [{ "try 3": { value: 3 }, call: { value: "ok" } }])
    }).pipe(Effect.provide([Journal.layerMemory, RetryPolicy.layer({ attempts: 3 })]))
  )

  it.effect("of one event is not another's", () =>
    Effect.gen(function* () {
      const worker = Worker.make("asking", {
        events: [Asked],
        handle: {
          *Asked({ id }, meta) {
            if (id !== "b1") yield* Step.run(meta, "id", Effect.as(Effect.yieldNow, id))
          }
        }
      })
      yield* worker.process(Delivery.ofEvent(Asked, [{ id: "a1" }, { id: "b1" }, { id: "a2" }]))
      const entries = yield* Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))
      assert.deepStrictEqual(Object.fromEntries(entries.map(({ id, steps }) => [id, steps?.["id"]])), {
        a1: { value: "a1" },
        a2: { value: "a2" },
        b1: undefined
      })
    }).pipe(memory)
  )

  it.effect("is the effect itself without a journal", () =>
    Effect.gen(function* () {
      const effect = Effect.succeed(1)
      let kept: unknown = "unasked"
      const worker = asking(function* (meta) {
        kept = meta.steps
        assert.strictEqual<unknown>(Step.run(meta, "price", effect), effect)
        yield* effect
      })
      const { outcomes } = yield* worker.process(one)
      assert.deepStrictEqual([outcomes[0]?._tag, kept], ["Handled", undefined])
    }).pipe(Effect.provide(Journal.layerNone))
  )
})

describe("a duplicate", () => {
  it.effect("tells what became of the event before: handled, with what it emitted, skipped, or parked", () =>
    Effect.gen(function* () {
      const worker = asking(function* () {
        yield* Effect.void
      })
      yield* worker.process(one)
      const { outcomes } = yield* worker.process(one)
      assert.deepStrictEqual(outcomes, [{ _tag: "Duplicate", prior: { _tag: "Handled", emitted: [] } }])

      const refusing = asking(function* () {
        yield* refused(false)
      })
      const other = Delivery.ofEvent(Asked, [{ id: "b1" }])
      yield* refusing.process(other)
      const [again] = (yield* refusing.process(other)).outcomes
      assert.strictEqual(again?._tag === "Duplicate" ? again.prior?._tag : "", "Parked")
    }).pipe(memory)
  )
})

describe("a step without a schema", () => {
  it.effect("regression: that gives what is no JSON fails its own event, not its batch", () =>
    Effect.gen(function* () {
      const circle: Record<string, unknown> = {}
      circle["self"] = circle
      const values: Record<string, unknown> = {
        a1: { big: 1n },
        b1: circle,
        c1: [() => 1],
        d1: { fine: [1, "two", null] }
      }
      const worker = Worker.make("asking", {
        events: [Asked],
        handle: {
          *Asked({ id }, meta) {
            yield* Step.run(
              meta,
              "value",
              id === "b1" ? Effect.suspend(() => Effect.succeed(values[id])) : Effect.succeed(values[id])
            )
          }
        }
      })
      const { outcomes } = yield* worker.process(
        Delivery.ofEvent(Asked, [{ id: "a1" }, { id: "b1" }, { id: "c1" }, { id: "d1" }])
      )
      assert.deepStrictEqual(
        outcomes.map(({ _tag }) => _tag),
        ["Parked", "Parked", "Parked", "Handled"]
      )
      const [first] = outcomes
      assert.match(first?._tag === "Parked" ? first.reason : "", /the step "value" gave something that is not JSON/)
    }).pipe(memory)
  )
})
