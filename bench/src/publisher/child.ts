/** One way to publish, kept warm in a process of its own; the parent gives it streams by messages. */
import type * as Envelope from "@leat/core/Envelope"

import { collectYoung, measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import { contestants, workload } from "./contestants.ts"
import type { ContestantName } from "./contestants.ts"

export interface Task {
  readonly contestant: ContestantName
  readonly endpoint: string
  readonly stream: string
  readonly records: number
  readonly keys: number
}

/** What it took. */
export interface Slice {
  /** Microseconds. */
  readonly cpuPerRecord: number
  readonly recordsPerSecond: number
  readonly waited: number
}

let prepared: ReadonlyArray<Envelope.Envelope> = []

/**
 * Of the records, published before those that are measured. While the others have their turns this process stands still,
 * and V8 uses that for major collections, after which code is compiled anew: more of it where there is more, which nobody
 * sees who publishes all the time.
 */
const runUp = 0.25

Subprocess.answer<Task>(async ({ contestant, endpoint, keys, records, stream }): Promise<Slice> => {
  if (prepared.length !== records) prepared = workload(records, keys)
  await contestants[contestant](endpoint, stream, prepared.slice(0, records * runUp))
  collectYoung()
  const { cpu, wall, waited } = await measure(() => contestants[contestant](endpoint, stream, prepared))
  return { cpuPerRecord: cpu / records, recordsPerSecond: (records * 1000) / wall, waited: waited / wall }
})
