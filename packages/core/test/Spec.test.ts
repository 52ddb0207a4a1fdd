import { assert, describe, it } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Publisher from "@leat/core/Publisher"
import * as Step from "@leat/core/Step"
import * as Spec from "@leat/core/testing/Spec"
import * as Worker from "@leat/core/Worker"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

class Refused extends Schema.TaggedError<Refused>()("Refused", {
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, film: Schema.String }),
  key: (order) => order.user,
  id: (order) => `${order.user}-${order.film}`
})
const Shipped = Event.make("Shipped", {
  payload: Schema.Struct({ film: Schema.String, price: Schema.Int }),
  key: (shipped) => shipped.film,
  id: (shipped) => shipped.film
})

/** What a film costs; asked in a step. */
class Prices extends Context.Service<Prices, { readonly of: (film: string) => Effect.Effect<number> }>()(
  "@leat/core/test/Spec.test/Prices"
) {}

const seven = Layer.succeed(Prices, { of: () => Effect.succeed(7) })

/** Ships what it has; "slow" takes a second, "later" is refused for now. */
const shopWith = (...films: ReadonlyArray<string>) =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ film }, meta) {
        if (film === "slow") yield* Effect.sleep("1 second")
        if (film === "later") yield* new Refused({ message: "closed", retryable: true })
        if (!films.includes(film)) yield* new Refused({ message: `nobody has ${film}`, retryable: false })
        return Shipped.make({ film, price: yield* Step.run(meta, "price", (yield* Prices).of(film)) })
      }
    }
  })

const shop = shopWith("Ran", "slow")
const order = (user: string, film: string) => Ordered.make({ user, film })
const shipped = (film: string) => Shipped.make({ film, price: 7 })

const sales = Projection.make("sales", {
  version: 1,
  state: Schema.Struct({ sold: Schema.Int }),
  keys: (entry) => (entry.outcome._tag === "Handled" ? entry.outcome.emitted.map(({ type }) => type) : []),
  fold: (state) => ({ sold: (state?.sold ?? 0) + 1 })
})

const provided = <A, E>(self: Effect.Effect<A, E, Prices>) => Effect.provide(self, seven)

/** The message of a scenario that must not hold. */
const faultOf = (self: Effect.Effect<void, Spec.SpecFailed, Prices>) =>
  Effect.map(Effect.flip(provided(self)), ({ message }) => message.trimEnd().split("\n"))

describe("a scenario", () => {
  it.effect("goes from given to then", () =>
    Spec.scenario(
      shop,
      Spec.given(order("ann", "Ran")),
      Spec.when(order("bob", "Ran"), order("ann", "Ran")),
      Spec.thenOutcomes("Handled", "Duplicate"),
      Spec.thenEmitted(shipped("Ran")),
      Spec.thenSettled(2),
      Spec.thenPublished(shipped("Ran"), shipped("Ran")),
      Spec.thenState(sales, "Shipped", { sold: 2 }),
      Spec.thenState(sales, "Lost", undefined),
      Spec.thenJournal(
        { key: "ann", id: "ann-Ran", outcome: "Handled", steps: { price: { value: 7 } } },
        { key: "bob", type: "Ordered", attempts: 1, resolution: false }
      )
    ).pipe(provided)
  )

  it.effect("needs what its workers need, and runs without a test clock too", () => {
    const scenario: Effect.Effect<void, Spec.SpecFailed, Prices> = Spec.scenario(
      Worker.make("shop", { events: [Ordered], handle: { Ordered: () => Effect.void } }),
      Spec.whenDeployed(shop),
      Spec.whenTaking("1 second", order("ann", "slow")),
      Spec.thenOutcomes("Handled")
    )
    const alone = Effect.provideService(provided(scenario), Clock.Clock, Context.get(Context.empty(), Clock.Clock))
    return alone
  })

  it.effect("redelivers a batch", () =>
    Spec.scenario(
      shop,
      Spec.when(order("ann", "Ran"), order("bob", "later"), order("bob", "Ran")),
      Spec.thenOutcomes("Handled", "Failed: closed", "Unstarted"),
      Spec.thenSettled(1),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Duplicate", "Failed: may be tried again", "Unstarted"),
      Spec.thenEmitted()
    ).pipe(provided)
  )

  it.effect("crashes before the commit: it is handled twice, and journaled once", () => {
    let asked = 0
    const prices = Layer.succeed(Prices, { of: () => Effect.sync(() => (asked += 1)) })
    return Spec.scenario(
      shop,
      Spec.whenCrashed("before the commit", order("ann", "Ran")),
      Spec.thenJournal(),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Handled"),
      Spec.thenThat("the price was asked for twice", () => asked === 2),
      Spec.thenEmitted(Shipped.make({ film: "Ran", price: 2 }))
    ).pipe(Effect.provide(prices))
  })

  it.effect("crashes after the commit: it is not handled again, and published by the next relay", () =>
    Spec.scenario(
      shop,
      Spec.whenCrashed("after the commit", order("ann", "Ran")),
      Spec.thenEmitted(shipped("Ran")),
      Spec.thenPublished(),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Duplicate"),
      Spec.whenTimePasses(Journal.outboxHold),
      Spec.whenRelayed(),
      Spec.thenPublished(shipped("Ran"))
    ).pipe(provided)
  )

  it.effect("keeps what a publisher of the test's own accepted", () => {
    const refusing = Publisher.layer({
      publish: (envelopes) =>
        Effect.succeed(
          envelopes.map(() =>
            Exit.fail(new Publisher.PublishError({ reason: "Unavailable", message: "", retryable: true }))
          )
        )
    })
    return Spec.scenario(shop, Spec.when(order("ann", "Ran")), Spec.thenPublished()).pipe(
      provided,
      Effect.provide(refusing)
    )
  })

  it.effect("is overtaken by another process", () =>
    Spec.scenario(
      shop,
      Spec.whenOvertaken([order("ann", "Heat")], order("ann", "Ran"), order("bob", "Ran")),
      Spec.thenOutcomes("Failed: another process", "Handled"),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Handled", "Duplicate")
    ).pipe(provided)
  )

  it.effect("parks, redrives with mended code, and goes on", () =>
    Spec.scenario(
      shop,
      Spec.givenParked("nobody has Heat", order("ann", "Heat"), order("ann", "Alien"), order("bob", "Heat")),
      Spec.when(order("ann", "Ran")),
      Spec.thenOutcomes("Parked: waits behind"),
      Spec.thenParked("ann", order("ann", "Heat"), "ann-Alien", order("ann", "Ran")),
      Spec.whenRedriven("ann"),
      Spec.thenRedriven(0, "nobody has Heat"),
      Spec.whenDeployed(shopWith("Heat", "Ran")),
      Spec.whenRedriven("ann"),
      Spec.thenRedriven(1, "nobody has Alien"),
      Spec.thenEmitted(shipped("Heat")),
      Spec.whenDiscarded("ann", "not ours", "ann-Alien"),
      Spec.thenParked("ann", "ann-Ran"),
      Spec.whenRedriven("ann"),
      Spec.thenRedriven(1),
      Spec.whenDiscarded("bob", "bob has left"),
      Spec.thenNothingParked()
    ).pipe(provided)
  )

  it.effect("parks also where the policy is to skip", () =>
    Spec.scenario(
      shop,
      Spec.givenParked("nobody has Heat", order("ann", "Heat")),
      Spec.when(order("bob", "Heat")),
      Spec.thenOutcomes("Skipped: nobody has Heat"),
      Spec.thenParked("ann", "ann-Heat")
    ).pipe(provided, Effect.provide(FailurePolicy.layer({ permanent: "skip" })))
  )

  it.effect("reads bytes and the envelopes of others", () =>
    Spec.scenario(
      shop,
      Spec.when(
        Spec.bytes("{nope"),
        Spec.envelope({ type: "Ordered", id: "7", data: { user: "ann", film: "Ran" } }),
        Spec.envelope({ type: "Lost", id: "8", data: {} })
      ),
      Spec.thenOutcomes("Parked: not JSON", "Handled", "Parked: no handler for the event"),
      Spec.thenParked("0/1", "0/1")
    ).pipe(provided)
  )

  it.effect("runs on any journal", () =>
    Spec.scenarioWith(
      { journal: Journal.layerMemory.pipe(Layer.provide(Projection.layerInline([sales]))) },
      shop,
      Spec.when(order("ann", "Ran")),
      Spec.thenState(sales, "Shipped", { sold: 1 })
    ).pipe(provided)
  )
})

describe("a scenario that does not hold", () => {
  it.effect("shows outcomes side by side, and the story", () =>
    Effect.gen(function* () {
      const lines = yield* faultOf(
        Spec.scenario(
          shop,
          Spec.given(order("ann", "Ran")),
          Spec.when(order("bob", "Ran"), order("bob", "Heat")),
          Spec.thenOutcomes("Handled", "Skipped", "Handled"),
          Spec.thenNothingParked()
        )
      )
      assert.deepStrictEqual(lines, [
        "then the outcomes are Handled, Skipped, Handled",
        "",
        "  delivery          expected  was",
        "= Ordered bob-Ran   Handled   Handled",
        "x Ordered bob-Heat  Skipped   Parked: Refused: nobody has Heat",
        "x (none)            Handled   (nothing)",
        "",
        "  given Ordered ann-Ran",
        "  when Ordered bob-Ran, Ordered bob-Heat",
        "> then the outcomes are Handled, Skipped, Handled"
      ])
    })
  )

  it.effect("shows emitted events by their payloads", () =>
    Effect.gen(function* () {
      const lines = yield* faultOf(
        Spec.scenario(
          shop,
          Spec.when(order("ann", "Ran")),
          Spec.thenEmitted(Shipped.make({ film: "Ran", price: 8 }), shipped("Heat"))
        )
      )
      assert.deepStrictEqual(lines.slice(2, 5), [
        "  expected                           was",
        'x Shipped {"film":"Ran","price":8}   Shipped {"film":"Ran","price":7}',
        'x Shipped {"film":"Heat","price":7}  (nothing)'
      ])
    })
  )

  it.effect("shows what waits on a key, and why", () =>
    Effect.gen(function* () {
      const lines = yield* faultOf(
        Spec.scenario(
          shop,
          Spec.givenParked("nobody has Heat", order("ann", "Heat")),
          Spec.thenParked("ann", order("ann", "Ran"))
        )
      )
      assert.deepStrictEqual(lines, [
        "then Ordered ann-Ran waits parked on ann",
        "",
        "  expected  was",
        "x ann-Ran   ann-Heat Parked: nobody has Heat",
        "",
        "  given Ordered ann-Heat parked: nobody has Heat",
        "> then Ordered ann-Ran waits parked on ann"
      ])
    })
  )

  const second = (...steps: ReadonlyArray<Spec.Step>) =>
    Effect.map(faultOf(Spec.scenario(shop, Spec.when(order("ann", "Ran")), ...steps)), (lines) => lines.slice(2, -3))

  const wrong: Record<string, readonly [steps: ReadonlyArray<Spec.Step>, says: ReadonlyArray<string>]> = {
    "a state": [[Spec.thenState(sales, "Shipped", { sold: 2 })], ["  expected    was", 'x {"sold":2}  {"sold":1}']],
    "a state that is missing": [
      [Spec.thenState(sales, "Lost", { sold: 2 })],
      ["  expected    was", 'x {"sold":2}  (no state)']
    ],
    "an entry of the journal": [
      [Spec.thenJournal({ id: "ann-Ran", outcome: "Parked" })],
      [
        "  expected                      was",
        'x id: ann-Ran, outcome: Parked  key: ann, type: Ordered, id: ann-Ran, outcome: Handled, attempts: 1, steps: {"price":{"value":7}}'
      ]
    ],
    "how many are settled": [[Spec.thenSettled(2)], ["1 of 1 are settled: all are settled"]],
    "what the test says itself": [[Spec.thenThat("it rains", () => false)], ["it does not hold"]],
    "a redrive that nobody asked for": [[Spec.thenRedriven(1)], ["this comes after `Spec.whenRedriven`"]],
    "a crash at no moment": [
      [Spec.whenCrashed("before the commit", order("ann", "Ran"))],
      ["there was nothing to commit, so there was no moment to crash at"]
    ],
    "history that did not happen": [
      [Spec.given(order("bob", "Heat"))],
      ["  delivery          expected  was", "x Ordered bob-Heat  Handled   Parked: Refused: nobody has Heat"]
    ],
    "events that can't be parked": [
      [Spec.givenParked("no", order("ann", "Ran"))],
      ["Ordered ann-Ran could not be parked, it is Duplicate"]
    ],
    "what can't be discarded": [[Spec.whenDiscarded("ann", "no", "7")], ["only these wait on ann: none"]],
    "code of another worker": [
      [Spec.whenDeployed(Worker.make("other", { events: [Ordered], handle: { Ordered: () => Effect.void } }))],
      ["it is called other, so the journal of shop isn't its own"]
    ]
  }

  it.effect.each(Object.entries(wrong))("says what is wrong with %s", ([, [steps, says]]) =>
    Effect.gen(function* () {
      assert.deepStrictEqual(yield* second(...steps), says)
    })
  )

  it.effect("says that a redrive came to another end", () =>
    Effect.gen(function* () {
      const lines = yield* faultOf(
        Spec.scenario(
          shop,
          Spec.givenParked("nobody has Heat", order("ann", "Heat")),
          Spec.whenRedriven("ann"),
          Spec.thenRedriven(1)
        )
      )
      assert.strictEqual(lines[2], "it settled 0 and stopped: Refused: nobody has Heat")
    })
  )

  it.effect("says that a handler waits for a time that doesn't come", () =>
    Effect.gen(function* () {
      const lines = yield* faultOf(Spec.scenarioWith({ patience: "20 millis" }, shop, Spec.when(order("ann", "slow"))))
      assert.match(lines[2] ?? "", /^the batch is not done after 20ms of real time: .* `Spec.whenTaking/)
    })
  )

  it.effect("says that the journal failed", () =>
    Effect.gen(function* () {
      const broken = Layer.succeed(Journal.Journal, {
        ...Journal.none,
        durable: true,
        read: () => Stream.empty,
        open: () =>
          Effect.fail(
            new Journal.JournalError({ operation: "open", reason: "Unavailable", message: "no disk", retryable: true })
          )
      })
      const { message } = yield* Effect.flip(
        provided(Spec.scenarioWith({ journal: broken }, shop, Spec.when(order("ann", "Ran"))))
      )
      assert.match(message, /the journal failed: no disk/)
    })
  )
})
