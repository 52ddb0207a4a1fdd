/** Loads a journal, or reads one from end to end, in a process of its own, so that its memory is nobody else's. */
import { Journal } from "@leat/core/Journal"
import type { JournalError } from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Replay from "@leat/core/Replay"
import * as View from "@leat/core/View"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import { times } from "../inTurn.ts"
import { measure } from "../measure.ts"
import type { Measured } from "../measure.ts"
import { median } from "../statistics.ts"
import * as Subprocess from "../Subprocess.ts"
import * as Requests from "./requests.ts"
import * as Stores from "./Stores.ts"

export interface Load {
  readonly address: Stores.Address
  readonly entries: number
}

/** A journal to read, and a smaller one to compare it with; one in memory is loaded first. */
export interface Pass {
  readonly what: "replay" | "rebuild"
  readonly journal: Load
  readonly smaller: Load
}

export interface Loaded {
  readonly entriesPerSecond: number
}

export interface Passed {
  /** The middle one of the passes. */
  readonly entriesPerSecond: number
  readonly cpuPerEntry: number
  /** Entries a second over those of the smaller journal, right before and after in the same process. */
  readonly overSmaller: number
  /** Most seen during the passes, in MB. */
  readonly heap: number
  readonly resident: number
}

/** Keys, and so states of the view: at least ten entries each, or most of a small journal's would be first ones. */
const usersOf = (entries: number) => Math.min(10_000, entries / 10)
const mostOfCommit = 5000
const warmMilliseconds = 3000
/** A short pass is repeated until so much time is measured. */
const leastMilliseconds = 1500

const load = ({ address, entries }: Load): Promise<Loaded> =>
  using(address, async (runtime) => ({ entriesPerSecond: await loadInto(runtime, entries) }))

type Runtime = ManagedRuntime.ManagedRuntime<Journal, JournalError>

const using = async <A>(address: Stores.Address, work: (runtime: Runtime) => Promise<A>): Promise<A> => {
  const runtime = ManagedRuntime.make(Stores.layer(address))
  try {
    return await work(runtime)
  } finally {
    await runtime.dispose()
  }
}

/** Commits of many keys with one entry each: what follows one another is of different keys, as in life. */
const loadInto = async (runtime: Runtime, entries: number): Promise<number> => {
  const journal = await runtime.runPromise(Journal)
  const users = usersOf(entries)
  const commitSize = Math.min(mostOfCommit, users / 2)
  const next = Requests.feed(users, commitSize)
  const versions = new Map<string, number>()
  const commit = Effect.suspend(() => {
    const lanes = times(commitSize).map(() => {
      const { draft, key } = next()
      const expected = versions.get(key) ?? 0
      versions.set(key, expected + 1)
      return { key, expected, entries: [draft] }
    })
    return journal.commit(Requests.worker.name, lanes)
  })
  const { wall } = await measure(() =>
    runtime.runPromise(Effect.forEach(times(entries / commitSize), () => commit, { discard: true }))
  )
  return (entries * 1000) / wall
}

const seen = Projection.make("seen", {
  version: 1,
  state: Schema.Struct({ requests: Schema.Int, last: Schema.String }),
  keys: ({ key }) => [key],
  fold: (state, { id }) => ({ requests: (state?.requests ?? 0) + 1, last: id })
})

/** One pass over all entries; dies when it did not see them all, or found them to be others than the worker's. */
const passes: Record<Pass["what"], (entries: number) => Effect.Effect<void, JournalError, Journal>> = {
  replay: (entries) =>
    Effect.flatMap(Replay.run(Requests.worker), ({ changed, replayed }) =>
      replayed === entries && changed === 0
        ? Effect.void
        : Effect.die(new Error(`replayed ${replayed} of ${entries} entries, ${changed} changed`))
    ),
  rebuild: (entries) =>
    Effect.flatMap(View.rebuild(seen), ({ position }) =>
      position === entries ? Effect.void : Effect.die(new Error(`folded ${position} of ${entries} entries`))
    )
}

const pass = ({ journal, smaller, what }: Pass): Promise<Passed> =>
  using(smaller.address, async (smallerRuntime) => {
    await prepare(smallerRuntime, smaller)
    const ofSmaller = (milliseconds: number) =>
      repeat(milliseconds, () => measure(() => smallerRuntime.runPromise(passes[what](smaller.entries))))
    await ofSmaller(warmMilliseconds)
    return using(journal.address, async (runtime) => {
      await prepare(runtime, journal)
      globalThis.gc?.()
      const memory = new Memory()
      const watched = Effect.updateService(passes[what](journal.entries), Journal, memory.watching)
      const before = await ofSmaller(leastMilliseconds)
      const took = await repeat(leastMilliseconds, () => measure(() => runtime.runPromise(watched)))
      const after = await ofSmaller(leastMilliseconds)
      const rate = rateOf(took, journal)
      return {
        entriesPerSecond: rate,
        cpuPerEntry: median(took.map(({ cpu }) => cpu / journal.entries)),
        overSmaller: rate / rateOf([...before, ...after], smaller),
        heap: memory.heap / 1e6,
        resident: memory.resident / 1e6
      }
    })
  })

const rateOf = (passes: ReadonlyArray<Measured<void>>, { entries }: Load) =>
  median(passes.map(({ wall }) => (entries * 1000) / wall))

const prepare = async (runtime: Runtime, { address, entries }: Load): Promise<void> => {
  if (address.store === "memory") await loadInto(runtime, entries)
}

const repeat = async <A>(milliseconds: number, step: () => Promise<A>): Promise<ReadonlyArray<A>> => {
  const results: Array<A> = []
  const start = performance.now()
  do results.push(await step())
  while (performance.now() - start < milliseconds)
  return results
}

/** The most memory that was seen: it looks whenever a page has been read. */
class Memory {
  heap = 0
  resident = 0

  readonly watching = (journal: Journal["Service"]): Journal["Service"] => ({
    ...journal,
    read: (from, filter) => Stream.mapArray(journal.read(from, filter), (page) => (this.#look(), page))
  })

  #look(): void {
    const { heapUsed, rss } = process.memoryUsage()
    this.heap = Math.max(this.heap, heapUsed)
    this.resident = Math.max(this.resident, rss)
  }
}

type Command = { readonly load: Load } | { readonly pass: Pass }

Subprocess.answer((command: Command) => ("load" in command ? load(command.load) : pass(command.pass)))
