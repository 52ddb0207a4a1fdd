import { Journal } from "@leat/core/Journal"
import type { JournalError, LaneCommit, LaneRequest, Verdict } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as ManagedRuntime from "effect/ManagedRuntime"

import * as Raw from "./raw.ts"
import { worker } from "./requests.ts"
import type { Request } from "./requests.ts"
import * as Stores from "./Stores.ts"

/** What can be measured on a store, and what it is compared with. */
export const contestants = ["raw insert", "commit", "open + commit", "worker.process"] as const
export type ContestantName = (typeof contestants)[number]
export const reference: ContestantName = "raw insert"

type Batches = ReadonlyArray<ReadonlyArray<Request>>

/** Something that records batches; what is to be measured is in the promise that `prepare` gives a function for. */
export interface Contestant {
  readonly prepare: (batches: Batches) => () => Promise<void>
  readonly close: () => Promise<void>
}

/** Batches have `size` requests of as many keys. */
export const open = (name: ContestantName, address: Stores.Address, size: number): Promise<Contestant> =>
  name === reference ? openRaw(address, size) : openJournal(programs[name], address)

const openRaw = async (address: Stores.Address, size: number): Promise<Contestant> => {
  // A journal makes the tables and goes.
  await Effect.runPromise(Effect.provide(Journal, Stores.layer(address)))
  const raw = await Raw.open(address, size)
  return { prepare: (batches) => () => raw.write(batches), close: raw.close }
}

/** Prepares what isn't to be measured, for all batches, and gives the rest as a program. */
type Make = () => (batches: Batches) => Effect.Effect<void, JournalError, Journal>

const openJournal = async (make: Make, address: Stores.Address): Promise<Contestant> => {
  const runtime = ManagedRuntime.make(Stores.layer(address))
  await runtime.runPromise(Journal)
  const program = make()
  return {
    prepare: (batches) => {
      const prepared = program(batches)
      return () => runtime.runPromise(prepared)
    },
    close: () => runtime.dispose()
  }
}

const commit: Make = () => {
  const versions = new Map<string, number>()
  const laneOf = ({ draft, key }: Request): LaneCommit => {
    const expected = versions.get(key) ?? 0
    versions.set(key, expected + 1)
    return { key, expected, entries: [draft] }
  }
  return (batches) => {
    const commits = batches.map((batch) => batch.map(laneOf))
    return Effect.flatMap(Journal, (journal) =>
      Effect.forEach(commits, (lanes) => Effect.flatMap(journal.commit(worker.name, lanes), mustHold), {
        discard: true
      })
    )
  }
}

const openAndCommit: Make = () => (batches) => {
  const opens = batches.map((requests) => ({ requests, lanes: requests.map(laneRequestOf) }))
  return Effect.flatMap(Journal, (journal) =>
    Effect.forEach(
      opens,
      ({ lanes, requests }) =>
        journal.open(worker.name, lanes).pipe(
          Effect.flatMap(({ heads }) =>
            journal.commit(
              worker.name,
              requests.map(({ draft, key }, index) => ({ key, expected: heads[index]?.version ?? 0, entries: [draft] }))
            )
          ),
          Effect.flatMap(mustHold)
        ),
      { discard: true }
    )
  )
}

const laneRequestOf = ({ draft: { id, type }, key }: Request): LaneRequest => ({ key, deliveries: [{ type, id }] })

const mustHold = (verdicts: ReadonlyArray<Verdict>) =>
  verdicts.includes("conflict") ? Effect.die(new Error("a lane in nobody's way had a conflict")) : Effect.void

const processing: Make = () => (batches) => {
  const deliveries = batches.map((batch) => batch.map(({ delivery }) => delivery))
  return Effect.forEach(
    deliveries,
    (batch) =>
      Effect.flatMap(worker.process(batch), ({ outcomes }) =>
        outcomes.every(({ _tag }) => _tag === "Handled")
          ? Effect.void
          : Effect.die(new Error("a good request was not handled"))
      ),
    { discard: true }
  )
}

const programs: Record<Exclude<ContestantName, "raw insert">, Make> = {
  commit,
  "open + commit": openAndCommit,
  "worker.process": processing
}
