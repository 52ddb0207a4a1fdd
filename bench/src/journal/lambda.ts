import type { Backends } from "../Backends.ts"
import type { Gate } from "../Gate.ts"
import { inTurn } from "../inTurn.ts"
import * as Rounds from "../rounds.ts"
import type { Measurement, Options } from "../rounds.ts"
import { figure, render } from "../Table.ts"
import * as Stores from "./Stores.ts"

const reference = "leat"
const size = 100

/** What a journal adds to a batch of hits on the Lambda: the bundle with `DATABASE_URL` against the same without. */
export const run = async (
  backends: Backends,
  stores: Stores.Stores,
  options: Options,
  print: (text: string) => void
): Promise<Gate> => {
  const addresses = await inTurn(["sqlite", "postgres"] as const, stores.freshDurable)
  const base = { program: "leat", recommender: { delayMilliseconds: 0, batch: false } } as const
  const journaling = addresses.map((address) => ({
    ...base,
    label: `leat, ${address.store}`,
    database: Stores.urlOf(address)
  }))
  const contestants = [{ ...base, label: reference }, ...journaling]
  const scenario = { name: "all hits", size, hitRatio: 1, repeats: false, reference, contestants }
  const measurements = await Rounds.run(backends, scenario, options)
  await inTurn(addresses, async (address) => {
    const handed = measurements.find(({ label }) => label === `leat, ${address.store}`)?.records ?? 0
    const recorded = await stores.count(address)
    if (recorded < handed) throw new Error(`leat recorded ${recorded} of ${handed} events in ${address.store}`)
  })
  print(`### Lambda, all hits, batch of ${size}, every request a new one\n\n${table(measurements)}\n`)
  const reached = measurements.find(({ label }) => label === "leat, sqlite")?.extraCpu
  return { what: "journal on SQLite, extra CPU a record", target: 6, gate: 10, unit: "µs", better: "smaller", reached }
}

const table = (measurements: ReadonlyArray<Measurement>) =>
  render(
    [
      "",
      "extra CPU µs a record",
      "CPU µs median",
      "extra wall ms a batch",
      "wall p50 ms",
      "p99",
      "records/s",
      "waited"
    ],
    measurements.map((found) => [
      found.label,
      found.label === reference ? "–" : figure(found.extraCpu),
      figure(found.cpuMedian),
      found.label === reference ? "–" : figure(found.extraWall),
      figure(found.wallP50),
      figure(found.wallP99),
      figure(found.recordsPerSecond),
      `${(found.waited * 100).toFixed(0)} %`
    ])
  )
