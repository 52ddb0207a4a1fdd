/** Folds what views lack, inside the commit that is going on. */
import type { JournalError } from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Effect from "effect/Effect"

import type { Session } from "./Connection.ts"
import * as Entries from "./entries.ts"
import type { Store } from "./Store.ts"
import * as Views from "./views.ts"

interface Locked {
  readonly projection: Projection.Any
  readonly view: Views.ViewRow
}

/** One after the other in order of name, so that programs with other projections never wait for each other in a circle. */
export const lock = (store: Store, session: Session): Effect.Effect<ReadonlyArray<Locked>, JournalError> =>
  Effect.forEach(inOrder(store.inline), (projection) =>
    Effect.map(lockOne(store, session, projection), (view) => ({ projection, view }))
  )

const inOrder = (projections: ReadonlyArray<Projection.Any>): ReadonlyArray<Projection.Any> =>
  projections.toSorted((a, b) => a.version - b.version || (a.name < b.name ? -1 : 1))

/** It was begun when the journal was built; it is begun again where somebody dropped it since. */
const lockOne = (
  store: Store,
  session: Session,
  projection: Projection.Any
): Effect.Effect<Views.ViewRow, JournalError> =>
  Effect.flatMap(Views.serving(store, session, "commit", projection, "FOR UPDATE"), (found) =>
    found === undefined
      ? Effect.andThen(Views.standIn(store, session, projection), lockOne(store, session, projection))
      : Effect.succeed(found)
  )

export const fold = (store: Store, session: Session, views: ReadonlyArray<Locked>): Effect.Effect<void, JournalError> =>
  Effect.forEach(views, ({ projection, view }) => foldFrom(store, session, projection, view), { discard: true })

/** Page by page: another program that doesn't fold inline may have left many. */
const foldFrom = (
  store: Store,
  session: Session,
  projection: Projection.Any,
  view: Views.ViewRow
): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    let { position } = view
    while (true) {
      const entries = yield* Entries.after(store, session, position)
      const last = entries.at(-1)
      if (last === undefined) return
      position = last.position
      const keys = Projection.touched(projection, entries)
      const texts = yield* Views.states(session, "commit", view.id, keys)
      const rows = Projection.foldAll(
        projection,
        entries,
        keys.map((key, index) => [key, texts[index]])
      )
      yield* Views.write(session, view.id, position, rows)
    }
  })
