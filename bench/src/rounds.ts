import type { Backends, RecommenderBehaviour } from "./Backends.ts"
import { inTurn, shuffled, times } from "./inTurn.ts"
import type { ProgramName } from "./Program.ts"
import { openChild } from "./Slice.ts"
import type { Child, Slice } from "./Slice.ts"
import { median, quantile, smallest } from "./statistics.ts"

/** A program and the surroundings it gets. */
export interface Contestant {
  readonly label: string
  readonly program: ProgramName
  readonly recommender: RecommenderBehaviour
  /** URL of the database where it keeps a journal; by default it keeps none. */
  readonly database?: string | undefined
}

/** The work that all contestants of a table get. */
export interface Scenario {
  readonly name: string
  readonly size: number
  readonly hitRatio: number
  /**
   * Whether a batch may be handed over again. Default: when all are hits; a miss is one only once, and a journal knows a
   * batch that it has seen.
   */
  readonly repeats?: boolean | undefined
  /** Label of the contestant that the others are compared with. Default {@link reference}. */
  readonly reference?: string | undefined
  readonly contestants: ReadonlyArray<Contestant>
}

export interface Options {
  readonly rounds: number
  /** Length of a slice, default 250 ms. */
  readonly sliceMilliseconds?: number
  /** How long each program runs before the first round, default 2000 ms: the JIT has to be through. */
  readonly warmMilliseconds?: number
}

/** What a contestant showed over all rounds. */
export interface Measurement {
  readonly label: string
  readonly program: ProgramName
  /** Microseconds of CPU per record: the best slice, and the middle one. */
  readonly cpuBest: number
  readonly cpuMedian: number
  /** CPU per record over the reference's in the same round: the median over the rounds. */
  readonly ratio: number
  /** Microseconds of CPU per record beyond the reference's in the same round: the median over the rounds. */
  readonly extraCpu: number
  /** Milliseconds of a middle batch beyond the reference's in the same round: the median over the rounds. */
  readonly extraWall: number
  /** All records handed over in the rounds. */
  readonly records: number
  /** Milliseconds a batch: median of the slices' medians. */
  readonly wallP50: number
  readonly wallP99: number
  readonly recordsPerSecond: number
  /** Keys read in Redis per record; 1 when the cache was asked once for every record. */
  readonly readsPerRecord: number
  readonly waited: number
}

interface Seat {
  readonly contestant: Contestant
  readonly child: Child
}

/** A slice and which round it was in, so that it can be set against the reference's slice of the same round. */
interface Turn extends Slice {
  readonly round: number
  readonly label: string
  readonly readsPerRecord: number
}

/** The unmeasured start of every slice. */
const warmMilliseconds = 100

/** The program that ratios are taken against where the scenario names no other. */
export const reference: ProgramName = "hand-written"

/**
 * Gives all contestants slices of time in random turns, round after round. Neighbours on the machine hit everybody alike
 * this way, and a ratio within a round stays true when absolute numbers don't.
 */
export const run = async (backends: Backends, scenario: Scenario, options: Options) => {
  await backends.fill()
  const seats = await inTurn(scenario.contestants, (contestant, lane) => open(backends, scenario, contestant, lane))
  try {
    await inTurn(seats, ({ child }) => warmUp(child, options.warmMilliseconds ?? 2000))
    const rounds = await inTurn(times(options.rounds), (round) => runRound(backends, seats, round, options))
    const turns = rounds.flat()
    const base = turns.filter((turn) => turn.label === (scenario.reference ?? reference))
    return scenario.contestants.map((contestant) => summary(contestant, turns, base))
  } finally {
    await Promise.all(seats.map(({ child }) => child.close()))
  }
}

const open = async (
  backends: Backends,
  { size, hitRatio, repeats = hitRatio === 1 }: Scenario,
  contestant: Contestant,
  index: number
): Promise<Seat> => {
  const { database, program, recommender } = contestant
  const surroundings = { ...backends.surroundings(recommender), database }
  const child = await openChild({ program, surroundings, size, hitRatio, repeats, lane: index + 1 })
  return { contestant, child }
}

const warmUp = async (child: Child, milliseconds: number): Promise<void> => {
  const slice = { milliseconds: 200, leastBatches: 1, warmMilliseconds: 0 }
  await inTurn(times(Math.ceil(milliseconds / slice.milliseconds)), () => child.slice(slice))
}

const runRound = async (backends: Backends, seats: ReadonlyArray<Seat>, round: number, options: Options) => {
  await backends.fill()
  return inTurn(shuffled(seats), async ({ contestant: { label }, child }): Promise<Turn> => {
    const readsBefore = await backends.reads()
    const milliseconds = options.sliceMilliseconds ?? 250
    const slice = await child.slice({ milliseconds, leastBatches: 3, warmMilliseconds })
    if (slice.failures > 0) throw new Error(`${label} reported ${slice.failures} good records as failed`)
    const readsPerRecord = ((await backends.reads()) - readsBefore) / slice.records
    return { ...slice, round, label, readsPerRecord }
  })
}

const summary = (
  { label, program }: Contestant,
  turns: ReadonlyArray<Turn>,
  base: ReadonlyArray<Turn>
): Measurement => {
  const own = turns.filter((turn) => turn.label === label)
  const cpu = own.map((turn) => turn.cpuPerRecord)
  const inRound = new Map(base.map((turn) => [turn.round, turn]))
  /** The median of something that is taken of each slice and the reference's of the same round. */
  const paired = (compare: (turn: Turn, reference: Turn) => number) =>
    median(
      own.map((turn) => {
        const reference = inRound.get(turn.round)
        return reference === undefined ? Number.NaN : compare(turn, reference)
      })
    )
  return {
    label,
    program,
    cpuBest: smallest(cpu),
    cpuMedian: median(cpu),
    ratio: paired((turn, reference) => turn.cpuPerRecord / reference.cpuPerRecord),
    extraCpu: paired((turn, reference) => turn.cpuPerRecord - reference.cpuPerRecord),
    extraWall: paired((turn, reference) => median(turn.walls) - median(reference.walls)),
    records: own.reduce((sum, turn) => sum + turn.records, 0),
    wallP50: median(own.map((turn) => quantile(turn.walls, 0.5))),
    wallP99: quantile(
      own.flatMap((turn) => turn.walls),
      0.99
    ),
    recordsPerSecond: median(own.map((turn) => turn.recordsPerSecond)),
    readsPerRecord: median(own.map((turn) => turn.readsPerRecord)),
    waited: median(own.map((turn) => turn.waited))
  }
}
