import { RedisServer, tell } from "../../scripts/redis-server.ts"
import type { Slice, Task, Work } from "./cache/child.ts"
import { names, reference } from "./cache/contestants.ts"
import type { ContestantName } from "./cache/contestants.ts"
import type { Gate } from "./Gate.ts"
import { inTurn, shuffled, times } from "./inTurn.ts"
import { median } from "./statistics.ts"
import * as Subprocess from "./Subprocess.ts"
import { figure, multiple, render } from "./Table.ts"

/** How many reads a slice of each has. */
const works: Record<Work, number> = {
  "memory hit": 20_000,
  "Redis hit": 2_000,
  "100 hits at once": 10_000,
  "batch of 100": 20_000,
  miss: 1_000,
  stampede: 1_000
}

const workNames = Object.keys(works) as ReadonlyArray<Work>

interface Turn extends Slice {
  readonly contestant: ContestantName
  readonly work: Work
  readonly round: number
  /** Commands that read, as Redis counted them. */
  readonly commands: number
}

/** A cache over memory and over Redis beside its peers, each in a process of its own; prints tables. */
export const run = async (
  options: { readonly rounds: number },
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const server = await RedisServer.start()
  const seats = names.map((contestant) => ({
    contestant,
    child: Subprocess.start(new URL("cache/child.ts", import.meta.url), ["--expose-gc"])
  }))
  try {
    const turn = async (seat: (typeof seats)[number], work: Work, round: number): Promise<Turn> => {
      const task: Task = { contestant: seat.contestant, port: server.port, work, reads: works[work] }
      const before = await reads(server.port)
      const slice = await seat.child.ask<Slice>(task)
      return { ...slice, contestant: seat.contestant, work, round, commands: (await reads(server.port)) - before }
    }
    const all = (round: number) =>
      inTurn(workNames, (work) => inTurn(shuffled(seats), (seat) => turn(seat, work, round)))
    await all(-1)
    const turns = (await inTurn(times(options.rounds), all)).flat(2)
    print(
      `### Lists of 20 ids, a Redis on loopback; a read, µs, medians of ${options.rounds} rounds\n\n${table(turns)}\n`
    )
    print(`### 1,000 readers of one key that isn't there, loader 20 ms\n\n${stampedes(turns)}\n`)
    return [
      {
        what: "100 keys in a batch, decoded, beside a bare MGET and JSON.parse (keys a second)",
        target: 1,
        gate: 0.8,
        unit: "×",
        better: "larger",
        reached: ratio(turns, "batch of 100", "Leat", ({ wall }) => 1 / wall)
      }
    ]
  } finally {
    await Promise.all(seats.map(({ child }) => child.close()))
    await server.stop()
  }
}

/** GET and MGET, without those that scripts make. */
const reads = async (port: number): Promise<number> => {
  const stats = await tell(port, "INFO", "commandstats")
  const calls = (name: string): number => Number(new RegExp(`cmdstat_${name}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)
  return calls("get") + calls("mget") - calls("evalsha") - calls("eval")
}

/** The median over the rounds of what a contestant did beside the reference in the same round. */
const ratio = (turns: ReadonlyArray<Turn>, work: Work, name: ContestantName, of: (turn: Turn) => number): number => {
  const by = (contestant: ContestantName, round: number) =>
    turns.find((turn) => turn.work === work && turn.contestant === contestant && turn.round === round)
  const rounds = [...new Set(turns.map(({ round }) => round))]
  return median(
    rounds.flatMap((round) => {
      const [mine, theirs] = [by(name, round), by(reference, round)]
      return mine === undefined || theirs === undefined ? [] : [of(mine) / of(theirs)]
    })
  )
}

const table = (turns: ReadonlyArray<Turn>): string =>
  render(
    ["", ...names.flatMap((name) => [`${name}, wall`, "CPU"])],
    workNames.filter((work) => work !== "stampede").map((work) => row(turns, work))
  )

const row = (turns: ReadonlyArray<Turn>, work: Work): ReadonlyArray<string> => {
  const cells: Array<string> = [work]
  for (const name of names) {
    const mine = turns.filter((turn) => turn.work === work && turn.contestant === name)
    const wall = figure(median(mine.map((turn) => turn.wall)))
    const beside = multiple(ratio(turns, work, name, (turn) => turn.wall))
    cells.push(name === reference ? wall : `${wall} (${beside})`, figure(median(mine.map((turn) => turn.cpu))))
  }
  return cells
}

const stampedes = (turns: ReadonlyArray<Turn>): string =>
  render(
    ["", "reads of Redis", "loads", "wall, ms"],
    names.map((name) => {
      const mine = turns.filter((turn) => turn.work === "stampede" && turn.contestant === name)
      return [
        name,
        figure(median(mine.map(({ commands }) => commands))),
        figure(median(mine.map(({ loads }) => loads))),
        figure(median(mine.map(({ wall }) => wall)) * (works.stampede / 1_000))
      ]
    })
  )
