import { assert, describe, it } from "@effect/vitest"
import * as DeadLetters from "@leat/core/DeadLetters"
import * as Delivery from "@leat/core/Delivery"
import type * as Envelope from "@leat/core/Envelope"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import * as Projection from "@leat/core/Projection"
import * as Publisher from "@leat/core/Publisher"
import * as Replay from "@leat/core/Replay"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Step from "@leat/core/Step"
import * as View from "@leat/core/View"
import * as Worker from "@leat/core/Worker"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

const Bought = Event.make("Bought", {
  payload: Schema.Struct({ user: Schema.String, n: Schema.Int }),
  key: ({ user }) => user,
  id: ({ n }) => String(n)
})
const Billed = Event.make("Billed", {
  payload: Schema.Struct({ n: Schema.Int, euros: Schema.Finite }),
  key: ({ n }) => String(n),
  id: ({ n }) => String(n)
})

/** What the outside says; in a replay nobody may ask. */
class Outside extends Context.Service<
  Outside,
  { readonly ask: (question: number) => Effect.Effect<number, Refused> }
>()("@leat/core/test/Replay.test/Outside") {}

const outside = (ask: Outside["Service"]["ask"]) => Layer.succeed(Outside, { ask })
const unreachable = outside((question) => Effect.die(`the outside was asked ${question} in a replay`))
const doubling = outside((question) => Effect.succeed(question * 2))

type Handle<R> = (bought: Event.Payload<typeof Bought>, meta: Worker.Meta) => Effect.Effect<Worker.Reply, unknown, R>

const till = <R>(handle: Handle<R>) => Worker.make("till", { events: [Bought], handle: { Bought: handle } })

const bill = (euros: (n: number) => number) => till(({ n }) => Effect.succeed(Billed.make({ n, euros: euros(n) })))

const purchases = (count: number, from = 1) =>
  Delivery.ofEvent(
    Bought,
    Array.from({ length: count }, (_, index) => ({ user: `u${(from + index) % 97}`, n: from + index }))
  ).map((delivery, index) => Delivery.make({ ...delivery, position: String(from + index) }))

const bodies = (...texts: ReadonlyArray<string>) =>
  texts.map((bytes, index) => Delivery.make({ position: `b${index}`, bytes }))

const one = (user: string, n: number) => JSON.stringify({ user, n })

const entries = Effect.flatMap(Journal.Journal, ({ read }) => Stream.runCollect(read(0)))

const tags = ({ changes }: Replay.Report) => changes.map(({ after, before }) => `${before._tag} -> ${after._tag}`)

describe("a replay", () => {
  it.effect("says which 3 of 10,412 outcomes today's code changes", () =>
    Effect.gen(function* () {
      yield* MemoryTransport.run(
        bill((n) => n),
        purchases(10_412),
        { batchSize: 500 }
      )
      const odd = new Set([7, 4_000, 10_412])
      const report = yield* Replay.run(bill((n) => (odd.has(n) ? n - 0.5 : n)))
      assert.deepStrictEqual(Replay.describe(report), [
        "this code changes 3 of 10,412 outcomes",
        'u7 Bought 7: Billed {"n":7,"euros":7} -> Billed {"n":7,"euros":6.5}',
        'u23 Bought 4000: Billed {"n":4000,"euros":4000} -> Billed {"n":4000,"euros":3999.5}',
        'u33 Bought 10412: Billed {"n":10412,"euros":10412} -> Billed {"n":10412,"euros":10411.5}'
      ])
      assert.deepStrictEqual(
        [report.replayed, report.changed, report.corrected, report.position],
        [10_412, 3, 0, 10_412]
      )
      assert.strictEqual((yield* entries).length, 10_412, "and it wrote nothing")
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("begins at a position, at a time, or with some keys", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      yield* bill((n) => n).process(purchases(100))
      yield* TestClock.setTime(2_000)
      yield* bill((n) => n).process(purchases(50, 101))
      const changed = bill((n) => n + 1)
      const count = (options?: Replay.Options) => Effect.map(Replay.run(changed, options), ({ replayed }) => replayed)
      assert.strictEqual(yield* count(), 150)
      assert.strictEqual(yield* count({ from: "beginning" }), 150)
      assert.strictEqual(yield* count({ from: { position: 140 } }), 10)
      assert.strictEqual(yield* count({ from: { time: 2_000 } }), 50)
      assert.strictEqual(yield* count({ keys: ["u1", "u2"] }), 4)
      assert.strictEqual(yield* count({ keys: ["u1"], from: { time: 2_000 } }), 0)
      assert.strictEqual(yield* count({ from: { position: 150 } }), 0)
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("keeps the first changes and counts all", () =>
    Effect.gen(function* () {
      yield* bill((n) => n).process(purchases(1_000))
      const report = yield* Replay.run(
        bill((n) => n + 1),
        { keep: 2 }
      )
      assert.deepStrictEqual([report.changed, report.changes.length], [1_000, 2])
      assert.strictEqual(Replay.describe(report).at(-1), "and 998 more")
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("answers steps from the journal and never calls the outside", () => {
    const asking = (more: number) =>
      till(({ n }, meta) =>
        Effect.gen(function* () {
          const { ask } = yield* Outside
          const first = yield* Step.run(meta, "price", ask(n))
          const again = yield* Step.run(meta, "price", ask(n + 100))
          return Billed.make({ n, euros: first + again + more })
        })
      )
    return Effect.gen(function* () {
      yield* asking(0).process(purchases(20)).pipe(Effect.provide(doubling))
      const same = yield* Replay.run(asking(0)).pipe(Effect.provide(unreachable))
      assert.deepStrictEqual([same.replayed, same.changed], [20, 0])
      const changed = yield* Replay.run(asking(1), { keys: ["u5"] }).pipe(Effect.provide(unreachable))
      assert.deepStrictEqual(Replay.describe(changed).slice(1), [
        'u5 Bought 5: Billed {"n":5,"euros":220} -> Billed {"n":5,"euros":221}'
      ])
    }).pipe(Effect.provide(Journal.layerMemory))
  })

  it.effect.each(["park", "skip"] as const)("reports a step that was not recorded, by its name (%s)", (permanent) => {
    const asking = (step: string) =>
      till(({ n }, meta) =>
        Effect.gen(function* () {
          const { ask } = yield* Outside
          return Billed.make({ n, euros: yield* Step.run(meta, step, ask(n)) })
        })
      )
    return Effect.gen(function* () {
      yield* asking("price").process(purchases(2)).pipe(Effect.provide(doubling))
      const report = yield* Replay.run(asking("discount"), { into: "journal" }).pipe(Effect.provide(unreachable))
      assert.deepStrictEqual([report.changed, report.corrected], [2, 0])
      assert.strictEqual(
        Replay.describe(report)[1],
        'u1 Bought 1: Billed {"n":1,"euros":2} -> failed: the recorded run has no step "discount"'
      )
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ permanent })]))
  })

  it.effect("reproduces steps that failed", () => {
    const asking = till(({ n }, meta) =>
      Effect.gen(function* () {
        const { ask } = yield* Outside
        const euros = yield* Step.run(meta, "price", ask(n)).pipe(
          Effect.catchTag("Refused", (refused) => (n === 1 ? Effect.succeed(-1) : Effect.fail(refused)))
        )
        return Billed.make({ n, euros })
      })
    )
    const refusing = outside(() => Effect.fail(new Refused({ message: "sold out", retryable: false })))
    return Effect.gen(function* () {
      yield* asking.process(purchases(2)).pipe(Effect.provide(refusing))
      const before = (yield* entries).map(({ outcome }) => outcome)
      assert.deepStrictEqual(
        before.map(({ _tag }) => _tag),
        ["Handled", "Parked"]
      )
      const same = yield* Replay.run(asking).pipe(Effect.provide(unreachable))
      assert.deepStrictEqual([same.replayed, same.changed], [2, 0])
      const [, rerun] = yield* asking.rerun(yield* entries).pipe(Effect.provide(unreachable))
      assert.strictEqual(rerun?.outcome._tag === "Parked" && rerun.outcome.reason.endsWith("sold out"), true)
    }).pipe(Effect.provide(Journal.layerMemory))
  })

  it.effect("runs twice with the same time and the same chance", () => {
    const drawing = till(({ n }) =>
      Effect.gen(function* () {
        yield* Effect.sleep("1 hour")
        const [now, drawn, int] = [
          yield* Clock.currentTimeMillis,
          yield* Random.next,
          yield* Random.nextIntBetween(1, 7)
        ]
        assert.isTrue(drawn >= 0 && drawn < 1 && int >= 1 && int <= 7)
        return Billed.make({ n, euros: now + drawn + int })
      })
    )
    return Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      yield* bill(() => 0).process(purchases(30))
      yield* TestClock.setTime(9_000)
      const first = yield* Replay.run(drawing)
      yield* TestClock.adjust("1 day")
      const second = yield* Replay.run(drawing)
      assert.deepStrictEqual(Replay.describe(second), Replay.describe(first))
      const euros = first.changes.map(({ after }) => (after._tag === "Handled" ? after.emitted[0]?.data : undefined))
      assert.strictEqual(
        new Set(euros.map((data) => JSON.stringify(data))).size,
        30,
        "each event has a chance of its own"
      )
      assert.isTrue(
        euros.every((data) => Math.trunc((data as { readonly euros: number }).euros / 10) === 500),
        "and stands at the time of its commit"
      )
    }).pipe(Effect.provide(Journal.layerMemory))
  })

  it.effect("says which parked events today's code handles, and passes what only waited behind", () => {
    const closed = till(({ n, user }) =>
      n === 1
        ? Effect.fail("closed")
        : n === 3
          ? Effect.fail("unwanted")
          : Effect.succeed(Billed.make({ n, euros: user.length }))
    )
    const open = till(({ n, user }) =>
      n === 3 ? Effect.fail("unwelcome") : Effect.succeed(Billed.make({ n, euros: user.length }))
    )
    return Effect.gen(function* () {
      yield* closed.process(bodies(one("ann", 1), one("ann", 2), one("bob", 3), one("eve", 4)))
      const report = yield* Replay.run(open, { into: "journal" })
      assert.deepStrictEqual(Replay.describe(report), [
        "this code changes 1 of 3 outcomes (1 had no handler run)",
        'ann Bought 1: parked: closed -> Billed {"n":1,"euros":3}'
      ])
      assert.strictEqual(report.corrected, 0)
      const waiting = yield* Effect.flatMap(Journal.Journal, ({ parked }) => parked("till"))
      assert.deepStrictEqual(
        waiting.map(({ id }) => id),
        ["1", "2", "3"],
        "a replay ends no waiting"
      )
    }).pipe(Effect.provide(Journal.layerMemory))
  })

  it.effect("says which unreadable records today's code reads", () => {
    const Loose = Event.make("Bought", {
      payload: Schema.Struct({ user: Schema.String, n: Schema.Union([Schema.Int, Schema.FiniteFromString]) }),
      key: ({ user }) => user,
      id: ({ n }) => String(n)
    })
    const loose = Worker.make("till", { events: [Loose], handle: { Bought: () => Effect.void } })
    return Effect.gen(function* () {
      yield* bill((n) => n).process(bodies('{"user":"ann","n":"1"}', "{nope"))
      const report = yield* Replay.run(loose)
      assert.deepStrictEqual([report.replayed, report.changed, tags(report)], [2, 1, ["Parked -> Handled"]])
    }).pipe(Effect.provide(Journal.layerMemory))
  })

  it.effect("counts what was compacted and runs the rest", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      yield* bill((n) => n).process(purchases(30))
      yield* TestClock.setTime(2_000)
      yield* bill((n) => n).process(purchases(12, 31))
      yield* Effect.flatMap(Journal.Journal, ({ prune }) => prune({ compactBefore: 1_500 }))
      const report = yield* Replay.run(bill((n) => n))
      assert.deepStrictEqual([report.replayed, report.compacted, report.passed, report.changed], [12, 30, 0, 0])
      assert.deepStrictEqual(Replay.describe(report), ["this code changes 0 of 12 outcomes (30 are compacted)"])
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("counts a failure that was given up as one, though a replay may try again", () =>
    Effect.gen(function* () {
      const closed = till(() => Effect.fail(new Refused({ message: "closed", retryable: true })))
      const tired = [Delivery.make({ position: "1", bytes: one("ann", 1), attempt: 3 })]
      const [outcome] = (yield* closed.process(tired)).outcomes
      assert.strictEqual(outcome?._tag, "Parked")
      const report = yield* Replay.run(closed)
      assert.deepStrictEqual([report.replayed, report.changed], [1, 0])
    }).pipe(Effect.provide([Journal.layerMemory, FailurePolicy.layer({ maxAttempts: 3 })]))
  )

  it.effect("holds a page of a long journal at a time", () => {
    let [read, ran, ahead] = [0, 0, 0]
    const [sample] = purchases(1)
    const long: Journal.Journal["Service"] = {
      ...Journal.none,
      durable: true,
      read: () =>
        Stream.unfold(0, (position) =>
          Effect.sync(() => {
            if (position >= 20_000 || sample === undefined) return undefined
            read += 1
            return [entryOf(sample, position + 1), position + 1] as const
          })
        )
    }
    const counting = till(() =>
      Effect.sync(() => {
        ran += 1
        ahead = Math.max(ahead, read - ran)
      })
    )
    return Effect.gen(function* () {
      const report = yield* Replay.run(counting, { keep: 1 })
      assert.deepStrictEqual([report.replayed, report.changed, report.position], [20_000, 0, 20_000])
      assert.isAtMost(ahead, 200)
    }).pipe(Effect.provideService(Journal.Journal, long))
  })
})

const entryOf = ({ bytes, ...source }: Delivery.Delivery, position: number): Journal.Entry => ({
  type: "Bought",
  id: "1",
  source,
  bytes,
  outcome: { _tag: "Handled", emitted: [] },
  attempts: 1,
  duration: 0,
  workerVersion: undefined,
  position,
  worker: "till",
  key: "u1",
  version: position,
  at: 0,
  compacted: false
})

describe("a replay into the journal", () => {
  /** What was billed for each purchase: a correction takes the place of what it corrects. */
  const bills = Projection.make("bills", {
    version: 1,
    state: Schema.Struct({ euros: Schema.Finite }),
    keys: (entry) =>
      entry.outcome._tag === "Handled" ? entry.outcome.emitted.map(({ causationId = "" }) => causationId) : [],
    fold: (_, entry) => {
      const [billed] = entry.outcome._tag === "Handled" ? entry.outcome.emitted : []
      return billed === undefined ? undefined : { euros: (billed.data as { readonly euros: number }).euros }
    }
  })

  it.effect("appends a correction once, for projections to fold and for nobody to publish", () => {
    const mended = bill((n) => (n % 10 === 0 ? 0 : n))
    return Effect.gen(function* () {
      const sent: Array<Envelope.Envelope> = []
      yield* bill((n) => n)
        .process(purchases(100))
        .pipe(Effect.provide(Publisher.layerMemory(sent)))
      yield* View.catchUp(bills)

      const first = yield* Replay.run(mended, { into: "journal" }).pipe(Effect.provide(Publisher.layerMemory(sent)))
      assert.deepStrictEqual([first.changed, first.corrected], [10, 10])
      const all = yield* entries
      assert.deepStrictEqual(
        all
          .slice(100)
          .toSorted((a, b) => Number(a.id) - Number(b.id))
          .map(({ attempts, id, resolves = 0 }) => [id, attempts, all[resolves - 1]?.id]),
        Array.from({ length: 10 }, (_, index) => String(10 * (index + 1))).map((id) => [id, 0, id])
      )

      const second = yield* Replay.run(mended, { into: "journal" })
      assert.deepStrictEqual([second.changed, second.corrected, second.passed], [0, 0, 10])

      yield* View.catchUp(bills)
      assert.deepStrictEqual(yield* View.get(bills, "10"), Option.some({ euros: 0 }))
      assert.deepStrictEqual(yield* View.get(bills, "11"), Option.some({ euros: 11 }))
      assert.strictEqual(sent.length, 100, "a correction is not published")
      const { outbox } = yield* Journal.Journal
      assert.deepStrictEqual(yield* outbox.claim("till"), [], "nor does it wait to be")
      const redelivered = yield* mended.process(purchases(10))
      assert.isTrue(redelivered.outcomes.every(({ _tag }) => _tag === "Duplicate"))
    }).pipe(Effect.provide(Journal.layerMemory))
  })

  it.effect("corrects again when the code changes once more", () =>
    Effect.gen(function* () {
      yield* bill((n) => n).process(purchases(5))
      yield* Replay.run(
        bill((n) => n + 1),
        { into: "journal" }
      )
      const third = yield* Replay.run(
        bill((n) => n + 2),
        { into: "journal" }
      )
      assert.strictEqual(third.corrected, 5)
      yield* View.catchUp(bills)
      assert.deepStrictEqual(yield* View.get(bills, "5"), Option.some({ euros: 7 }))
    }).pipe(Effect.provide(Journal.layerMemory))
  )
})

describe("a replay of what the same code journaled", () => {
  const Seen = Schema.Array(
    Schema.Struct({
      key: Schema.Literals(["a", "b", "c"]),
      behaves: Schema.Literals([
        "emits",
        "emits twice",
        "asks",
        "asks and fails",
        "fails",
        "dies",
        "tries again",
        "unreadable"
      ])
    })
  ).check(Schema.isMaxLength(30))

  const player = (history: typeof Seen.Type) => {
    let asked = 0
    const ask = (behaves: string) =>
      Effect.suspend(() => {
        asked += 1
        return behaves === "asks and fails"
          ? Effect.fail(new Refused({ message: `no ${asked}`, retryable: false }))
          : Effect.succeed(asked)
      })
    const worker = Worker.make("till", {
      events: [Bought],
      handle: {
        *Bought({ n }, meta) {
          const behaves = history[n]?.behaves ?? "emits"
          if (behaves === "fails") yield* new Refused({ message: "no", retryable: false })
          if (behaves === "dies") throw new TypeError("a bug")
          const price = yield* Step.run(meta, "price", ask(behaves))
          if (behaves === "tries again" && price % 2 === 1) yield* new Refused({ message: "odd", retryable: true })
          const billed = Billed.make({ n, euros: price })
          return behaves === "emits twice" ? [billed, Billed.make({ n, euros: -1 })] : billed
        }
      }
    })
    return { worker, asked: () => asked }
  }

  for (const permanent of ["park", "skip"] as const) {
    it.effect.prop(
      `changes nothing, and asks nothing (${permanent})`,
      [Seen],
      ([history]) =>
        Effect.gen(function* () {
          const { asked, worker } = player(history)
          const deliveries = bodies(
            ...history.map(({ behaves, key }, n) => (behaves === "unreadable" ? "{nope" : one(key, n)))
          )
          yield* MemoryTransport.run(worker, deliveries, { batchSize: 7, maxAttempts: 5 })
          yield* DeadLetters.redriveAll(worker)
          const before = asked()
          const journaled = yield* entries
          const report = yield* Replay.run(worker, { into: "journal" })
          assert.deepStrictEqual(Replay.describe(report).slice(1), [])
          assert.strictEqual(asked(), before, "the outside was not asked")
          assert.deepStrictEqual(yield* entries, journaled, "and nothing was written")
          assert.strictEqual(report.replayed + report.passed, journaled.length)
        }).pipe(
          Effect.provide([
            Journal.layerMemory,
            FailurePolicy.layer({ permanent, maxAttempts: 3 }),
            RetryPolicy.layer(RetryPolicy.make({ attempts: 2, base: 0, cap: 0 }))
          ])
        ),
      { arbitrary: { runs: 100 } }
    )
  }
})
