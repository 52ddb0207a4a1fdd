/** The one read before a batch: one round trip. */
import type { Head, JournalError, JournaledOutcome, LaneRequest, Opened } from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import * as Digest from "../digest.ts"
import * as EscapedText from "../escapedText.ts"
import * as StoredOutcome from "../storedOutcome.ts"
import * as Names from "./names.ts"
import { ints, numbers, texts } from "./parameters.ts"
import { decode } from "./Store.ts"
import type { Store } from "./Store.ts"

/** By lane; of known deliveries the number, from 1, among all that were asked for. */
interface Row {
  readonly versions: ReadonlyArray<number | null> | null
  readonly parked: ReadonlyArray<number | null> | null
  readonly unpublished: ReadonlyArray<number | null> | null
  readonly known: ReadonlyArray<number> | null
  readonly outcomes: ReadonlyArray<string> | null
  readonly details: ReadonlyArray<string | null> | null
  readonly all_parked: number
  readonly all_unpublished: number
}

export const open = (
  store: Store,
  worker: string,
  lanes: ReadonlyArray<LaneRequest>
): Effect.Effect<Opened, JournalError> =>
  Effect.suspend(() => {
    const deliveries = lanes.flatMap((lane, index) =>
      lane.deliveries.map(({ id, type }) => ({ lane: index + 1, id, type }))
    )
    const rows = store.connection.query<Row>("open", "SELECT * FROM leat_open_1($1, $2, $3, $4, $5, $6, $7)", [
      store.namespace,
      EscapedText.encode(worker),
      texts(lanes.map(({ key }) => Names.indexed(key))),
      ints(deliveries.map(({ lane }) => lane)),
      numbers(deliveries.map(({ id, type }) => Digest.of(type, id))),
      texts(deliveries.map(({ type }) => EscapedText.encode(type))),
      texts(deliveries.map(({ id }) => EscapedText.encode(id)))
    ])
    return Effect.flatMap(rows, ([row]) =>
      row === undefined ? Effect.die("a function gave no row") : decode("open", () => opened(lanes, row))
    )
  })

type Known = Array<JournaledOutcome | undefined>

const opened = (lanes: ReadonlyArray<LaneRequest>, row: Row): Opened => {
  const known = knownOf(lanes, row)
  return {
    heads: lanes.map((_, lane): Head => ({
      version: row.versions?.[lane] ?? 0,
      parked: row.parked?.[lane] ?? 0,
      unpublished: row.unpublished?.[lane] ?? 0,
      known: known.get(lane)
    })),
    parked: row.all_parked,
    unpublished: row.all_unpublished
  }
}

/** By lane; a lane of which nothing is known has none. */
const knownOf = (lanes: ReadonlyArray<LaneRequest>, row: Row): ReadonlyMap<number, Known> => {
  const known = new Map<number, Known>()
  if (row.known === null) return known
  const places = lanes.flatMap(({ deliveries }, lane) => deliveries.map((_, index) => ({ lane, index })))
  for (const [found, delivery] of row.known.entries()) {
    const place = places[delivery - 1]
    if (place === undefined) continue
    const ofLane = known.get(place.lane) ?? Array.from({ length: lanes[place.lane]?.deliveries.length ?? 0 })
    ofLane[place.index] = StoredOutcome.read(row.outcomes?.[found] ?? "", row.details?.[found] ?? null)
    known.set(place.lane, ofLane)
  }
  return known
}
