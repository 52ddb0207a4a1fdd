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

/** Lanes and deliveries count from 1; lane 0 has the worker's totals. */
interface Row {
  readonly lane: number
  readonly delivery: number | null
  readonly version: number | null
  readonly parked: number | null
  readonly unpublished: number | null
  readonly outcome: string | null
  readonly detail: string | null
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
    return Effect.flatMap(rows, (found) => decode("open", () => opened(lanes, found)))
  })

interface MutableHead {
  version: number
  parked: number
  unpublished: number
  known: Array<JournaledOutcome | undefined> | undefined
}

const opened = (lanes: ReadonlyArray<LaneRequest>, rows: ReadonlyArray<Row>): Opened => {
  const heads = lanes.map((): MutableHead => ({ version: 0, parked: 0, unpublished: 0, known: undefined }))
  const firsts = firstDeliveries(lanes)
  let totals = { parked: 0, unpublished: 0 }
  for (const { delivery, detail, lane, outcome, parked, unpublished, version } of rows) {
    const head = heads[lane - 1]
    if (head === undefined) totals = { parked: parked ?? 0, unpublished: unpublished ?? 0 }
    else if (delivery === null || outcome === null) {
      head.version = version ?? 0
      head.parked = parked ?? 0
      head.unpublished = unpublished ?? 0
    } else {
      head.known ??= Array.from({ length: lanes[lane - 1]?.deliveries.length ?? 0 })
      head.known[delivery - 1 - (firsts[lane - 1] ?? 0)] = StoredOutcome.read(outcome, detail)
    }
  }
  return { heads: heads satisfies ReadonlyArray<Head>, ...totals }
}

/** How many deliveries the lanes before each have. */
const firstDeliveries = (lanes: ReadonlyArray<LaneRequest>): ReadonlyArray<number> => {
  let before = 0
  return lanes.map(({ deliveries }) => (before += deliveries.length) - deliveries.length)
}
