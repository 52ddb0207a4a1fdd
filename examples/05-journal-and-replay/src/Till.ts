/** The worker: it bills an order at the price that the shop says. */
import * as Event from "@leat/core/Event"
import * as Step from "@leat/core/Step"
import * as Worker from "@leat/core/Worker"
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

export const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, film: Schema.String }),
  key: ({ user }) => user,
  id: ({ film, user }) => `${user}-${film}`
})

export const Billed = Event.make("Billed", {
  payload: Schema.Struct({ film: Schema.String, cents: Schema.Int }),
  key: ({ film }) => film,
  id: ({ film }) => film
})

/** The outside: what it says today it may not say tomorrow. */
export class Shop extends Context.Service<Shop, { readonly priceOf: (film: string) => Effect.Effect<number> }>()(
  "example-05-journal-and-replay/Till/Shop"
) {}

export const till = (version: string, discounted: (cents: number) => number) =>
  Worker.make("till", {
    version,
    events: [Ordered],
    handle: {
      *Ordered({ film }, meta) {
        const shop = yield* Shop
        const cents = yield* Step.run(meta, "price", shop.priceOf(film))
        return Billed.make({ film, cents: discounted(cents) })
      }
    }
  })
