import * as Event from "@leat/core/Event"
import type * as Journal from "@leat/core/Journal"
import type { MissingServices, Provides } from "@leat/core/MissingServices"
import * as Worker from "@leat/core/Worker"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { describe, expectTypeOf, it } from "vitest"

class Prices extends Context.Service<Prices, { readonly of: (id: string) => Effect.Effect<number> }>()(
  "@leat/core/test/Worker.types.test/Prices"
) {}

class Stock extends Context.Service<Stock, { readonly all: Effect.Effect<ReadonlyMap<string, number>> }>()(
  "@leat/core/test/Worker.types.test/Stock"
) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ id: Schema.String, count: Schema.Int }),
  key: (payload) => payload.id,
  id: (payload) => payload.id
})

const Returned = Event.make("Returned", {
  payload: Schema.Struct({ id: Schema.String, reason: Schema.optionalKey(Schema.String) }),
  key: (payload) => payload.id,
  id: (payload) => payload.id
})

describe("a worker's types", () => {
  it("give a generator handler its exact payload and collect what it needs", () => {
    const worker = Worker.make("typed", {
      events: [Ordered, Returned],
      handle: {
        *Ordered(payload, meta) {
          expectTypeOf(payload).toEqualTypeOf<{ readonly id: string; readonly count: number }>()
          expectTypeOf(payload).not.toBeAny()
          expectTypeOf(meta).toEqualTypeOf<Worker.Meta>()
          yield* (yield* Prices).of(payload.id)
          return Returned.make({ id: payload.id })
        },
        Returned: (payload) => {
          expectTypeOf(payload).not.toBeAny()
          return Effect.log(payload.reason)
        }
      }
    })
    expectTypeOf(worker).toEqualTypeOf<Worker.Worker<Prices>>()
  })

  it("add what prepare needs, without its scope, and show it every payload", () => {
    const worker = Worker.make("prepared", {
      events: [Ordered, Returned],
      prepare: Effect.fnUntraced(function* (items) {
        for (const item of items) {
          if (item.tag === "Ordered") expectTypeOf(item.payload.count).toEqualTypeOf<number>()
          else expectTypeOf(item.payload.reason).toEqualTypeOf<string | undefined>()
        }
        const stock = yield* (yield* Stock).all
        yield* Effect.addFinalizer(() => Effect.void)
        return Context.make(Prices, { of: (id) => Effect.succeed(stock.get(id) ?? 0) })
      }),
      handle: {
        *Ordered(payload) {
          yield* (yield* Prices).of(payload.id)
        },
        Returned: () => Effect.void
      }
    })
    expectTypeOf(worker).toEqualTypeOf<Worker.Worker<Prices | Stock>>()
  })

  it("refuse a missing handler, an unknown field and a reply that is no event", () => {
    // @ts-expect-error -- `Returned` has no handler
    Worker.make("incomplete", { events: [Ordered, Returned], handle: { Ordered: () => Effect.void } })
    Worker.make("misspelt", {
      events: [Ordered],
      handle: {
        *Ordered(payload) {
          // @ts-expect-error -- a payload has no `amount`
          yield* Effect.log(payload.amount)
        }
      }
    })
    // @ts-expect-error -- a number is no event
    Worker.make("wrong reply", { events: [Ordered], handle: { Ordered: () => Effect.succeed(42) } })
  })

  it("turn a missing layer into one readable error", () => {
    expectTypeOf<Provides<Prices | Journal.Journal, Prices | Journal.Journal>>().toEqualTypeOf<unknown>()
    expectTypeOf<Provides<Prices | Stock, Stock>>().toEqualTypeOf<MissingServices<Prices>>()
    expectTypeOf<keyof MissingServices<Prices>>().toEqualTypeOf<"⛔ the layer does not provide">()
  })
})
