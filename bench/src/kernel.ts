import type { Backends, RecommenderBehaviour } from "./Backends.ts"
import type { Gate } from "./Gate.ts"
import { inTurn } from "./inTurn.ts"
import type { ProgramName } from "./Program.ts"
import * as Rounds from "./rounds.ts"
import type { Contestant, Measurement, Options, Scenario } from "./rounds.ts"
import { figure, multiple, render } from "./Table.ts"

/** A scenario and the budgets that hang on it. */
interface Row {
  readonly scenario: Scenario
  readonly gates: ReadonlyArray<{
    readonly label: string
    readonly what: string
    readonly target: number
    readonly gate: number
    readonly unit: "×" | "ms"
  }>
}

const batchLabel = "leat, batch endpoint"

const size = 100

const contestantsOf = (programs: ReadonlyArray<ProgramName>, recommender: RecommenderBehaviour) =>
  programs.map((program) => ({ label: program, program, recommender }))

/** The same with Leat a second time, on a recommender that has the batch endpoint; the reference stays on the single one. */
const withBatchEndpoint = (
  programs: ReadonlyArray<ProgramName>,
  recommender: RecommenderBehaviour
): ReadonlyArray<Contestant> => {
  const single = contestantsOf(programs, recommender)
  if (!programs.includes("leat")) return single
  return [...single, { label: batchLabel, program: "leat", recommender: { ...recommender, batch: true } }]
}

/** One record after the other at 20 ms each: a batch takes seconds and shows nothing that 0 ms doesn't. */
const isSequential = (program: ProgramName) => program === "naive"

/** The budgets of the design that are about the hot path. */
const rowsFor = (programs: ReadonlyArray<ProgramName>): ReadonlyArray<Row> => {
  const fast = { delayMilliseconds: 0, batch: false } as const
  const slow = { delayMilliseconds: 20, batch: false } as const
  const concurrent = programs.filter((program) => !isSequential(program))
  return [
    {
      scenario: { name: "all hits", size, hitRatio: 1, contestants: contestantsOf(programs, fast) },
      gates: [{ label: "leat", what: "CPU per record, all hits", target: 1.35, gate: 1.6, unit: "×" }]
    },
    {
      scenario: { name: "70 % hits", size, hitRatio: 0.7, contestants: contestantsOf(programs, fast) },
      gates: [{ label: "leat", what: "CPU per record, 70 % hits", target: 0.9, gate: 1.1, unit: "×" }]
    },
    {
      scenario: { name: "all misses", size, hitRatio: 0, contestants: withBatchEndpoint(programs, fast) },
      gates: [
        { label: "leat", what: "CPU per record, all misses, single endpoint", target: 0.9, gate: 1.1, unit: "×" },
        { label: batchLabel, what: "CPU per record, all misses, batch endpoint", target: 0.35, gate: 0.45, unit: "×" }
      ]
    },
    {
      scenario: { name: "all misses, 20 ms", size, hitRatio: 0, contestants: withBatchEndpoint(concurrent, slow) },
      gates: [{ label: "leat", what: "wall p50, 100 misses at 20 ms", target: 28, gate: 32, unit: "ms" }]
    }
  ]
}

/** Runs every scenario of the hot path; prints each table as it comes and gives back the gates. */
export const run = async (
  backends: Backends,
  programs: ReadonlyArray<ProgramName>,
  options: Options,
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const gates = await inTurn(rowsFor(programs), async (row): Promise<ReadonlyArray<Gate>> => {
    const measurements = await Rounds.run(backends, row.scenario, options)
    print(`### ${row.scenario.name}, batch of ${row.scenario.size}\n\n${table(measurements)}\n`)
    return row.gates.map(({ label, unit, ...budget }) => {
      const measurement = measurements.find((found) => found.label === label)
      const reached = unit === "×" ? measurement?.ratio : measurement?.wallP50
      return { ...budget, unit, better: "smaller", reached }
    })
  })
  return gates.flat()
}

const table = (measurements: ReadonlyArray<Measurement>) =>
  render(
    ["program", "× hand-written", "CPU µs best", "median", "wall p50 ms", "p99", "records/s", "reads/record", "waited"],
    measurements.map((found) => [
      found.label,
      multiple(found.ratio),
      figure(found.cpuBest),
      figure(found.cpuMedian),
      figure(found.wallP50),
      figure(found.wallP99),
      figure(found.recordsPerSecond),
      figure(found.readsPerRecord),
      `${(found.waited * 100).toFixed(0)} %`
    ])
  )
