/** What was sold of each film: a fold over what the till emitted. */
import * as Event from "@leat/core/Event"
import * as Projection from "@leat/core/Projection"
import * as Schema from "effect/Schema"

import { Billed } from "./Till.ts"

export const sales = Projection.make("sales", {
  version: 1,
  worker: "till",
  state: Schema.Struct({ copies: Schema.Int, cents: Schema.Int }),
  keys: ({ outcome }) => Event.emittedBy(Billed, outcome).map(({ film }) => film),
  fold: (before, { outcome }) =>
    Event.emittedBy(Billed, outcome).reduce(
      ({ cents, copies }, billed) => ({ copies: copies + 1, cents: cents + billed.cents }),
      before ?? { copies: 0, cents: 0 }
    )
})
