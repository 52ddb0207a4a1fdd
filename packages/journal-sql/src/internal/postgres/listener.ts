import * as PgConnection from "@effect/sql-pg/PgConnection"
/** Rings when anybody commits, on any machine: `LISTEN`, on a connection of its own, begun with the first subscriber. */
import type { JournalError } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"

import * as Bell from "../bell.ts"
import * as Entries from "./entries.ts"
import type { Store } from "./Store.ts"

/** Where the server can't be reached, subscribers live on their polls meanwhile. */
const reconnect = Schedule.spaced("1 second")

const listen = (store: Store): Effect.Effect<never> =>
  Effect.scoped(
    Effect.gen(function* () {
      const connection = yield* PgConnection.make(store.connection.pool.config)
      const notifications = yield* connection.listen("leat_journal")
      // What was committed before the registration rang for nobody.
      store.bell.ring()
      while (true) {
        const { payload } = yield* Queue.take(notifications)
        if (payload === String(store.namespace)) store.bell.ring()
      }
    })
  ).pipe(Effect.retry(reconnect), Effect.orDie)

/** The driver says goodbye to the server, and a server that stands still doesn't answer: nobody waits for that. */
const ended = (fiber: Fiber.Fiber<never>): Effect.Effect<void> =>
  Effect.andThen(
    Effect.sync(() => fiber.interruptUnsafe()),
    Effect.asVoid(Effect.timeoutOption(Effect.interruptible(Fiber.await(fiber)), "1 second"))
  )

/** Gives `moved`: see {@link "../pages.ts"}. */
export const make = (
  store: Store,
  poll: number
): Effect.Effect<(position: number) => Effect.Effect<number, JournalError>, never, Scope.Scope> =>
  Effect.map(Effect.scope, (scope) => {
    let begun = false
    const begin = Effect.suspend(() => {
      if (begun) return Effect.void
      begun = true
      return Effect.flatMap(Effect.forkDetach(listen(store)), (fiber) => Scope.addFinalizer(scope, ended(fiber)))
    })
    return (position) => Effect.andThen(begin, Bell.moved(store.bell, Entries.last(store), position, poll))
  })
