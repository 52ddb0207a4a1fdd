/** The worker of the crash test, its events, and what it publishes: the same in the program that is killed and in the test. */
import { appendFileSync } from "node:fs"

import * as Delivery from "@leat/core/Delivery"
import * as Event from "@leat/core/Event"
import type * as Journal from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Publisher from "@leat/core/Publisher"
import * as Step from "@leat/core/Step"
import * as Worker from "@leat/core/Worker"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"

/** An event of a key, the `n`-th of all. */
export const Booked = Event.make("Booked", {
  payload: Schema.Struct({ account: Schema.String, n: Schema.Int }),
  key: (booked) => booked.account,
  id: (booked) => `booked-${booked.n}`
})

/** What is emitted for each. */
export const Posted = Event.make("Posted", {
  payload: Schema.Struct({ account: Schema.String, n: Schema.Int, draw: Schema.Finite }),
  key: (posted) => posted.account,
  id: (posted) => `posted-${posted.n}`
})

class Refused extends Schema.TaggedError<Refused>()("Refused", { message: Schema.String, retryable: Schema.Boolean }) {}

const accounts = 97

/** The account of the n-th event: every account comes often, in no simple rhythm. */
export const accountOf = (n: number): string => `account-${(n * 31 + (n >>> 3)) % accounts}`

/** Events that fail for good, and park their accounts. */
export const isBad = (n: number): boolean => n % 4_001 === 4_000

/** Books what it gets; the mended one also what the first refuses. */
export const ledger = (mended: boolean) =>
  Worker.make("ledger", {
    events: [Booked],
    handle: {
      *Booked({ account, n }, meta) {
        const draw = yield* Step.run(meta, "draw", Random.next)
        if (n % 11 === 0) yield* Effect.yieldNow
        if (isBad(n) && !mended) yield* new Refused({ message: `no ${n}`, retryable: false })
        return Posted.make({ account, n, draw })
      }
    }
  })

/** How many bookings an account has: folded inline. */
export const balance = Projection.make("balance", {
  version: 1,
  state: Schema.Struct({ bookings: Schema.Int }),
  keys: (entry) => (entry.outcome._tag === "Handled" ? [entry.key] : []),
  fold: (state) => ({ bookings: (state?.bookings ?? 0) + 1 })
})

/** The deliveries from the n-th event on. */
export const deliveries = (from: number, count: number): ReadonlyArray<Delivery.Delivery> =>
  Array.from({ length: count }, (_, index) => {
    const n = from + index
    const account = accountOf(n)
    return Delivery.make({ position: String(n), partitionKey: account, bytes: JSON.stringify({ account, n }) })
  })

/** The journal at an address, with the balance folded in each commit. */
export const journal = (url: string) =>
  JournalConfig.layerConfig({ withoutUrl: "none" }).pipe(
    Layer.provide(Projection.layerInline([balance])),
    Layer.provide(ConfigProvider.layer(ConfigProvider.fromEnv({ env: { DATABASE_URL: url } }))),
    Layer.orDie
  )

/** Publishes into a file, a line an event. */
export const publisher = (file: string): Layer.Layer<never> =>
  Publisher.layer({
    publish: (envelopes) =>
      Effect.sync(() => {
        appendFileSync(file, envelopes.map(({ id, key }) => `${key} ${id}\n`).join(""))
        return envelopes.map(() => Exit.void)
      })
  })

/** Everything the worker needs. */
export const parts = (url: string, published: string): Layer.Layer<Journal.Journal> =>
  Layer.merge(journal(url), publisher(published))
