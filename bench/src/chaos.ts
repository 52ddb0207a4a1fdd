import { faults, killed } from "./chaos/faults.ts"
import * as Trial from "./chaos/trial.ts"
import type { Gate } from "./Gate.ts"
import { inTurn, times } from "./inTurn.ts"
import { median } from "./statistics.ts"
import { figure, multiple, render } from "./Table.ts"

/** What a get may take beyond the loader's own time, in milliseconds. */
const allowed = 20

/** What callers of a cache see while its Redis refuses, dies, hangs or lies; prints a table. */
export const run = async (
  options: { readonly rounds: number },
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const rounds = Math.min(options.rounds, 3)
  const rows = await inTurn(faults, async (fault) => {
    const trials = await inTurn(times(rounds), () => Trial.run(fault))
    return { fault, trials }
  })
  print(`### 200 gets a second over 500 keys (Zipf), loader 20 ms, no memory; medians of ${rounds}\n\n${table(rows)}\n`)
  const [withMemory, without] = [
    await inTurn(times(rounds), () => Trial.outage(killed, { maxEntries: 10_000 })),
    await inTurn(times(rounds), () => Trial.outage(killed, undefined))
  ].map(median)
  print(
    `Loads of the origin while Redis is killed, values fresh for 2 s, as a multiple of those before: ${multiple(withMemory ?? Number.NaN)} with a memory, ${multiple(without ?? Number.NaN)} without.\n`
  )
  const all = rows.flatMap(({ trials }) => trials)
  return [
    {
      what: "load of the origin in a total outage, with a memory",
      target: 1.2,
      gate: 1.2,
      unit: "×",
      better: "smaller",
      reached: withMemory
    },
    {
      what: "worst p99 of a get beyond the loader's, over all faults",
      target: allowed,
      gate: allowed,
      unit: "ms",
      better: "smaller",
      reached: Math.max(...rows.map(({ trials }) => median(trials.map((trial) => trial.p99 - trial.loaderP99))))
    },
    {
      what: "errors that reached a caller",
      target: 0,
      gate: 0,
      unit: "calls",
      better: "smaller",
      reached: all.reduce((sum, { errors }) => sum + errors, 0)
    },
    {
      what: "commands replayed after a recovery",
      target: 0,
      gate: 0,
      unit: "calls",
      better: "smaller",
      reached: all.reduce((sum, { replayed = 0 }) => sum + replayed, 0)
    }
  ]
}

interface Row {
  readonly fault: { readonly name: string }
  readonly trials: ReadonlyArray<Trial.Trial>
}

const table = (rows: ReadonlyArray<Row>): string =>
  render(
    [
      "fault",
      "get p50, ms",
      "get p99",
      "get max",
      "loader p99",
      "errors",
      "loads a get",
      "replayed",
      "used again after, ms"
    ],
    rows.map(({ fault, trials }) => {
      const of = (pick: (trial: Trial.Trial) => number) => figure(median(trials.map(pick)))
      const [{ replayed } = { replayed: undefined }] = trials
      return [
        fault.name,
        of(({ p50 }) => p50),
        of(({ p99 }) => p99),
        of(({ max }) => max),
        of(({ loaderP99 }) => loaderP99),
        trials.reduce((sum, { errors }) => sum + errors, 0),
        of(({ loads }) => loads),
        replayed === undefined ? "–" : trials.reduce((sum, trial) => sum + (trial.replayed ?? 0), 0),
        of(({ recovery }) => recovery)
      ]
    })
  )
