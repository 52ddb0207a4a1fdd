import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

import type { Entry, Filter, Head, JournaledOutcome, LaneCommit, LaneRequest } from "../Journal.ts"

interface StreamState {
  version: number
  parked: number
  readonly known: Map<string, JournaledOutcome>
}

export interface MemoryJournal {
  readonly open: (worker: string, lane: LaneRequest) => Head
  readonly commit: (worker: string, lane: LaneCommit, now: number) => "ok" | "conflict"
  readonly after: (position: number, filter: Filter | undefined) => ReadonlyArray<Entry>
  /** Ends when something was committed after `position`, with the last position. */
  readonly moved: (position: number) => Effect.Effect<number>
  readonly wake: () => void
}

const untouched: Head = { version: 0, parked: 0, known: undefined }

export const make = (): MemoryJournal => {
  const streams = new Map<string, StreamState>()
  const entries: Array<Entry> = []
  let next = Deferred.makeUnsafe<void>()

  const state = (worker: string, key: string): StreamState => {
    const name = streamName(worker, key)
    const found = streams.get(name)
    if (found !== undefined) return found
    const fresh: StreamState = { version: 0, parked: 0, known: new Map() }
    streams.set(name, fresh)
    return fresh
  }

  return {
    open: (worker, lane) => {
      const stream = streams.get(streamName(worker, lane.key))
      return stream === undefined
        ? untouched
        : { version: stream.version, parked: stream.parked, known: known(stream, lane) }
    },
    commit: (worker, lane, now) => {
      const stream = state(worker, lane.key)
      if (stream.version !== lane.expected) return "conflict"
      for (const draft of lane.entries) {
        stream.version += 1
        if (draft.outcome._tag === "Parked" && draft.resolves === undefined) stream.parked += 1
        if (draft.outcome._tag !== "Parked" && draft.resolves !== undefined) stream.parked -= 1
        stream.known.set(deliveryName(draft.type, draft.id), draft.outcome)
        entries.push({
          ...draft,
          position: entries.length + 1,
          worker,
          key: lane.key,
          version: stream.version,
          at: now
        })
      }
      return "ok"
    },
    after: (position, filter) => entries.slice(position).filter((entry) => matches(entry, filter)),
    moved: (position) =>
      Effect.suspend(() => (entries.length > position ? Effect.void : Deferred.await(next))).pipe(
        Effect.map(() => entries.length)
      ),
    wake: () => {
      const waited = next
      // First the new one: a reader runs on inside `doneUnsafe` and would wait for the one that is done.
      next = Deferred.makeUnsafe()
      Deferred.doneUnsafe(waited, Effect.void)
    }
  }
}

const streamName = (worker: string, key: string) => `${worker}\0${key}`

const deliveryName = (type: string, id: string) => `${type}\0${id}`

const known = (stream: StreamState, lane: LaneRequest): Head["known"] => {
  let found: Array<JournaledOutcome | undefined> | undefined
  for (let index = 0; index < lane.deliveries.length; index++) {
    const delivery = lane.deliveries[index]
    const outcome = delivery === undefined ? undefined : stream.known.get(deliveryName(delivery.type, delivery.id))
    if (outcome === undefined) continue
    found ??= Array.from({ length: lane.deliveries.length })
    found[index] = outcome
  }
  return found
}

const matches = (entry: Entry, filter: Filter | undefined): boolean =>
  (filter?.worker === undefined || filter.worker === entry.worker) &&
  (filter?.keys === undefined || filter.keys.includes(entry.key))
