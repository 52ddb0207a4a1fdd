import type { Gate } from "../Gate.ts"
import { inTurn, shuffled, times } from "../inTurn.ts"
import { median, smallest } from "../statistics.ts"
import * as Subprocess from "../Subprocess.ts"
import { figure, multiple, render } from "../Table.ts"
import { names, reference } from "./contestants.ts"
import type { ContestantName } from "./contestants.ts"
import type { Address, Make } from "./stream.ts"
import type { Slice, Task } from "./throughputChild.ts"
import { bodyBytes, keys } from "./workload.ts"

const shards = 4

/** A stream to read, and how often. */
interface Scenario {
  readonly name: string
  /** The program that holds it. */
  readonly file: "stream" | "tape"
  readonly records: number
  readonly rounds: number
  /** Of records a second over the bare loop's. */
  readonly gate: number
}

/** Before those that are measured. */
const warmRounds = 2

interface Seat {
  readonly contestant: ContestantName
  readonly child: Subprocess.Subprocess
}

interface Turn extends Slice {
  readonly contestant: ContestantName
  readonly round: number
}

/**
 * Reading a whole stream beside a bare loop; prints a table a stream and gives back the gates.
 *
 * The embedded stream gives fewer records a second than AWS's 2 MiB of each shard would be, so its own limits are off: they
 * would not be felt, and with or without them it is what limits. The tape gives more than anybody reads.
 */
export const run = (rounds: number, print: (text: string) => void): Promise<ReadonlyArray<Gate>> => {
  const scenarios: ReadonlyArray<Scenario> = [
    { name: "the embedded stream", file: "stream", records: 40_000, rounds, gate: 0.8 },
    { name: "a tape of pages, so that the reader is the limit", file: "tape", records: 200_000, rounds, gate: 0.6 }
  ]
  return inTurn(scenarios, (scenario) => measured(scenario, print))
}

const measured = async (scenario: Scenario, print: (text: string) => void): Promise<Gate> => {
  const turns = await turnsOf(scenario)
  const head = `${scenario.records} records of ${bodyBytes} bytes, ${keys} keys, ${shards} shards: ${scenario.name}`
  print(`### ${head}\n\n${table(turns)}\n`)
  const what = `consumer over bare GetRecords, records/s, ${scenario.file === "tape" ? "tape" : "embedded stream"}`
  return { what, target: 0.8, gate: scenario.gate, unit: "×", better: "larger", reached: rateOver(turns, "leat") }
}

const turnsOf = async ({ file, records, rounds }: Scenario): Promise<ReadonlyArray<Turn>> => {
  const stream = Subprocess.start(new URL(`${file}.ts`, import.meta.url), [])
  const seats = names.map((contestant): Seat => ({
    contestant,
    child: Subprocess.start(new URL("throughputChild.ts", import.meta.url), ["--expose-gc"])
  }))
  try {
    const make: Make = { shards, records }
    const address = await stream.ask<Address>(make)
    const roundsOf = (count: number) =>
      inTurn(times(count), (round) =>
        inTurn(shuffled(seats), async ({ child, contestant }): Promise<Turn> => {
          const task: Task = { contestant, address, records }
          return { ...(await child.ask<Slice>(task)), contestant, round }
        })
      )
    await roundsOf(warmRounds)
    return (await roundsOf(rounds)).flat()
  } finally {
    await Promise.all([stream, ...seats.map(({ child }) => child)].map((one) => one.close()))
  }
}

const of = (turns: ReadonlyArray<Turn>, contestant: ContestantName) =>
  turns.filter((turn) => turn.contestant === contestant)

/** Something over the reference's in the same round: the median over the rounds. */
const paired = (turns: ReadonlyArray<Turn>, contestant: ContestantName, value: (slice: Slice) => number) => {
  const base = new Map(of(turns, reference).map((turn) => [turn.round, value(turn)]))
  return median(of(turns, contestant).map((turn) => value(turn) / (base.get(turn.round) ?? Number.NaN)))
}

const rateOver = (turns: ReadonlyArray<Turn>, contestant: ContestantName) =>
  paired(turns, contestant, ({ recordsPerSecond }) => recordsPerSecond)

const table = (turns: ReadonlyArray<Turn>) =>
  render(
    ["", "records/s", "× bare", "CPU µs/record, best", "median", "× bare", "waited"],
    names.map((contestant) => {
      const own = of(turns, contestant)
      const cpu = own.map(({ cpuPerRecord }) => cpuPerRecord)
      return [
        contestant,
        figure(median(own.map(({ recordsPerSecond }) => recordsPerSecond))),
        multiple(rateOver(turns, contestant)),
        figure(smallest(cpu)),
        figure(median(cpu)),
        multiple(paired(turns, contestant, ({ cpuPerRecord }) => cpuPerRecord)),
        `${(median(own.map(({ waited }) => waited)) * 100).toFixed(0)} %`
      ]
    })
  )
