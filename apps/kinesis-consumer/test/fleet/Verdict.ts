/** What became of the events: read in the journal, which has the outcomes, and in the notes, which have every run. */
import type { Run } from "./Fleet.ts"

export interface Verdict {
  readonly events: number
  /** Accepted by the stream, and without an outcome. */
  readonly lost: number
  /** Outcomes of one event beyond its first. */
  readonly outcomesTwice: number
  /** Outcomes, and first runs, of an event that came before those of an earlier one of its key. */
  readonly outOfOrder: number
  /** Runs of a handler beyond one for each event. */
  readonly repeats: number
}

/** An event, or what became of it. */
export interface Numbered {
  readonly key: string
  readonly number: number
}

const nameOf = ({ key, number }: Numbered): string => `${key}/${number}`

/** First appearances alone. */
const firsts = <A extends Numbered>(all: ReadonlyArray<A>): ReadonlyArray<A> => {
  const seen = new Set<string>()
  return all.filter((one) => {
    const name = nameOf(one)
    if (seen.has(name)) return false
    seen.add(name)
    return true
  })
}

/** How many do not follow the number before theirs. */
const misplaced = (all: ReadonlyArray<Numbered>): number => {
  const last = new Map<string, number>()
  let count = 0
  for (const { key, number } of all) {
    if (number !== (last.get(key) ?? 0) + 1) count += 1
    last.set(key, number)
  }
  return count
}

export const judge = (
  accepted: ReadonlyMap<string, number>,
  outcomes: ReadonlyArray<Numbered>,
  runs: ReadonlyArray<Run>
): Verdict => {
  const journaled = new Set(outcomes.map(nameOf))
  const events = [...accepted].flatMap(([key, count]) =>
    Array.from({ length: count }, (_, index) => nameOf({ key, number: index + 1 }))
  )
  return {
    events: events.length,
    lost: events.filter((name) => !journaled.has(name)).length,
    outcomesTwice: outcomes.length - journaled.size,
    outOfOrder: misplaced(firsts(outcomes)) + misplaced(firsts(runs)),
    repeats: runs.length - firsts(runs).length
  }
}
