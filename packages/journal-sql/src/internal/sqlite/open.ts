/** The one read before a batch. */
import type { Head, JournaledOutcome, LaneRequest, Opened } from "@leat/core/Journal"

import * as EscapedText from "../escapedText.ts"
import * as StoredOutcome from "../storedOutcome.ts"
import * as Recorded from "./recorded.ts"
import type { Store } from "./Store.ts"

export const open = (store: Store, worker: string, lanes: ReadonlyArray<LaneRequest>): Opened => {
  const { db, namespace, now } = store
  const name = EscapedText.encode(worker)
  return db.read(() => ({
    heads: headsOf(store, name, lanes),
    parked: db.get<Total>(parkedOf, namespace, name)?.total ?? 0,
    unpublished: db.get<Total>(freeOf, namespace, name, now())?.total ?? 0
  }))
}

interface Total {
  readonly total: number
}

const parkedOf = `SELECT coalesce(sum(parked), 0) AS total FROM leat_streams
  WHERE namespace = ? AND worker = ? AND parked > 0`

const freeOf = `SELECT count(*) AS total FROM leat_outbox WHERE namespace = ? AND worker = ? AND held_until <= ?`

const untouched: Head = { version: 0, parked: 0, unpublished: 0, known: undefined }

const headsOf = (store: Store, worker: string, lanes: ReadonlyArray<LaneRequest>): ReadonlyArray<Head> => {
  const streams = Recorded.streams(store, worker, lanes)
  const known = knownOf(store, lanes, streams)
  return streams.map((stream, index) =>
    stream === undefined
      ? untouched
      : {
          version: stream.version,
          parked: stream.parked,
          unpublished: stream.unpublished,
          known: known.get(index)
        }
  )
}

/** By lane; a lane of which nothing is known has none. */
const knownOf = (
  store: Store,
  lanes: ReadonlyArray<LaneRequest>,
  streams: ReadonlyArray<Recorded.StreamRow | undefined>
): ReadonlyMap<number, Array<JournaledOutcome | undefined>> => {
  const known = new Map<number, Array<JournaledOutcome | undefined>>()
  const sought = lanes.flatMap(({ deliveries }, lane) => {
    const stream = streams[lane]?.id
    return stream === undefined ? [] : deliveries.map(({ id, type }, index) => ({ id, type, stream, lane, index }))
  })
  for (const row of Recorded.deliveries(store, sought)) {
    const found = sought[row.sought]
    if (found === undefined) continue
    const ofLane = known.get(found.lane) ?? Array.from({ length: lanes[found.lane]?.deliveries.length ?? 0 })
    ofLane[found.index] = StoredOutcome.read(row.outcome, row.detail)
    known.set(found.lane, ofLane)
  }
  return known
}
