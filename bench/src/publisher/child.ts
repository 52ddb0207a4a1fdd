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

Subprocess.answer<Task>(async ({ contestant, endpoint, keys, records, stream }): Promise<Slice> => {
  if (prepared.length !== records) prepared = workload(records, keys)
  collectYoung()
  const { cpu, wall, waited } = await measure(() => contestants[contestant](endpoint, stream, prepared))
  return { cpuPerRecord: cpu / records, recordsPerSecond: (records * 1000) / wall, waited: waited / wall }
})
