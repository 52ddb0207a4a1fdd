import type { Gate } from "./Gate.ts"
import { inTurn, shuffled, times } from "./inTurn.ts"
import type { Slice, Task } from "./publisher/child.ts"
import { names, reference } from "./publisher/contestants.ts"
import type { ContestantName } from "./publisher/contestants.ts"
import type { Address, Fresh } from "./publisher/stream.ts"
import { median, smallest } from "./statistics.ts"
import * as Subprocess from "./Subprocess.ts"
import { figure, multiple, render } from "./Table.ts"

interface Seat {
  readonly contestant: ContestantName
  readonly child: Subprocess.Subprocess
}

interface Turn extends Slice {
  readonly contestant: ContestantName
  readonly round: number
}

const shards = 4
const keys = 1000
/** Until the code of every contestant is compiled: the first slices of a publisher take up to twice the CPU of later ones. */
const warmSlices = 6

/** Publishing in order, without, and in aggregates, beside the SDK alone, onto the embedded stream; prints a table. */
export const run = async (
  options: {
    readonly rounds: number
    /** Records a slice, default 20,000. */
    readonly records?: number | undefined
  },
  print: (text: string) => void
): Promise<ReadonlyArray<Gate>> => {
  const records = options.records ?? 20_000
  const stream = Subprocess.start(new URL("publisher/stream.ts", import.meta.url), [])
  const seats = names.map((contestant): Seat => ({
    contestant,
    child: Subprocess.start(new URL("publisher/child.ts", import.meta.url), ["--expose-gc"])
  }))
  try {
    const slice = slicesOn(stream)
    await inTurn(times(warmSlices), () => inTurn(seats, (seat) => slice(seat, records)))
    const turns = await inTurn(times(options.rounds), (round) =>
      inTurn(shuffled(seats), async (seat): Promise<Turn> => {
        return { ...(await slice(seat, records)), contestant: seat.contestant, round }
      })
    )
    print(`### ${records} records of 200 bytes, ${keys} keys, ${shards} shards\n\n${table(turns.flat())}\n`)
    return []
  } finally {
    await Promise.all([stream, ...seats.map(({ child }) => child)].map((one) => one.close()))
  }
}

/** Each slice has a stream of its own. */
const slicesOn = (stream: Subprocess.Subprocess) => {
  let made = 0
  return async ({ child, contestant }: Seat, records: number): Promise<Slice> => {
    const before = made === 0 ? undefined : `stream-${made}`
    const name = `stream-${++made}`
    const fresh: Fresh = { fresh: { stream: name, shards, before } }
    const { endpoint } = await stream.ask<Address>(fresh)
    const task: Task = { contestant, endpoint, stream: name, records, keys }
    return child.ask<Slice>(task)
  }
}

const table = (turns: ReadonlyArray<Turn>) =>
  render(
    ["", "CPU µs/record, best", "median", "over the SDK", "records/s", "over the SDK", "waited"],
    names.map((contestant) => {
      const own = turns.filter((turn) => turn.contestant === contestant)
      const paired = (value: (slice: Slice) => number) =>
        median(
          own.map((turn) => {
            const base = turns.find((other) => other.contestant === reference && other.round === turn.round)
            return base === undefined ? Number.NaN : value(turn) / value(base)
          })
        )
      const cpu = own.map(({ cpuPerRecord }) => cpuPerRecord)
      return [
        contestant,
        figure(smallest(cpu)),
        figure(median(cpu)),
        multiple(paired(({ cpuPerRecord }) => cpuPerRecord)),
        figure(median(own.map(({ recordsPerSecond }) => recordsPerSecond))),
        multiple(paired(({ recordsPerSecond }) => recordsPerSecond)),
        `${figure(100 * median(own.map(({ waited }) => waited)))} %`
      ]
    })
  )
