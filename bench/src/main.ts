/** `pnpm bench`: measures Leat against its peers and fails when a budget of the design is broken. */
import { parseArgs } from "node:util"

import * as Aggregation from "./aggregation.ts"
import * as Backends from "./Backends.ts"
import * as Cache from "./cache.ts"
import * as Chaos from "./chaos.ts"
import * as Cold from "./cold.ts"
import * as Consumer from "./consumer.ts"
import * as Cores from "./Cores.ts"
import * as Gate from "./Gate.ts"
import * as HitRate from "./hitrate.ts"
import * as Http from "./http.ts"
import { inTurn } from "./inTurn.ts"
import * as Journal from "./journal.ts"
import * as JournalScale from "./journal/scale.ts"
import * as Kernel from "./kernel.ts"
import * as LeatApp from "./leatApp.ts"
import { isProgramName, programs } from "./Program.ts"
import type { ProgramName } from "./Program.ts"
import * as Publisher from "./publisher.ts"
import * as Validate from "./validate.ts"

const usage = `usage: pnpm bench [kernel] [cold] [http] [journal] [aggregation] [journal-scale] [publisher] [consumer] [cache] [chaos] [hitrate] [--rounds N] [--slice MS] [--programs A;B;…] [--peers]

  kernel        CPU per record and wall time of the Lambda's hot path
  cold          from process start to the first batch, and the size of the bundles
  http          hits of /recommend/cached/{user_id}
  journal       commits beside bare inserts, and what a journal adds to the Lambda
  aggregation   the KPL codec beside aws-kinesis-agg
  journal-scale replays and rebuilds of up to a million entries; takes minutes and only runs when it is named
  publisher     putting records in order, without, in aggregates, and by the SDK alone; only runs when it is named
  cache         hits, batches, misses and a stampede beside bentocache, cacheable and bare ioredis; only runs when it is named
  chaos         what callers of the cache see while its Redis is broken in ten ways; only runs when it is named
  consumer      the Kinesis consumer beside a bare loop, over a million records, and idle; only runs when it is named
  hitrate       the hit rate of a time to live under Poisson reads beside the formula; only runs when it is named
  --rounds N    rounds of each table, default 7
  --slice MS    length of a slice of the kernel rounds, default 250
  --programs    which programs run, separated by semicolons; the reference always does
  --peers       without Leat, and without the gates
`

const parts = [
  "kernel",
  "cold",
  "http",
  "journal",
  "aggregation",
  "journal-scale",
  "publisher",
  "consumer",
  "cache",
  "chaos",
  "hitrate"
] as const
type Part = (typeof parts)[number]

const onlyNamed: ReadonlySet<Part> = new Set(["journal-scale", "publisher", "consumer", "cache", "chaos", "hitrate"])

const isDefault = (part: Part) => !onlyNamed.has(part)

interface Settings {
  readonly parts: ReadonlyArray<Part>
  readonly programs: ReadonlyArray<ProgramName>
  readonly rounds: number
  readonly sliceMilliseconds: number
  readonly peersOnly: boolean
}

const print = (text: string) => void process.stdout.write(`${text}\n`)

const positive = (name: string, text: string) => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new TypeError(`--${name} must be a whole number from 1, not "${text}"`)
  return value
}

const partsOf = (names: ReadonlyArray<string>) => {
  const unknown = names.find((name) => !parts.some((part) => part === name))
  if (unknown !== undefined) throw new TypeError(`there is no part "${unknown}"`)
  return names.length === 0 ? parts.filter(isDefault) : parts.filter((part) => names.includes(part))
}

const programsOf = (names: ReadonlyArray<string>) => {
  const unknown = names.find((name) => !isProgramName(name))
  if (unknown !== undefined) {
    throw new TypeError(`there is no program "${unknown}", but: ${Object.keys(programs).join("; ")}`)
  }
  return Object.keys(programs)
    .filter(isProgramName)
    .filter((name) => name === "hand-written" || names.length === 0 || names.includes(name))
}

const settingsOf = (argv: ReadonlyArray<string>): Settings => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      rounds: { type: "string", default: "7" },
      slice: { type: "string", default: "250" },
      programs: { type: "string", default: "" },
      peers: { type: "boolean", default: false }
    }
  })
  const named = values.programs.split(";").map((name) => name.trim())
  return {
    parts: partsOf(positionals),
    programs: programsOf(named.filter((name) => name !== "")).filter((name) => !values.peers || name !== "leat"),
    rounds: positive("rounds", values.rounds),
    sliceMilliseconds: positive("slice", values.slice),
    peersOnly: values.peers
  }
}

type RunPart = (backends: Backends.Backends, settings: Settings) => Promise<ReadonlyArray<Gate.Gate>>

const runPart: Record<Part, RunPart> = {
  kernel: (backends, settings) => Kernel.run(backends, settings.programs, settings, print),
  cold: (backends, settings) => Cold.run(backends, settings.programs, settings.rounds, print),
  http: (backends, { rounds, peersOnly }) => Http.run(backends, { rounds, leat: !peersOnly }, print),
  journal: (backends, settings) =>
    settings.peersOnly
      ? sayLeatOnly()
      : Journal.run(backends, { ...settings, leat: settings.programs.includes("leat") }, print),
  aggregation: (_backends, settings) => (settings.peersOnly ? sayLeatOnly() : Aggregation.run(settings, print)),
  "journal-scale": (_backends, { peersOnly }) => (peersOnly ? sayLeatOnly() : JournalScale.run(print)),
  publisher: (_backends, { peersOnly, rounds }) => (peersOnly ? sayLeatOnly() : Publisher.run({ rounds }, print)),
  cache: (_backends, { rounds }) => Cache.run({ rounds }, print),
  hitrate: (_backends, { peersOnly }) => (peersOnly ? sayLeatOnly() : HitRate.run(print)),
  chaos: (_backends, { peersOnly, rounds }) => (peersOnly ? sayLeatOnly() : Chaos.run({ rounds }, print)),
  consumer: (_backends, { peersOnly, rounds }) => (peersOnly ? sayLeatOnly() : Consumer.run({ rounds }, print))
}

const sayLeatOnly = () => {
  print("Not measured: this part has no peers.\n")
  return Promise.resolve([])
}

const run = async (settings: Settings) => {
  if (!Cores.pinning) print("No `taskset` or one core only: nothing is pinned, expect more noise.\n")
  if (settings.programs.includes("leat")) LeatApp.buildLambda()
  const backends = await Backends.start()
  try {
    const validated = await Validate.run(backends, settings.programs)
    print(`${validated} programs report and store the same.\n`)
    const gates = (
      await inTurn(settings.parts, (part) => {
        print(`## ${part}\n`)
        return runPart[part](backends, settings)
      })
    ).flat()
    if (settings.peersOnly) return true
    print(`## budgets\n\n${Gate.table(gates)}`)
    return gates.every(Gate.holds)
  } finally {
    await backends.close()
  }
}

const start = async () => {
  try {
    return (await run(settingsOf(process.argv.slice(2)))) ? 0 : 1
  } catch (cause) {
    process.stderr.write(`${cause instanceof Error ? cause.message : String(cause)}\n`)
    if (cause instanceof TypeError) process.stderr.write(`\n${usage}`)
    return 1
  }
}

process.exit(await start())
