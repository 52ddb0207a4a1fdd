import * as Effect from "effect/Effect"

import type { Entry } from "../Journal.ts"
import * as Projection from "../Projection.ts"
import type { Standing, ViewId, ViewStore } from "../View.ts"

interface Generation {
  readonly worker: string | undefined
  readonly generation: number
  position: number
  serves: boolean
  readonly states: Map<string, string>
}

/** The views of a memory journal. */
export interface MemoryViews {
  readonly store: ViewStore
  /** Folds what the view that serves lacks; `after` gives the entries after a position. Gives what writes the result. */
  readonly fold: (projection: Projection.Any, after: (position: number) => ReadonlyArray<Entry>) => () => void
  /** Whether some view has not folded an entry yet. */
  readonly needs: (entry: Entry) => boolean
}

export const make = (): MemoryViews => {
  const views = new Map<string, Array<Generation>>()
  // Never again the number of one that was dropped: who still holds that must not match.
  let last = 0

  const generations = (view: ViewId): Array<Generation> => {
    const name = `${view.version}/${view.name}`
    const found = views.get(name) ?? []
    views.set(name, found)
    return found
  }
  const begin = (view: ViewId, serves: boolean): Generation => {
    const all = generations(view)
    const begun = {
      worker: view.worker,
      generation: (last += 1),
      position: 0,
      serves,
      states: new Map<string, string>()
    }
    views.set(`${view.version}/${view.name}`, [...all.filter((one) => one.serves), begun])
    return begun
  }
  const serving = (view: ViewId): Generation | undefined => generations(view).find((one) => one.serves)
  const find = (view: ViewId, generation: number | undefined): Generation | undefined =>
    generation === undefined ? serving(view) : generations(view).find((one) => one.generation === generation)
  const standing = ({ generation, position }: Generation): Standing => ({ generation, position })

  const advance = (view: ViewId, from: Standing, to: number, rows: ReadonlyArray<Projection.Row>): boolean => {
    const found = find(view, from.generation)
    if (found === undefined || found.position !== from.position) return false
    for (const [key, state] of rows) {
      if (state === undefined) found.states.delete(key)
      else found.states.set(key, state)
    }
    found.position = to
    return true
  }

  const swap = (view: ViewId, generation: number): boolean => {
    const next = find(view, generation)
    if (next === undefined) return false
    if (next.serves) return true
    next.serves = true
    views.set(`${view.version}/${view.name}`, [next])
    return true
  }

  return {
    store: {
      stand: (view) => Effect.sync(() => standing(serving(view) ?? begin(view, true))),
      begin: (view) => Effect.sync(() => standing(begin(view, false))),
      states: (view, keys, generation) =>
        Effect.sync(() => {
          const found = find(view, generation)
          return keys.map((key) => found?.states.get(key))
        }),
      advance: (view, from, to, rows) => Effect.sync(() => advance(view, from, to, rows)),
      swap: (view, generation) => Effect.sync(() => swap(view, generation)),
      drop: (view) => Effect.sync(() => void views.delete(`${view.version}/${view.name}`))
    },
    fold: (projection, after) => {
      const found = serving(projection) ?? begin(projection, true)
      const entries = after(found.position)
      const last = entries.at(-1)
      if (last === undefined) return () => {}
      const before = Projection.touched(projection, entries).map((key) => [key, found.states.get(key)] as const)
      const rows = Projection.foldAll(projection, entries, before)
      return () => void advance(projection, standing(found), last.position, rows)
    },
    needs: (entry) =>
      [...views.values()].some((all) =>
        all.some(
          ({ position, worker }) => entry.position > position && (worker === undefined || worker === entry.worker)
        )
      )
  }
}
