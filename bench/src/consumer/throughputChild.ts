/** One way to consume, kept warm in a process of its own; the parent has it read by messages. */
import { collectYoung, measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import { contestants } from "./contestants.ts"
import type { ContestantName } from "./contestants.ts"
import type { Address } from "./stream.ts"

export interface Task {
  readonly contestant: ContestantName
  readonly address: Address
  readonly records: number
}

/** What it took. */
export interface Slice {
  /** Microseconds. */
  readonly cpuPerRecord: number
  readonly recordsPerSecond: number
  readonly waited: number
}

Subprocess.answer<Task>(async ({ address, contestant, records }): Promise<Slice> => {
  collectYoung()
  const { cpu, wall, waited } = await measure(() => contestants[contestant](address, records))
  return { cpuPerRecord: cpu / records, recordsPerSecond: (records * 1000) / wall, waited: waited / wall }
})
