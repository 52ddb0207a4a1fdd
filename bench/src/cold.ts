import { once } from "node:events"
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { text } from "node:stream/consumers"
import { gzipSync } from "node:zlib"

import { build } from "esbuild"

import type { Backends } from "./Backends.ts"
import type { ColdStart } from "./coldChild.ts"
import { reportChannel } from "./coldChild.ts"
import * as Cores from "./Cores.ts"
import type { Gate } from "./Gate.ts"
import { inTurn, shuffled, times } from "./inTurn.ts"
import { lambdaBundle, loadedFiles } from "./leatApp.ts"
import { programs as registry } from "./Program.ts"
import type { ProgramName } from "./Program.ts"
import { median, smallest } from "./statistics.ts"
import { figure, render } from "./Table.ts"
import * as Workload from "./workload.ts"

/** A program as one minified file that Node can start. */
interface Bundle {
  readonly program: ProgramName
  readonly file: string
  readonly bytes: number
  readonly gzippedBytes: number
}

/** With a compile cache Node takes the machine code of an earlier start (nodejs.org/api/module.html, compile cache). */
type Mode = "plain" | "compile cache"

interface Start extends ColdStart {
  readonly program: ProgramName
  readonly mode: Mode
  readonly round: number
}

/** Starts that aren't measured: they fill the compile cache and the file cache. */
const unmeasuredRounds = 2

/** From process start to the first answered batch, and the size of what starts; gives back the gates. */
export const run = async (
  backends: Backends,
  programs: ReadonlyArray<ProgramName>,
  rounds: number,
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const folder = await mkdtemp(join(tmpdir(), "leat-bench-cold-"))
  try {
    const bundles = await inTurn(programs.filter(isBundled), (program) => bundle(program, folder))
    await backends.fill()
    const workload = Workload.make(1)
    const starts = await inTurn(times(rounds + unmeasuredRounds), (round) =>
      runRound(backends, bundles, workload, folder, round)
    )
    const measured = starts.slice(unmeasuredRounds).flat()
    print(`### 100 records, 70 hits; minimum / median of ${rounds}\n\n${table(bundles, measured)}\n`)
    return gatesOf(bundles, measured)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Leat is measured as it is deployed; without its bundle there is nothing to measure. */
const isBundled = (program: ProgramName) => program !== "leat" || lambdaBundle() !== undefined

const bundle = async (program: ProgramName, folder: string): Promise<Bundle> => {
  const file = join(folder, `${program.replaceAll(/\W+/g, "-")}.cjs`)
  const { file: source, make } = registry[program]
  await build({
    stdin: {
      contents: `import { ${make} } from "./programs/${source}"; import { run } from "./coldChild.ts"; run(${make})`,
      resolveDir: import.meta.dirname
    },
    bundle: true,
    minify: true,
    platform: "node",
    target: "node24",
    format: "cjs",
    define: { "import.meta.url": JSON.stringify(import.meta.url) },
    outfile: file,
    logLevel: "error"
  })
  // Leat's file is only the bench's loader; what counts is the bundle that it loads.
  const loaded = program === "leat" ? [...loadedFiles(lambdaBundle() ?? file)] : [file]
  const content = Buffer.concat(await Promise.all(loaded.map((one) => readFile(one))))
  return { program, file, bytes: content.length, gzippedBytes: gzipSync(content).length }
}

const runRound = async (
  backends: Backends,
  bundles: ReadonlyArray<Bundle>,
  workload: Workload.Workload,
  folder: string,
  round: number
) => {
  const contests = bundles.flatMap((entry) =>
    (["plain", "compile cache"] as const).map((mode) => ({ bundle: entry, mode }))
  )
  return inTurn(shuffled(contests), async ({ bundle: { program, file }, mode }): Promise<Start> => {
    const events = [join(folder, "first.json"), join(folder, "second.json")]
    await Promise.all(events.map((path) => writeFile(path, JSON.stringify(workload.batch(100, 0.7)))))
    const surroundings = backends.surroundings({ delayMilliseconds: 0, batch: false })
    const report = await startOnce(file, {
      COLD_START: JSON.stringify({ events, surroundings }),
      ...(mode === "plain" ? {} : { NODE_COMPILE_CACHE: join(folder, "compile-cache") })
    })
    if (report.failures > 0) throw new Error(`${program} reported ${report.failures} good records as failed`)
    return { ...report, program, mode, round }
  })
}

const startOnce = async (file: string, environment: Record<string, string>): Promise<ColdStart> => {
  const child = Cores.start(Cores.measured, process.execPath, [file], {
    env: { ...process.env, ...environment },
    stdio: ["ignore", "ignore", "inherit", "pipe"]
  })
  const channel = child.stdio[reportChannel]
  if (channel === null || channel === undefined || !("readable" in channel)) throw new Error("no report channel")
  const [report] = await Promise.all([text(channel), once(child, "exit")])
  if (report === "") throw new Error(`${file} ended without a report`)
  return JSON.parse(report)
}

const table = (bundles: ReadonlyArray<Bundle>, starts: ReadonlyArray<Start>) =>
  render(
    ["program", "KB", "KB gzip", "made ms", "first batch ms", "with compile cache", "second batch ms", "CPU ms", "MiB"],
    bundles.map(({ program, bytes, gzippedBytes }) => {
      const cell = (mode: Mode, read: (start: Start) => number) => {
        const values = starts.filter((start) => start.program === program && start.mode === mode).map(read)
        return `${figure(smallest(values))} / ${figure(median(values))}`
      }
      return [
        program,
        (bytes / 1000).toFixed(0),
        (gzippedBytes / 1000).toFixed(0),
        cell("plain", ({ made }) => made),
        cell("plain", ({ first }) => first),
        cell("compile cache", ({ first }) => first),
        cell("plain", ({ second }) => second),
        cell("plain", ({ cpu }) => cpu),
        cell("plain", ({ memory }) => memory)
      ]
    })
  )

const gatesOf = (bundles: ReadonlyArray<Bundle>, starts: ReadonlyArray<Start>): ReadonlyArray<Gate> => {
  const bytes = bundles.find(({ program }) => program === "leat")?.bytes
  return [
    {
      what: "first batch from process start, over Middy's",
      target: 1,
      gate: 1.15,
      unit: "×",
      better: "smaller",
      reached: pairedRatio(starts, "leat", "middy")
    },
    {
      what: "bundle, minified",
      target: 0.75,
      gate: 1.05,
      unit: "MB",
      better: "smaller",
      reached: bytes === undefined ? undefined : bytes / 1e6
    }
  ]
}

/** Median over the rounds of one program's first batch over the other's in the same round, without a compile cache. */
const pairedRatio = (starts: ReadonlyArray<Start>, program: ProgramName, base: ProgramName) => {
  const firstOf = (name: ProgramName) =>
    new Map(starts.filter((s) => s.program === name && s.mode === "plain").map((s) => [s.round, s.first]))
  const bases = firstOf(base)
  const ratios = [...firstOf(program)].map(([round, first]) => first / (bases.get(round) ?? Number.NaN))
  const ratio = median(ratios)
  return Number.isNaN(ratio) ? undefined : ratio
}
