import { fileURLToPath } from "node:url"
import { gzipSync } from "node:zlib"

import { build } from "esbuild"

import type { Taken } from "./aggregation/child.ts"
import { contestants } from "./aggregation/contestants.ts"
import type { Contestant, Input, Job, Shape, Task } from "./aggregation/contestants.ts"
import type { Gate } from "./Gate.ts"
import { inTurn, shuffled, times } from "./inTurn.ts"
import { median, smallest } from "./statistics.ts"
import * as Subprocess from "./Subprocess.ts"
import { figure, multiple, render } from "./Table.ts"

interface Row {
  readonly job: Job
  readonly input: Input
  readonly shape: Shape
}

const shapes: ReadonlyArray<Shape> = [
  { records: 100, recordBytes: 200 },
  { records: 1000, recordBytes: 200 },
  { records: 10, recordBytes: 1000 }
]

const rows: ReadonlyArray<Row> = [
  ...shapes.flatMap((shape) => (["base64", "bytes"] as const).map((input): Row => ({ job: "read", input, shape }))),
  ...shapes.map((shape): Row => ({ job: "write", input: "bytes", shape }))
]

interface Turn extends Taken {
  readonly contestant: Contestant
}

/** A row and what it showed: the slices of each contestant, in the order of the rounds. */
interface Measured {
  readonly row: Row
  readonly cpu: Record<Contestant, ReadonlyArray<number>>
}

interface Options {
  readonly rounds: number
  readonly sliceMilliseconds: number
}

const warmMilliseconds = 1000

/** Aggregates read and written beside `aws-kinesis-agg`, MD5 verified by both; gives back the gates. */
export const run = async (options: Options, print: (text: string) => void): Promise<ReadonlyArray<Gate>> => {
  const measured = await inTurn(rows, (row) => measureRow(row, options))
  print(`### CPU an aggregate, MD5 verified, median of ${options.rounds} rounds\n\n${table(measured)}\n`)
  print(`### the codec as one minified file\n\n${sizeTable(await inTurn(contestants, sizeOf))}\n`)
  return measured.filter(isGated).map(gateOf)
}

/** Of ten large records nearly all is the MD5, which both take from the same library. */
const isGated = ({ row }: Measured) => row.job === "read" && row.shape.records >= 100

const measureRow = async (row: Row, options: Options): Promise<Measured> => {
  const seats = await inTurn(contestants, async (contestant) => ({
    contestant,
    child: await open({ ...row, contestant })
  }))
  try {
    await inTurn(seats, ({ child }) => child.ask<Taken>({ slice: warmMilliseconds }))
    const turns = await inTurn(times(options.rounds), () =>
      inTurn(shuffled(seats), async ({ child, contestant }): Promise<Turn> => {
        const taken = await child.ask<Taken>({ slice: options.sliceMilliseconds })
        return { ...taken, contestant }
      })
    )
    const all = turns.flat()
    if (new Set(all.map(({ seen }) => seen)).size > 1)
      throw new Error(`${labelOf(row)}: the contestants saw different data`)
    const of = (contestant: Contestant) => all.filter((turn) => turn.contestant === contestant).map(({ cpu }) => cpu)
    return { row, cpu: { leat: of("leat"), "aws-kinesis-agg": of("aws-kinesis-agg") } }
  } finally {
    await Promise.all(seats.map(({ child }) => child.close()))
  }
}

const open = async (task: Task): Promise<Subprocess.Subprocess> => {
  const child = Subprocess.start(new URL("aggregation/child.ts", import.meta.url), ["--expose-gc"])
  await child.ask({ open: task })
  return child
}

const labelOf = ({ input, job, shape }: Row) =>
  `${job} ${shape.records} × ${shape.recordBytes} B${job === "read" ? `, ${input}` : ""}`

/** Theirs over ours in the same round: the median over the rounds. */
const ratioOf = ({ cpu }: Measured): number =>
  median(cpu.leat.map((ours, round) => (cpu["aws-kinesis-agg"][round] ?? Number.NaN) / ours))

const table = (measured: ReadonlyArray<Measured>) =>
  render(
    ["what", "leat µs", "best", "aws-kinesis-agg µs", "best", "ratio", "leat records/s", "theirs"],
    measured.map((one) => {
      const cells = contestants.map((contestant) => one.cpu[contestant])
      const perSecond = (values: ReadonlyArray<number>) => figure((one.row.shape.records * 1e6) / median(values))
      return [
        labelOf(one.row),
        ...cells.flatMap((values) => [figure(median(values)), figure(smallest(values))]),
        multiple(ratioOf(one)),
        ...cells.map(perSecond)
      ]
    })
  )

const gateOf = (measured: Measured): Gate => ({
  what: `aws-kinesis-agg's CPU over ours, ${labelOf(measured.row)}`,
  target: 2,
  gate: 1.6,
  unit: "×",
  better: "larger",
  reached: ratioOf(measured)
})

interface Size {
  readonly contestant: Contestant
  readonly bytes: number
  readonly gzippedBytes: number
}

const transport = fileURLToPath(new URL("../../packages/transport-kinesis", import.meta.url))

const entries: Record<Contestant, string> = {
  leat: `export * from "./src/Aggregation.ts"`,
  "aws-kinesis-agg": `export * from "aws-kinesis-agg"`
}

const sizeOf = async (contestant: Contestant): Promise<Size> => {
  const { outputFiles } = await build({
    stdin: { contents: entries[contestant], resolveDir: transport },
    bundle: true,
    minify: true,
    write: false,
    platform: "node",
    target: "node24",
    format: "esm",
    logLevel: "error"
  })
  const content = outputFiles[0]?.contents ?? new Uint8Array()
  return { contestant, bytes: content.length, gzippedBytes: gzipSync(content).length }
}

const sizeTable = (sizes: ReadonlyArray<Size>) =>
  render(
    ["codec", "KB", "KB gzip"],
    sizes.map(({ bytes, contestant, gzippedBytes }) => [contestant, figure(bytes / 1000), figure(gzippedBytes / 1000)])
  )
