/** One contestant on one store, kept warm in a process of its own; the parent gives it batches by messages. */
import { times } from "../inTurn.ts"
import { collectYoung, measure } from "../measure.ts"
import * as Subprocess from "../Subprocess.ts"
import * as Contestants from "./contestants.ts"
import type { Contestant, ContestantName } from "./contestants.ts"
import * as Requests from "./requests.ts"
import type { Address } from "./Stores.ts"

/** Which contestant a child keeps. */
export interface Open {
  readonly contestant: ContestantName
  readonly address: Address
  /** Requests in a batch. */
  readonly size: number
  /** Keys that take turns. */
  readonly users: number
}

export interface SliceRequest {
  readonly batches: number
  /** Batches handed over before, unmeasured. */
  readonly warmBatches: number
}

/** What a contestant did with its batches. */
export interface Slice {
  readonly cpuPerEvent: number
  readonly eventsPerSecond: number
  readonly waited: number
}

type Command = { readonly open: Open } | { readonly slice: SliceRequest }

const open = async ({ address, contestant, size, users }: Open) => {
  const next = Requests.feed(users, size)
  const batches = (count: number) => times(count).map(() => times(size).map(() => next()))
  const openOne = () => Contestants.open(contestant, address, size)
  // What was recorded in memory stays there: each slice begins with an empty one, or the collector's work would grow
  // with what the slices before had done.
  const kept = address.store === "memory" ? undefined : await openOne()

  const runSlice = async (own: Contestant, request: SliceRequest): Promise<Slice> => {
    const warm = own.prepare(batches(request.warmBatches))
    const run = own.prepare(batches(request.batches))
    collectYoung()
    await warm()
    const { cpu, wall, waited } = await measure(run)
    const events = request.batches * size
    return { cpuPerEvent: cpu / events, eventsPerSecond: (events * 1000) / wall, waited: waited / wall }
  }

  return async (request: SliceRequest): Promise<Slice> => {
    if (kept !== undefined) return runSlice(kept, request)
    const own = await openOne()
    try {
      return await runSlice(own, request)
    } finally {
      await own.close()
    }
  }
}

let slice: ((request: SliceRequest) => Promise<Slice>) | undefined

Subprocess.answer(async (command: Command) => {
  if ("open" in command) {
    slice = await open(command.open)
    return undefined
  }
  if (slice === undefined) throw new Error("no contestant is open")
  return slice(command.slice)
})
