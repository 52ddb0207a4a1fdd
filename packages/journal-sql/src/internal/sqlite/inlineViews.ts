/** Folds what a view lacks, inside the commit that is going on. */
import * as Projection from "@leat/core/Projection"

import * as Entries from "./entries.ts"
import type { Store } from "./Store.ts"
import * as Views from "./views.ts"

/** Page by page: another program that doesn't fold inline may have left many. */
export const fold = (store: Store, projection: Projection.Any, last: number): void => {
  const view = Views.standing(store, projection)
  let { position } = view
  while (position < last) {
    const entries = Entries.after(store, position, last)
    position = entries.at(-1)?.position ?? last
    const keys = Projection.touched(projection, entries)
    const texts = Views.states(store, view.id, keys)
    const rows = Projection.foldAll(
      projection,
      entries,
      keys.map((key, index) => [key, texts[index]])
    )
    Views.write(store, view.id, position, rows)
  }
}
