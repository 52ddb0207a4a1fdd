/** An entry as a row, the same in both databases but for the name of its place. */
import type { Entry } from "@leat/core/Journal"

import * as EscapedText from "./escapedText.ts"
import * as StoredOutcome from "./storedOutcome.ts"

/** What a query of entries gives, with worker and key of the stream. */
export interface EntryRow {
  readonly position: number
  readonly worker: string
  readonly key: string
  readonly version: number
  readonly type: string
  readonly event_id: string
  readonly partition: string
  readonly source_position: string
  readonly partition_key: string
  readonly arrival: number
  readonly bytes: Uint8Array | null
  readonly outcome: string
  readonly detail: string | null
  readonly attempts: number
  readonly duration: number
  readonly worker_version: string | null
  readonly event_version: number | null
  readonly fault: string | null
  readonly steps: string | null
  readonly resolves: number | null
  readonly at: number
  readonly compacted: boolean | number
}

/** The columns of `e` (entries) and `s` (streams) that make an {@link EntryRow}, but for the position. */
export const columns = `s.worker, s.key, e.version, e.type, e.event_id, e.partition, e.source_position, e.partition_key,
  e.arrival, e.bytes, e.outcome, e.detail, e.attempts, e.duration, e.worker_version, e.event_version, e.fault, e.steps, e.resolves, e.at, e.compacted`

const nothing = new Uint8Array()

/** Throws where a row can't be read back. */
export const toEntry = (row: EntryRow): Entry => ({
  position: row.position,
  worker: EscapedText.decode(row.worker),
  key: EscapedText.decode(row.key),
  version: row.version,
  type: EscapedText.decode(row.type),
  id: EscapedText.decode(row.event_id),
  source: {
    partition: EscapedText.decode(row.partition),
    position: EscapedText.decode(row.source_position),
    partitionKey: EscapedText.decode(row.partition_key),
    arrival: row.arrival,
    ...(row.fault === null ? undefined : { fault: EscapedText.decode(row.fault) })
  },
  bytes: row.bytes ?? nothing,
  outcome: StoredOutcome.read(row.outcome, row.detail),
  attempts: row.attempts,
  duration: row.duration,
  workerVersion: row.worker_version === null ? undefined : EscapedText.decode(row.worker_version),
  ...(row.event_version === null ? undefined : { eventVersion: row.event_version }),
  ...(row.steps === null ? undefined : { steps: JSON.parse(row.steps) as { readonly [name: string]: unknown } }),
  ...(row.resolves === null ? undefined : { resolves: row.resolves }),
  at: row.at,
  compacted: Boolean(row.compacted)
})
