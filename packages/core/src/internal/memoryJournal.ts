import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

import type {
  Cutoffs,
  Draft,
  Entry,
  Filter,
  Head,
  JournaledOutcome,
  LaneCommit,
  LaneRequest,
  Opened,
  ParkedFilter,
  Pruned,
  Verdict
} from "../Journal.ts"
import * as Lanes from "../Lanes.ts"
import type * as Projection from "../Projection.ts"
import type { ViewStore } from "../View.ts"
import * as MemoryViews from "./memoryViews.ts"

interface StreamState {
  version: number
  /** Positions of entries that are parked and not resolved. */
  readonly parked: Set<number>
  /** How many of its entries wait to be published. */
  unpublished: number
  readonly known: Map<string, JournaledOutcome>
}

interface Waiting {
  readonly stream: StreamState
  /** Somebody holds it until then. */
  until: number
}

interface WorkerState {
  readonly streams: Map<string, StreamState>
  parked: number
  /** By position, in order of commit. */
  readonly outbox: Map<number, Waiting>
}

export interface MemoryJournal {
  readonly open: (worker: string, lanes: ReadonlyArray<LaneRequest>, now: number) => Opened
  readonly commit: (worker: string, lanes: ReadonlyArray<LaneCommit>, now: number) => ReadonlyArray<Verdict>
  /** Position of the last entry ever committed. */
  readonly last: () => number
  /** What matches of the next entries after a position, and the position up to which they were looked at. */
  readonly page: (
    from: number,
    end: number,
    filter: Filter | undefined
  ) => readonly [entries: ReadonlyArray<Entry>, seen: number]
  /** Ends when something was committed after `position`, with the last position. */
  readonly moved: (position: number) => Effect.Effect<number>
  readonly parked: (worker: string, filter: ParkedFilter | undefined) => ReadonlyArray<Entry>
  readonly claim: (worker: string, limit: number, now: number) => ReadonlyArray<Entry>
  readonly settle: (
    worker: string,
    published: ReadonlyArray<number>,
    returned: ReadonlyArray<number>,
    now: number
  ) => void
  readonly views: ViewStore
  readonly prune: (cutoffs: Cutoffs) => Pruned
}

const untouched: Head = { version: 0, parked: 0, unpublished: 0, known: undefined }

const pageSize = 1_000

class State {
  readonly workers = new Map<string, WorkerState>()
  entries: Array<Entry> = []
  last = 0
  next = Deferred.makeUnsafe<void>()
  /** Milliseconds for which a claim holds. */
  readonly hold: number

  constructor(hold: number) {
    this.hold = hold
  }

  worker(name: string): WorkerState {
    const found = this.workers.get(name)
    if (found !== undefined) return found
    const fresh: WorkerState = { streams: new Map(), parked: 0, outbox: new Map() }
    this.workers.set(name, fresh)
    return fresh
  }

  stream(worker: WorkerState, key: string): StreamState {
    const found = worker.streams.get(key)
    if (found !== undefined) return found
    const fresh: StreamState = { version: 0, parked: new Set(), unpublished: 0, known: new Map() }
    worker.streams.set(key, fresh)
    return fresh
  }

  /** Place in `entries` of the first entry after a position: pruning leaves gaps. */
  placeAfter(position: number): number {
    let low = 0
    let high = this.entries.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.entries[middle]?.position ?? Infinity) <= position) low = middle + 1
      else high = middle
    }
    return low
  }

  at(position: number): Entry | undefined {
    const entry = this.entries[this.placeAfter(position - 1)]
    return entry?.position === position ? entry : undefined
  }
}

export const make = (inline: ReadonlyArray<Projection.Any>, hold: number): MemoryJournal => {
  const state = new State(hold)
  const views = MemoryViews.make()
  const wake = () => {
    const waited = state.next
    // First the new one: a reader runs on inside `doneUnsafe` and would wait for the one that is done.
    state.next = Deferred.makeUnsafe()
    Deferred.doneUnsafe(waited, Effect.void)
  }
  return {
    open: (name, lanes, now) => {
      const worker = state.worker(name)
      return {
        heads: lanes.map((lane) => headOf(worker.streams.get(lane.key), lane)),
        parked: worker.parked,
        unpublished: free(worker, now)
      }
    },
    commit: (name, lanes, now) => {
      const plan = new Plan(state, name, now)
      const verdicts = lanes.map((lane) => plan.take(lane))
      if (plan.entries.length === 0) return verdicts
      // A fold may throw: nothing is written before all have been made, as in a transaction.
      const folds = inline.map((projection) =>
        views.fold(projection, (from) => [...state.entries.slice(state.placeAfter(from)), ...plan.entries])
      )
      plan.apply()
      for (const apply of folds) apply()
      wake()
      return verdicts
    },
    last: () => state.last,
    page: (from, end, filter) => {
      const place = state.placeAfter(from)
      const looked = state.entries.slice(place, place + pageSize).filter((entry) => entry.position <= end)
      const whole = looked.length < pageSize
      return [looked.filter((entry) => matches(entry, filter)), whole ? end : (looked.at(-1)?.position ?? end)]
    },
    moved: (position) =>
      Effect.suspend(() => (state.last > position ? Effect.void : Deferred.await(state.next))).pipe(
        Effect.map(() => state.last)
      ),
    parked: (worker, filter) => parked(state, worker, filter),
    claim: (worker, limit, now) => claim(state, worker, limit, now),
    settle: (worker, published, returned, now) => settle(state, worker, published, returned, now),
    views: views.store,
    prune: (cutoffs) => prune(state, views, cutoffs)
  }
}

const free = ({ outbox }: WorkerState, now: number): number => {
  let total = 0
  for (const { until } of outbox.values()) if (until <= now) total += 1
  return total
}

/** A lane that commits; `names` are those of its deliveries. */
interface Taken {
  readonly lane: LaneCommit
  readonly stream: StreamState
  readonly first: number
  readonly names: ReadonlyArray<string>
}

/** What a commit will write: decided first, written when nothing can go wrong any more. */
class Plan {
  readonly state: State
  readonly name: string
  readonly worker: WorkerState
  readonly now: number
  readonly entries: Array<Entry> = []
  readonly lanes: Array<Taken> = []

  constructor(state: State, name: string, now: number) {
    this.state = state
    this.name = name
    this.worker = state.worker(name)
    this.now = now
  }

  take(lane: LaneCommit): Verdict {
    const stream = this.state.stream(this.worker, lane.key)
    if (stream.version !== lane.expected) return "conflict"
    const names = lane.entries.map(({ id, type }) => deliveryName(type, id))
    if (repeats(stream, lane, names)) return "conflict"
    const first = this.state.last + this.entries.length + 1
    for (let index = 0; index < lane.entries.length; index++) {
      const draft = lane.entries[index]
      if (draft !== undefined) this.entries.push(this.entry(lane.key, draft, first + index, stream.version + index + 1))
    }
    this.lanes.push({ lane, stream, first, names })
    return { position: first }
  }

  /** Spelled out: a spread of the draft costs as much as all the rest of a commit. */
  entry(key: string, draft: Draft, position: number, version: number): Entry {
    return {
      type: draft.type,
      id: draft.id,
      eventVersion: draft.eventVersion,
      source: draft.source,
      bytes: draft.bytes,
      outcome: draft.outcome,
      attempts: draft.attempts,
      duration: draft.duration,
      workerVersion: draft.workerVersion,
      steps: draft.steps,
      resolves: draft.resolves,
      position,
      worker: this.name,
      key,
      version,
      at: this.now,
      compacted: false
    }
  }

  apply(): void {
    for (const taken of this.lanes) {
      const { first, lane, names, stream } = taken
      stream.version += lane.entries.length
      for (let index = 0; index < lane.entries.length; index++) {
        const draft = lane.entries[index]
        if (draft === undefined) continue
        stream.known.set(names[index] ?? "", draft.outcome)
        this.note(lane, stream, draft, first + index)
      }
    }
    for (const entry of this.entries) this.state.entries.push(entry)
    this.state.last += this.entries.length
  }

  note({ outbox }: LaneCommit, stream: StreamState, { outcome, resolves }: Draft, position: number): void {
    const { worker } = this
    if (resolves === undefined && outcome._tag === "Parked") {
      stream.parked.add(position)
      worker.parked += 1
    } else if (resolves !== undefined && outcome._tag !== "Parked" && stream.parked.delete(resolves)) worker.parked -= 1
    if (outbox === undefined || outcome._tag !== "Handled" || outcome.emitted.length === 0) return
    stream.unpublished += 1
    worker.outbox.set(position, { stream, until: outbox === "hold" ? this.now + this.state.hold : 0 })
  }
}

/** A delivery is recorded once, also inside a lane; what comes of it later points at it. */
const repeats = (stream: StreamState, { entries }: LaneCommit, names: ReadonlyArray<string>): boolean => {
  const own = names.length > 1 ? new Set<string>() : undefined
  return names.some((name, index) => {
    if (entries[index]?.resolves !== undefined) return false
    const repeated = stream.known.has(name) || own?.has(name) === true
    own?.add(name)
    return repeated
  })
}

const deliveryName = (type: string, id: string) => `${type}\0${id}`

const headOf = (stream: StreamState | undefined, lane: LaneRequest): Head =>
  stream === undefined
    ? untouched
    : {
        version: stream.version,
        parked: stream.parked.size,
        unpublished: stream.unpublished,
        known: known(stream, lane)
      }

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

const parked = (state: State, name: string, filter: ParkedFilter = {}): ReadonlyArray<Entry> => {
  const { after = 0, key, limit = 100 } = filter
  const positions: Array<number> = []
  for (const [of, stream] of state.worker(name).streams) {
    if (key === undefined || key === of) positions.push(...stream.parked)
  }
  return entriesAt(
    state,
    positions
      .filter((position) => position > after)
      .toSorted((a, b) => a - b)
      .slice(0, limit)
  )
}

const entriesAt = (state: State, positions: ReadonlyArray<number>): ReadonlyArray<Entry> =>
  positions.flatMap((position) => state.at(position) ?? [])

const claim = (state: State, name: string, limit: number, now: number): ReadonlyArray<Entry> => {
  const streams = Lanes.group(state.worker(name).outbox, ([, { stream }]) => stream)
  const lastTried = (rows: ReadonlyArray<readonly [number, Waiting]>) => Math.max(...rows.map(([, { until }]) => until))
  const taken = [...streams.values()]
    .filter((rows) => lastTried(rows) <= now)
    .toSorted((a, b) => lastTried(a) - lastTried(b))
    .flat()
    .slice(0, limit)
    .toSorted(([a], [b]) => a - b)
  for (const [, waiting] of taken) waiting.until = now + state.hold
  return entriesAt(
    state,
    taken.map(([position]) => position)
  )
}

const settle = (
  state: State,
  name: string,
  published: ReadonlyArray<number>,
  returned: ReadonlyArray<number>,
  now: number
): void => {
  const { outbox } = state.worker(name)
  for (const position of published) {
    const waiting = outbox.get(position)
    if (waiting !== undefined && outbox.delete(position)) waiting.stream.unpublished -= 1
  }
  for (const position of returned) {
    const waiting = outbox.get(position)
    if (waiting !== undefined) waiting.until = now
  }
}

const prune = (state: State, views: MemoryViews.MemoryViews, cutoffs: Cutoffs): Pruned => {
  const { compactBefore = -Infinity, forgetBefore = -Infinity } = cutoffs
  let compacted = 0
  const kept: Array<Entry> = []
  const gone: Array<Entry> = []
  for (const entry of state.entries) {
    const worker = state.worker(entry.worker)
    const stream = state.stream(worker, entry.key)
    const needed = stream.parked.size > 0 || worker.outbox.has(entry.position) || views.needs(entry)
    if (!needed && entry.at < forgetBefore) {
      gone.push(entry)
    } else if (!needed && entry.at < compactBefore && !entry.compacted) {
      compacted += 1
      kept.push(compact(entry))
    } else kept.push(entry)
  }
  state.entries = kept
  forget(state, gone)
  return { compacted, forgotten: gone.length }
}

/** A delivery is known as long as an entry speaks of it: its own, or one that resolves it. */
const forget = (state: State, gone: ReadonlyArray<Entry>): void => {
  if (gone.length === 0) return
  const nameOf = ({ id, key, type, worker }: Entry) => `${worker}\0${key}\0${deliveryName(type, id)}`
  const spoken = new Set(state.entries.map(nameOf))
  for (const entry of gone) {
    if (spoken.has(nameOf(entry))) continue
    state.stream(state.worker(entry.worker), entry.key).known.delete(deliveryName(entry.type, entry.id))
  }
}

const nothing = new Uint8Array()

const compact = (entry: Entry): Entry => ({
  ...entry,
  bytes: nothing,
  steps: undefined,
  outcome: entry.outcome._tag === "Handled" ? { _tag: "Handled", emitted: [] } : entry.outcome,
  compacted: true
})

const matches = (entry: Entry, filter: Filter | undefined): boolean =>
  (filter?.worker === undefined || filter.worker === entry.worker) &&
  (filter?.keys === undefined || filter.keys.includes(entry.key)) &&
  (filter?.since === undefined || entry.at >= filter.since)
