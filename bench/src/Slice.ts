import type { BatchReply, KinesisEvent, ProgramName, Surroundings } from "./Program.ts"
import * as Subprocess from "./Subprocess.ts"

/** Which program a child keeps warm, and on what. */
export interface Open {
  readonly program: ProgramName
  readonly surroundings: Surroundings
  /** Records in a batch. */
  readonly size: number
  /** Share of the records whose list lies in the cache. */
  readonly hitRatio: number
  /** Whether a batch may be handed over again. */
  readonly repeats: boolean
  /** Keeps the missing users of the programs apart. */
  readonly lane: number
}

export interface SliceRequest {
  readonly milliseconds: number
  readonly leastBatches: number
  /** How long batches are handed over before, unmeasured. */
  readonly warmMilliseconds: number
}

/** What one program did in its slice of time. */
export interface Slice {
  /** Milliseconds from handing over a batch to its reply, each. */
  readonly walls: ReadonlyArray<number>
  readonly failures: number
  /** Microseconds of user and system time of all threads. */
  readonly cpuPerRecord: number
  readonly recordsPerSecond: number
  /** All records handed over, those of the warm-up batch too. */
  readonly records: number
  /** Share of the slice that the process was ready but another one had the core. */
  readonly waited: number
}

/** A warm program in a process of its own. */
export interface Child {
  /** One batch, unmeasured. */
  readonly handle: (event: KinesisEvent) => Promise<BatchReply>
  readonly slice: (request: SliceRequest) => Promise<Slice>
  readonly close: () => Promise<void>
}

/** Starts a child on the measured core and opens its program; rejects with what the program threw. */
export const openChild = async (open: Open): Promise<Child> => {
  const { ask, close } = Subprocess.start(new URL("child.ts", import.meta.url), ["--expose-gc"])
  try {
    await ask({ open })
  } catch (cause) {
    await close()
    throw cause
  }
  return {
    handle: (event) => ask<BatchReply>({ event }),
    slice: (slice) => ask<Slice>({ slice }),
    close
  }
}
