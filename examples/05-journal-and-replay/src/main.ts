/** A till on a journal in a file: it restarts, is looked at, and is replayed with other code. */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as Delivery from "@leat/core/Delivery"
import type { Journal } from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import * as Replay from "@leat/core/Replay"
import * as View from "@leat/core/View"
import * as SqliteJournal from "@leat/journal-sql/SqliteJournal"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

import { sales } from "./Sales.ts"
import { Ordered, Shop, till } from "./Till.ts"

const folder = mkdtempSync(join(tmpdir(), "leat-example-"))

const asked: Array<string> = []
const prices: Record<string, number> = { Heat: 990, Ran: 1_490 }
const shop = Layer.succeed(Shop, {
  priceOf: (film) =>
    Effect.sync(() => {
      asked.push(film)
      return prices[film] ?? 0
    })
})

/** A program of its own: the layers are built, and closed when it ends. Only the file remains. */
const program = <A, E>(title: string, self: Effect.Effect<A, E, Shop | Journal>) => {
  console.log(title)
  const journal = SqliteJournal.layer({ file: join(folder, "journal.db") })
  return Effect.runPromise(Effect.provide(self, Layer.fresh(Layer.merge(shop, journal))))
}

const today = till("1", (cents) => cents)
const deliveries = Delivery.ofEvent(Ordered, [
  { user: "ann", film: "Heat" },
  { user: "bob", film: "Ran" },
  { user: "ann", film: "Ran" },
  { user: "eve", film: "Heat" }
])

const deliver = Effect.gen(function* () {
  const delivered = yield* MemoryTransport.run(today, deliveries)
  delivered.forEach(({ outcome }, index) => console.log(`  order ${index + 1}: ${outcome._tag}`))
  console.log(`  the shop was asked ${asked.length} times`)
})

const look = Effect.gen(function* () {
  yield* View.catchUp(sales)
  for (const film of ["Heat", "Ran"]) {
    const { cents, copies } = Option.getOrThrow(yield* View.get(sales, film))
    console.log(`  ${film}: ${copies} sold for ${(cents / 100).toFixed(2)}`)
  }
})

const tomorrow = till("2", (cents) => (cents > 1_000 ? cents - 200 : cents))

const compare = Effect.gen(function* () {
  for (const line of Replay.describe(yield* Replay.run(tomorrow))) console.log(`  ${line}`)
})

try {
  await program("four orders", deliver)
  await program("another program on the same file, and the orders come again", Effect.andThen(deliver, look))
  await program("a replay with two euros off what costs more than ten", compare)
  console.log(`the shop was asked ${asked.length} times`)
} finally {
  rmSync(folder, { recursive: true })
}
