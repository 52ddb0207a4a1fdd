/** What is known of streams and deliveries: many in one statement each, for a call costs more than a look. */
import type { DeliveryId } from "@leat/core/Journal"

import * as Digest from "../digest.ts"
import * as EscapedText from "../escapedText.ts"
import type { Store } from "./Store.ts"

export interface StreamRow {
  readonly id: number
  readonly version: number
  readonly parked: number
  readonly unpublished: number
}

const findStreams = `SELECT lane.key AS lane, s.id, s.version, s.parked, s.unpublished
  FROM json_each(?) lane CROSS JOIN leat_streams s
  WHERE s.namespace = ? AND s.worker = ? AND s.key = lane.value`

/** The stream at `i` belongs to `lanes[i]`; `undefined` where none was written. */
export const streams = (
  { db, namespace }: Store,
  worker: string,
  lanes: ReadonlyArray<{ readonly key: string }>
): ReadonlyArray<StreamRow | undefined> => {
  const keys = JSON.stringify(lanes.map(({ key }) => EscapedText.encode(key)))
  const found = Array.from<StreamRow | undefined>({ length: lanes.length })
  for (const row of db.all<StreamRow & { readonly lane: number }>(findStreams, keys, namespace, worker)) {
    found[row.lane] = row
  }
  return found
}

/** A delivery to look for, and where. */
export interface Sought extends DeliveryId {
  readonly stream: number
}

export interface Recorded {
  /** Index of what was sought. */
  readonly sought: number
  readonly outcome: string
  readonly detail: string | null
}

const findDeliveries = `SELECT sought.key AS sought, e.type, e.event_id, e.outcome, e.detail
  FROM json_each(?) sought CROSS JOIN leat_entries e
  WHERE e.stream = sought.value ->> 0 AND e.digest = sought.value ->> 1
  ORDER BY sought.key, e.place`

interface DeliveryRow extends Recorded {
  readonly type: string
  readonly event_id: string
}

/** All that was recorded of these deliveries, the latest of each last. */
export const deliveries = ({ db }: Store, sought: ReadonlyArray<Sought>): ReadonlyArray<Recorded> => {
  if (sought.length === 0) return []
  const pairs = JSON.stringify(sought.map(({ id, stream, type }) => [stream, Digest.of(type, id)]))
  return db.all<DeliveryRow>(findDeliveries, pairs).filter((row) => {
    const { id, type } = sought[row.sought] ?? nobody
    return row.event_id === EscapedText.encode(id) && row.type === EscapedText.encode(type)
  })
}

const nobody: DeliveryId = { type: "", id: "" }
