import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import type { Lookup, WarmUp } from "../../Cache.ts"

/** Most keys of one load of a warm-up. */
const chunkSize = 100

function* chunksOf<K>(keys: Iterable<K>): Generator<ReadonlyArray<K>> {
  let chunk: Array<K> = []
  for (const key of keys) {
    if (chunk.push(key) < chunkSize) continue
    yield chunk
    chunk = []
  }
  if (chunk.length > 0) yield chunk
}

const noExits = Effect.succeed<ReadonlyArray<undefined>>([])

/** Looks for keys chunk by chunk, and loads what isn't there. */
export const warmUp = <K, A, E, R>(
  lookup: (keys: ReadonlyArray<K>) => Effect.Effect<Lookup<A, E, R>, never, R>,
  keys: Iterable<K>
): Effect.Effect<WarmUp, never, R> => {
  const total = { present: 0, loaded: 0, failed: 0 }
  const chunk = (some: ReadonlyArray<K>) =>
    Effect.flatMap(lookup(some), ({ load, missing }) =>
      Effect.map(missing === 0 ? noExits : load, (exits) => {
        total.present += some.length - missing
        for (const exit of exits) {
          if (exit !== undefined) total[Exit.isSuccess(exit) ? "loaded" : "failed"]++
        }
      })
    )
  return Effect.as(Effect.forEach(chunksOf(keys), chunk, { discard: true }), total)
}
