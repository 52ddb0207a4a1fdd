import type { Gate } from "../Gate.ts"
import { inTurn, shuffled, times } from "../inTurn.ts"
import { median, smallest } from "../statistics.ts"
import * as Subprocess from "../Subprocess.ts"
import { figure, multiple, render } from "../Table.ts"
import { contestants, reference } from "./contestants.ts"
import type { ContestantName } from "./contestants.ts"
import { names } from "./Stores.ts"
import type { StoreName, Stores } from "./Stores.ts"
import type { Open, Slice, SliceRequest } from "./throughputChild.ts"

interface Seat {
  readonly contestant: ContestantName
  readonly child: Subprocess.Subprocess
}

interface Turn extends Slice {
  readonly contestant: ContestantName
  readonly round: number
}

const size = 100
const users = 5000

/**
 * So many batches a slice, not so much time: all stores of a table grow alike, whoever is fast. About a third of a second
 * of the slowest contestant.
 */
const batchesOf: Record<StoreName, SliceRequest> = {
  memory: { batches: 300, warmBatches: 100 },
  sqlite: { batches: 100, warmBatches: 20 },
  postgres: { batches: 50, warmBatches: 20 }
}

const warmMilliseconds = 2000

const target = 0.7
const gate = 0.5

/** What a batch's write takes beside the bare rows; prints a table a store and gives back the gates. */
export const run = (
  stores: Stores,
  options: { readonly rounds: number },
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> =>
  inTurn(names, async (store): Promise<Gate> => {
    const turns = await runStore(stores, store, options.rounds)
    print(`### ${store}: batch of ${size}, ${size} keys\n\n${table(turns)}\n`)
    const reached = ratioOf(turns, "commit")
    return { what: `commit over raw insert, ${store}`, target, gate, unit: "×", better: "larger", reached }
  })

const runStore = async (stores: Stores, store: StoreName, rounds: number): Promise<ReadonlyArray<Turn>> => {
  const seats: Array<Seat> = []
  try {
    for (const contestant of contestants) {
      const child = Subprocess.start(new URL("throughputChild.ts", import.meta.url), ["--expose-gc"])
      seats.push({ contestant, child })
      const open: Open = { contestant, address: await stores.fresh(store), size, users }
      await child.ask({ open })
    }
    await inTurn(seats, (seat) => warmUp(seat, batchesOf[store]))
    const turns = await inTurn(times(rounds), (round) =>
      inTurn(shuffled(seats), async ({ child, contestant }): Promise<Turn> => {
        const slice = await child.ask<Slice>({ slice: batchesOf[store] })
        return { ...slice, contestant, round }
      })
    )
    return turns.flat()
  } finally {
    await Promise.all(seats.map(({ child }) => child.close()))
  }
}

const warmUp = async ({ child }: Seat, slice: SliceRequest) => {
  const start = performance.now()
  while (performance.now() - start < warmMilliseconds) await child.ask({ slice })
}

const of = (turns: ReadonlyArray<Turn>, contestant: ContestantName) =>
  turns.filter((turn) => turn.contestant === contestant)

/** Events a second over the raw insert's in the same round: the median over the rounds. */
const ratioOf = (turns: ReadonlyArray<Turn>, contestant: ContestantName) => {
  const raw = new Map(of(turns, reference).map(({ eventsPerSecond, round }) => [round, eventsPerSecond]))
  return median(
    of(turns, contestant).map(({ eventsPerSecond, round }) => eventsPerSecond / (raw.get(round) ?? Number.NaN))
  )
}

const table = (turns: ReadonlyArray<Turn>) =>
  render(
    ["", "× raw insert", "events/s", "ms a batch", "CPU µs an event, best", "median", "waited"],
    contestants.map((contestant) => {
      const own = of(turns, contestant)
      const rate = median(own.map(({ eventsPerSecond }) => eventsPerSecond))
      const cpu = own.map(({ cpuPerEvent }) => cpuPerEvent)
      return [
        contestant,
        multiple(ratioOf(turns, contestant)),
        figure(rate),
        figure((size * 1000) / rate),
        figure(smallest(cpu)),
        figure(median(cpu)),
        `${(median(own.map(({ waited }) => waited)) * 100).toFixed(0)} %`
      ]
    })
  )
