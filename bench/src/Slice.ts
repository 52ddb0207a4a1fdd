import type { ChildProcess } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"

import * as Cores from "./Cores.ts"
import type { BatchReply, KinesisEvent, ProgramName, Surroundings } from "./Program.ts"

/** Which program a child keeps warm, and on what. */
export interface Open {
  readonly program: ProgramName
  readonly surroundings: Surroundings
  /** Records in a batch. */
  readonly size: number
  /** Share of the records whose list lies in the cache. */
  readonly hitRatio: number
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
  const file = fileURLToPath(new URL("child.ts", import.meta.url))
  const child = Cores.start(Cores.measured, process.execPath, ["--expose-gc", file], {
    stdio: ["ignore", "ignore", "inherit", "ipc"]
  })
  const close = async () => {
    if (child.exitCode !== null) return
    const gone = once(child, "exit")
    child.kill()
    await gone
  }
  try {
    await ask(child, { open })
  } catch (cause) {
    await close()
    throw cause
  }
  return {
    handle: (event) => ask<BatchReply>(child, { event }),
    slice: (slice) => ask<Slice>(child, { slice }),
    close
  }
}

type Answer<A> = { readonly result: A } | { readonly failed: string }

const ask = <A>(child: ChildProcess, command: object) =>
  new Promise<A>((resolve, reject) => {
    const onExit = () => {
      child.off("message", onMessage)
      reject(new Error("the program's process ended"))
    }
    const onMessage = (answer: Answer<A>) => {
      child.off("exit", onExit)
      if ("failed" in answer) reject(new Error(answer.failed))
      else resolve(answer.result)
    }
    child.once("exit", onExit)
    child.once("message", onMessage)
    child.send(command)
  })
