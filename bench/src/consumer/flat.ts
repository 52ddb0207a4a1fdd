import type { Gate } from "../Gate.ts"
import * as Subprocess from "../Subprocess.ts"
import { figure, render } from "../Table.ts"
import type { Mark, Task } from "./flatChild.ts"

const task: Task = {
  shards: 4,
  warmRecords: 250_000,
  marks: [100_000, 250_000, 500_000, 750_000, 1_000_000]
}

/** Whether a million records leave a consumer as it was; prints a table and gives back the gates. */
export const run = async (print: (text: string) => void): Promise<ReadonlyArray<Gate>> => {
  const child = Subprocess.start(new URL("flatChild.ts", import.meta.url), ["--expose-gc"])
  try {
    const marks = await child.ask<ReadonlyArray<Mark>>(task)
    print(`### A million records, ${task.shards} shards, made in the process itself\n\n${table(marks)}\n`)
    return gates(marks)
  } finally {
    await child.close()
  }
}

const gates = (marks: ReadonlyArray<Mark>): ReadonlyArray<Gate> => {
  const bound = { target: 1.1, gate: 1.2, unit: "×", better: "smaller" } as const
  const at = (records: number) => marks.find((mark) => mark.records === records)?.heap
  return [
    { ...bound, what: "consumer's heap at 1,000,000 records over 100,000", reached: over(at(1_000_000), at(100_000)) },
    {
      ...bound,
      what: "consumer's CPU per record, last quarter over first",
      reached: over(cpuPerRecord(marks, 750_000, 1_000_000), cpuPerRecord(marks, 0, 250_000))
    }
  ]
}

const over = (value: number | undefined, base: number | undefined) =>
  value === undefined || base === undefined ? undefined : value / base

/** Microseconds a record between two marks. */
const cpuPerRecord = (marks: ReadonlyArray<Mark>, from: number, to: number) =>
  marks.filter(({ records }) => records > from && records <= to).reduce((sum, { cpu }) => sum + cpu, 0) / (to - from)

const megabytes = (bytes: number) => figure(bytes / 1e6)

const table = (marks: ReadonlyArray<Mark>) =>
  render(
    ["records", "CPU µs/record since the line before", "heap MB", "buffers MB", "RSS MB before collecting"],
    marks.map(({ buffers, heap, records, rss }, index) => [
      records.toLocaleString("en"),
      figure(cpuPerRecord(marks, marks[index - 1]?.records ?? 0, records)),
      megabytes(heap),
      megabytes(buffers),
      megabytes(rss)
    ])
  )
