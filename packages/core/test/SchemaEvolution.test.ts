import { assert, describe, it } from "@effect/vitest"
import * as DeadLetters from "@leat/core/DeadLetters"
import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import * as Journal from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Replay from "@leat/core/Replay"
import * as Spec from "@leat/core/testing/Spec"
import * as View from "@leat/core/View"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

interface V1Data {
  readonly user: string
  readonly film: string
}

/** An order as three programs knew it: one film, several films, films with a currency. */
const V1 = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, film: Schema.String }),
  key: ({ user }) => user,
  id: ({ film, user }) => `${user}-${film}`
})
const V2 = Event.make("Ordered", {
  version: 2,
  payload: Schema.Struct({ user: Schema.String, films: Schema.Array(Schema.String) }),
  key: ({ user }) => user,
  id: ({ films, user }) => `${user}-${films.join("+")}`,
  upcasters: { 1: (data) => lift(data as V1Data) }
})

const lift = ({ film, user }: V1Data) => ({ user, films: [film] })

const today = {
  version: 3,
  payload: Schema.Struct({ user: Schema.String, films: Schema.Array(Schema.String), currency: Schema.String }),
  key: ({ user }: { readonly user: string }) => user,
  id: ({ films, user }: { readonly user: string; readonly films: ReadonlyArray<string> }) =>
    `${user}-${films.join("+")}`
} as const
const V3 = Event.make("Ordered", {
  ...today,
  upcasters: {
    1: (data) => lift(data as V1Data),
    2: (data) => ({ ...(data as { readonly user: string; readonly films: ReadonlyArray<string> }), currency: "EUR" })
  }
})

const Shipped1 = Event.make("Shipped", {
  payload: Schema.Struct({ count: Schema.Int }),
  key: () => "shipments",
  id: ({ count }) => String(count)
})
const Shipped2 = Event.make("Shipped", {
  version: 2,
  payload: Schema.Struct({ count: Schema.Int, currency: Schema.String }),
  key: () => "shipments",
  id: ({ count }) => String(count),
  upcasters: { 1: (data) => ({ ...(data as { readonly count: number }), currency: "EUR" }) }
})

const shop1 = Worker.make("shop", {
  version: "1",
  events: [V1],
  handle: {
    Ordered: ({ film }) => (film === "Heat" ? Effect.fail("sold out") : Effect.succeed(Shipped1.make({ count: 1 })))
  }
})
const shop2 = Worker.make("shop", {
  version: "2",
  events: [V2],
  handle: { Ordered: ({ films }) => Effect.succeed(Shipped1.make({ count: films.length })) }
})
const shop3 = Worker.make("shop", {
  version: "3",
  events: [V3],
  handle: { Ordered: ({ currency, films }) => Effect.succeed(Shipped2.make({ count: films.length, currency })) }
})

const v1 = (film: string, user = "ann") =>
  Spec.envelope({ type: "Ordered", version: 1, id: `${user}-${film}`, key: user, data: { user, film } })
const newer = (id: string, user = "ann") =>
  Spec.envelope({
    type: "Ordered",
    version: 4,
    id,
    key: user,
    data: { user, films: ["Ran"], currency: "EUR", gift: true }
  })

describe("events of yesterday", () => {
  it.effect("are redriven with today's code, lifted over two versions, in order", () =>
    Spec.scenario(
      shop1,
      Spec.when(v1("Heat"), v1("Ran")),
      Spec.thenOutcomes("Parked: sold out", "Parked: waits behind"),
      Spec.whenDeployed(shop3),
      Spec.when(V3.make({ user: "ann", films: ["Ran", "Alien"], currency: "USD" })),
      Spec.thenOutcomes("Parked: waits behind"),
      Spec.whenRedriven("ann"),
      Spec.thenRedriven(3),
      Spec.thenEmitted(
        Shipped2.make({ count: 1, currency: "EUR" }),
        Shipped2.make({ count: 1, currency: "EUR" }),
        Shipped2.make({ count: 2, currency: "USD" })
      ),
      Spec.thenNothingParked()
    )
  )

  it.effect("are replayed with today's code", () =>
    Effect.gen(function* () {
      const journaled = (user: string, film: string) =>
        Delivery.make({
          position: film,
          bytes: JSON.stringify({
            specversion: "1.0",
            type: "Ordered",
            id: `${user}-${film}`,
            source: "test",
            dataversion: 1,
            data: { user, film }
          })
        })
      yield* shop1.process([journaled("ann", "Ran"), journaled("bob", "Heat")])
      assert.deepStrictEqual(Replay.describe(yield* Replay.run(shop3)), [
        "this code changes 2 of 2 outcomes",
        'ann Ordered ann-Ran: Shipped {"count":1} -> Shipped {"count":1,"currency":"EUR"}',
        'bob Ordered bob-Heat: parked: sold out -> Shipped {"count":1,"currency":"EUR"}'
      ])
      assert.deepStrictEqual((yield* Replay.run(shop2)).changed, 1, "the version in between changes what was parked")
    }).pipe(Effect.provide(Journal.layerMemory))
  )

  it.effect("are duplicates in any version: an id is an id", () =>
    Spec.scenario(
      shop1,
      Spec.given(v1("Ran")),
      Spec.whenDeployed(shop3),
      Spec.when(v1("Ran"), V3.make({ user: "ann", films: ["Ran"], currency: "EUR" })),
      Spec.thenOutcomes("Duplicate", "Duplicate")
    )
  )

  it.effect("as plain JSON name no version, so they are read as today's", () =>
    Spec.scenario(
      shop3,
      Spec.when(Spec.bytes('{"user":"ann","film":"Ran"}')),
      Spec.thenOutcomes('Parked: Missing key at ["films"]')
    )
  )
})

describe("events of tomorrow", () => {
  const V4 = Event.make("Ordered", {
    ...today,
    version: 4,
    payload: Schema.Struct({ ...today.payload.fields, gift: Schema.Boolean }),
    upcasters: {
      1: (data) => lift(data as V1Data),
      2: (data) => ({ ...(data as object), currency: "EUR" }),
      3: (data) => ({ ...(data as object), gift: false })
    }
  })
  const handled: Array<string> = []
  const shop4 = Worker.make("shop", {
    version: "4",
    events: [V4],
    handle: { Ordered: ({ films, gift }) => Effect.sync(() => void handled.push(`${films.join("+")} ${gift}`)) }
  })

  it.effect("park on their own key, hold what follows, and are handled in order when the newer code is there", () =>
    Spec.scenario(
      shop3,
      Spec.when(v1("Alien"), newer("g1"), v1("Heat"), v1("Ran", "bob"), newer("g2")),
      Spec.thenOutcomes(
        "Handled",
        "Parked: Ordered has version 4, this program knows up to 3: deploy the newer one",
        "Parked: waits behind",
        "Handled",
        "Parked: waits behind"
      ),
      Spec.thenParked("ann", "0/2", "ann-Heat", "0/5"),
      Spec.when(V3.make({ user: "ann", films: ["Heat", "Ran"], currency: "EUR" })),
      Spec.thenOutcomes("Parked: waits behind"),
      Spec.whenRedriven("ann"),
      Spec.thenRedriven(0, "deploy the newer one"),
      Spec.whenDeployed(shop4),
      Spec.whenRedriven("ann"),
      Spec.thenRedriven(4),
      Spec.thenNothingParked(),
      Spec.thenThat(
        "they ran in the order of their arrival",
        () => handled.join(", ") === "Ran true, Heat false, Ran true, Heat+Ran false"
      ),
      Spec.when(newer("g1")),
      Spec.thenOutcomes("Duplicate")
    )
  )

  it.effect("are told from the rest in the list of what waits", () =>
    Effect.gen(function* () {
      yield* Spec.scenarioWith(
        { journal: Layer.succeed(Journal.Journal, yield* Journal.Journal) },
        shop3,
        Spec.when(newer("g1"))
      )
      const [key] = yield* DeadLetters.list("shop")
      assert.deepStrictEqual([key?.key, key?.type, key?.id, key?.count], ["ann", "undecodable", "0/1", 1])
    }).pipe(Effect.provide(Journal.layerMemory))
  )
})

describe("upcasters", () => {
  const shopWith = (upcasters: { readonly [from: number]: Event.Upcaster }) =>
    Worker.make("shop", {
      events: [Event.make("Ordered", { ...today, upcasters })],
      handle: { Ordered: () => Effect.void }
    })

  it.effect("that are missing park the event with a reason, and other events of its user pass", () =>
    Spec.scenario(
      shopWith({ 1: (data) => data }),
      Spec.when(v1("Heat"), V3.make({ user: "ann", films: [], currency: "EUR" })),
      Spec.thenOutcomes("Parked: Ordered has version 2 and no upcaster leads from there", "Handled"),
      Spec.thenParked("0/1", "0/1"),
      Spec.whenDeployed(shop3),
      Spec.whenRedriven("0/1"),
      Spec.thenRedriven(1),
      Spec.thenNothingParked(),
      Spec.thenJournal(
        { key: "0/1", outcome: "Parked" },
        { key: "ann", id: "ann-" },
        { key: "ann", id: "ann-Heat", outcome: "Handled" },
        { key: "0/1", outcome: "Skipped: delivered again on the key ann", resolution: true }
      )
    )
  )

  it.effect("that throw park the event with what they threw", () =>
    Spec.scenario(
      shopWith({
        1: () => {
          throw new Error("no film")
        }
      }),
      Spec.when(v1("Heat")),
      Spec.thenOutcomes("Parked: the upcaster of Ordered from version 1 threw: Error: no film")
    )
  )

  it.effect("that lift to what the schema refuses park the event with the fault", () =>
    Spec.scenario(
      shopWith({ 1: (data) => data, 2: (data) => data }),
      Spec.when(v1("Heat")),
      Spec.thenOutcomes('Parked: Missing key at ["films"]')
    )
  )
})

describe("a projection over events of several versions", () => {
  const shipments = Projection.make("shipments", {
    version: 1,
    worker: "shop",
    state: Schema.Struct({ count: Schema.Int }),
    keys: ({ outcome }) => Event.emittedBy(Shipped2, outcome).map(({ currency }) => currency),
    fold: (state, { outcome }, currency) => ({
      count: Event.emittedBy(Shipped2, outcome)
        .filter((shipped) => shipped.currency === currency)
        .reduce((sum, { count }) => sum + count, state?.count ?? 0)
    })
  })

  it.effect("reads them all as today's", () =>
    Spec.scenario(
      shop1,
      Spec.given(v1("Ran"), v1("Alien")),
      Spec.whenDeployed(shop3),
      Spec.when(
        V3.make({ user: "ann", films: ["Heat", "Up"], currency: "USD" }),
        V3.make({ user: "bob", films: ["Heat"], currency: "EUR" })
      ),
      Spec.thenState(shipments, "EUR", { count: 3 }),
      Spec.thenState(shipments, "USD", { count: 2 })
    )
  )

  it.effect("stops at one that a newer program emitted, and leaves nothing out", () => {
    const old = Projection.make("shipments", {
      version: 1,
      state: Schema.Struct({ count: Schema.Int }),
      keys: ({ outcome }) => Event.emittedBy(Shipped1, outcome).map(() => "all"),
      fold: (state) => ({ count: (state?.count ?? 0) + 1 })
    })
    return Effect.gen(function* () {
      yield* shop3.process(Delivery.ofEvent(V3, [{ user: "ann", films: [], currency: "EUR" }]))
      const exit = yield* Effect.exit(View.catchUp(old))
      assert.match(String(exit), /this program knows up to 1/)
      assert.deepStrictEqual(yield* View.get(old, "all"), Option.none())
    }).pipe(Effect.provide(Journal.layerMemory))
  })
})
