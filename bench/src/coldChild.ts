import { readFileSync, writeSync } from "node:fs"

import type { Make } from "./Program.ts"

/** What a fresh process reports about itself: milliseconds since it started, unless said otherwise. */
export interface ColdStart {
  /** All modules are evaluated, the program is made. */
  readonly made: number
  /** The first batch is answered. */
  readonly first: number
  /** Milliseconds of the second batch alone. */
  readonly second: number
  /** Milliseconds of CPU up to the end of the second batch. */
  readonly cpu: number
  /** MiB of resident memory. */
  readonly memory: number
  readonly failures: number
}

/** Written here rather than to stdout, where a program may log. */
export const reportChannel = 3

const context = { awsRequestId: "cold", functionName: "cold", getRemainingTimeInMillis: () => 30_000 }

/** The main of every bundle: makes the program, hands it two batches, reports and ends. */
export const run = async (make: Make) => {
  const { events, surroundings } = JSON.parse(process.env["COLD_START"] ?? "")
  const program = await make(surroundings)
  const made = performance.now()
  const firstReply = await program.handler(JSON.parse(readFileSync(events[0], "utf8")), context)
  const first = performance.now()
  const secondEvent = JSON.parse(readFileSync(events[1], "utf8"))
  const secondStart = performance.now()
  const secondReply = await program.handler(secondEvent, context)
  const second = performance.now() - secondStart
  const { user, system } = process.cpuUsage()
  const report: ColdStart = {
    made,
    first,
    second,
    cpu: (user + system) / 1000,
    memory: process.memoryUsage().rss / 1_048_576,
    failures: firstReply.batchItemFailures.length + secondReply.batchItemFailures.length
  }
  writeSync(reportChannel, JSON.stringify(report))
  process.exit(0)
}
