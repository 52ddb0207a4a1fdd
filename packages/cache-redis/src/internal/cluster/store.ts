import type { CacheStore, CacheStoreError } from "@leat/core/CacheStore"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

import * as FencedWrite from "../fencedWrite.ts"
import { readCommand } from "../read.ts"
import type { Within } from "../within.ts"
import type { Cluster, Part, Result } from "./cluster.ts"
import { bySlot, slotOf } from "./slots.ts"

type Store = CacheStore["Service"]

/**
 * A store on a cluster. What a node that is down has to say is a miss, as long as another node answers; a write that one of
 * them did not get is an error, after the rest was written.
 */
export const storeOn = (cluster: Cluster, within: Within): Store => ({
  name: "redis",
  getMany: (keys) => (keys.length === 0 ? nothing : within((millis) => read(cluster, keys, millis))),
  setMany: (entries) => {
    const parts = [...bySlot(entries, (entry) => entry.key)].flatMap(([slot, places]) =>
      FencedWrite.chunks(pick(entries, places)).map((chunk): Part => ({
        slot,
        command: (naming) => FencedWrite.write(chunk, naming),
        patient: true
      }))
    )
    return parts.length === 0 ? Effect.void : within((millis) => write(cluster, parts, millis))
  },
  invalidate: (keys, at) => {
    const parts = [...bySlot(keys, (key) => key)].map(([slot, places]): Part => ({
      slot,
      command: (naming) => FencedWrite.invalidation(pick(keys, places), at, naming),
      patient: true
    }))
    return parts.length === 0 ? Effect.void : within((millis) => write(cluster, parts, millis))
  },
  ready: (time) => cluster.ready(Duration.toMillis(time))
})

const nothing = Effect.succeed<ReadonlyArray<Uint8Array | undefined>>([])

const pick = <A>(things: ReadonlyArray<A>, places: ReadonlyArray<number>): ReadonlyArray<A> =>
  places.flatMap((place) => things.slice(place, place + 1))

const read = Effect.fnUntraced(function* (cluster: Cluster, keys: ReadonlyArray<string>, within: number) {
  const end = performance.now() + within
  const values = Array.from<Uint8Array | undefined>({ length: keys.length })
  const groups = [...bySlot(keys, (key) => key).values()]
  const results = yield* cluster.run(partsOf(keys, groups), within)
  const first = place(values, groups, results)
  // A slot on its way: who has some of its keys answers for one of them, not for several.
  const halves = groups.filter((group, index) => group.length > 1 && isHalf(results[index]))
  const singles = halves.flat().map((at) => [at])
  const left = end - performance.now()
  const second =
    singles.length > 0 && left > 1 && place(values, singles, yield* cluster.run(partsOf(keys, singles), left))
  const failure = first || second ? undefined : failureIn(results)
  return failure === undefined ? values : yield* failure
})

const partsOf = (keys: ReadonlyArray<string>, groups: ReadonlyArray<ReadonlyArray<number>>): ReadonlyArray<Part> =>
  groups.map((places) => {
    const some = pick(keys, places)
    return { slot: slotOf(some[0] ?? ""), command: () => readCommand(some), patient: false }
  })

/** Puts replies where they belong; false when there was none. */
const place = (
  values: Array<Uint8Array | undefined>,
  groups: ReadonlyArray<ReadonlyArray<number>>,
  results: ReadonlyArray<Result>
): boolean => {
  let answered = false
  groups.forEach((places, group) => {
    const result = results[group]
    if (result === undefined || !("reply" in result) || !Array.isArray(result.reply)) return
    answered = true
    const replies = result.reply as ReadonlyArray<Uint8Array | null>
    places.forEach((at, index) => (values[at] = replies[index] ?? undefined))
  })
  return answered
}

const isHalf = (result: Result | undefined): boolean =>
  result !== undefined && !("reply" in result) && result.message.startsWith("TRYAGAIN")

const write = (cluster: Cluster, parts: ReadonlyArray<Part>, within: number): Effect.Effect<void, CacheStoreError> =>
  Effect.flatMap(cluster.run(parts, within), (results) => {
    const failure = failureIn(results)
    return failure === undefined ? Effect.void : Effect.fail(failure)
  })

const failureIn = (results: ReadonlyArray<Result>): CacheStoreError | undefined => {
  for (const result of results) if (!("reply" in result)) return result
  return undefined
}
