/**
 * One program, kept warm in a process of its own; the parent gives it slices of time by messages. What the program prints
 * goes to its own stdout, which the parent drops.
 */
import { readFileSync } from "node:fs"

import * as Program from "./Program.ts"
import type { Open, Slice, SliceRequest } from "./Slice.ts"
import * as Workload from "./workload.ts"

type Command = { readonly open: Open } | { readonly slice: SliceRequest }

/** Batches made before a slice, so that making them isn't measured. */
const recordsAhead = 20_000

let run: ((request: SliceRequest) => Promise<Slice>) | undefined

const open = async ({ program, surroundings, size, hitRatio, lane }: Open) => {
  const { handler } = await Program.load(program, surroundings)
  const workload = Workload.make(lane)
  const batch = (records = size) => workload.batch(records, hitRatio)
  let batchesPerMillisecond = 0.02
  // Opens all connections that a batch can use.
  await handler(batch(100), Program.context)

  run = async ({ milliseconds, leastBatches, warm }) => {
    const wanted = Math.max(leastBatches, Math.ceil(milliseconds * batchesPerMillisecond * 2) + 1)
    const batches = Array.from({ length: Math.min(wanted, Math.ceil(recordsAhead / size)) }, () => batch())
    globalThis.gc?.()
    globalThis.gc?.()
    // Not measured: reopens connections that were closed while the others ran, and fills the processor's caches.
    const warmed = warm ? 1 : 0
    if (warm) await handler(batch(), Program.context)

    const walls: Array<number> = []
    let failures = 0
    const waitedBefore = waitedMilliseconds()
    const cpuBefore = process.cpuUsage()
    const start = performance.now()
    while (walls.length < leastBatches || performance.now() - start < milliseconds) {
      const next = batches[hitRatio === 1 ? walls.length % batches.length : walls.length]
      if (next === undefined) break
      const begun = performance.now()
      // oxlint-disable-next-line no-await-in-loop -- Lambda hands one environment one batch after the other
      const reply = await handler(next, Program.context)
      walls.push(performance.now() - begun)
      failures += reply.batchItemFailures.length
    }
    const wall = performance.now() - start
    const cpu = process.cpuUsage(cpuBefore)
    batchesPerMillisecond = Math.max(walls.length / wall, 0.001)
    return {
      walls,
      failures,
      cpuPerRecord: (cpu.user + cpu.system) / (walls.length * size),
      recordsPerSecond: (walls.length * size * 1000) / wall,
      records: (walls.length + warmed) * size,
      waited: (waitedMilliseconds() - waitedBefore) / wall
    }
  }
}

/** Time this process was ready to run but had no processor (Linux, `schedstat`): how much the neighbours took. */
const waitedMilliseconds = () => {
  try {
    return Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[1]) / 1e6
  } catch {
    return Number.NaN
  }
}

const answer = async (command: Command) => {
  if ("open" in command) return open(command.open)
  if (run === undefined) throw new Error("no program is open")
  return run(command.slice)
}

process.on("message", (command: Command) => {
  answer(command).then(
    (result) => process.send?.({ result }),
    (cause: unknown) =>
      process.send?.({ failed: cause instanceof Error ? (cause.stack ?? cause.message) : String(cause) })
  )
})
process.once("disconnect", () => process.exit(0))
