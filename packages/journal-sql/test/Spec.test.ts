/** A scenario of a user's own, on a journal that lasts. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import { describe, it } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as Spec from "@leat/core/testing/Spec"
import * as Worker from "@leat/core/Worker"
import * as SqliteJournal from "@leat/journal-sql/SqliteJournal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ user: Schema.String, film: Schema.String }),
  key: (order) => order.user,
  id: (order) => `${order.user}-${order.film}`
})
const Shipped = Event.make("Shipped", {
  payload: Schema.Struct({ film: Schema.String }),
  key: (shipped) => shipped.film,
  id: (shipped) => shipped.film
})

const shopWith = (...films: ReadonlyArray<string>) =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ film }) {
        if (!films.includes(film)) yield* Effect.fail(`nobody has ${film}`)
        return Shipped.make({ film })
      }
    }
  })

const order = (user: string, film: string) => Ordered.make({ user, film })

describe("a scenario on SQLite", () => {
  it.live("parks, crashes, is overtaken, redrives and publishes as one in memory", () =>
    Effect.suspend(() =>
      Spec.scenarioWith(
        { journal: SqliteJournal.layer({ file: join(mkdtempSync(join(tmpdir(), "leat-spec-")), "journal.sqlite") }) },
        shopWith("Ran"),
        Spec.when(order("ann", "Heat"), order("ann", "Ran"), order("bob", "Ran")),
        Spec.thenOutcomes("Parked: nobody has Heat", "Parked", "Handled"),
        Spec.whenCrashed("after the commit", order("eve", "Ran")),
        Spec.whenRedelivered(),
        Spec.thenOutcomes("Duplicate"),
        Spec.whenDeployed(shopWith("Heat", "Ran")),
        Spec.whenRedriven("ann"),
        Spec.thenRedriven(2),
        Spec.thenEmitted(Shipped.make({ film: "Heat" }), Shipped.make({ film: "Ran" })),
        Spec.thenNothingParked()
      )
    )
  )
})
