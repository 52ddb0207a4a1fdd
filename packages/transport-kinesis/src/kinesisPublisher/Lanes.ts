/**
 * Which of the waiting envelopes the next request takes: no clock, no calls, so that every order can be tried in a test.
 *
 * **Guarantees.** `ordered`: of a lane (a partition key) at most one record is on its way, and it is the first that
 * waits; `PutRecords` goes on behind an entry that failed, so two of one key in a request could change places.
 * `unordered`: nothing waits for another. A shard without tokens holds up its own records alone, and shards take turns.
 *
 * **Details.** Each lane that may send stands in the line of the shard that its first record will go to, so that a shard
 * that is out of tokens costs one look, however many lanes wait for it.
 *
 * @since 0.1.0
 */
import * as HashKey from "../HashKey.ts"
import * as Group from "./Group.ts"
import * as Pace from "./Pace.ts"
import * as RecordLimits from "./RecordLimits.ts"
import * as ShardMap from "./ShardMap.ts"

/**
 * How lanes send.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly mode: "ordered" | "unordered"
  /** Largest aggregate in bytes, its key included; `undefined`: each envelope is a record. */
  readonly aggregateBytes: number | undefined
  readonly shardLimits: Pace.Limits
}

/**
 * A record on its way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Flying extends Group.Group {
  /** The shard that it should go to, `""` where we don't know. */
  readonly shard: string
  readonly lane: Lane
}

/**
 * What may go now, and after how many milliseconds more may, should nothing happen meanwhile.
 *
 * @category models
 * @since 0.1.0
 */
export interface Taken {
  readonly flying: ReadonlyArray<Flying>
  readonly bytes: number
  readonly wait: number
}

/**
 * What waits under one key, in its order.
 *
 * @category models
 * @since 0.1.0
 */
export interface Lane {
  readonly id: string | symbol
  queue: Array<Group.Waiting>
  busy: boolean
  /** The shard in whose line it stands. */
  line: string | undefined
}

/** The lanes that stand before a shard, as a request is gathered. */
interface Line {
  readonly shard: string
  readonly lanes: IterableIterator<Lane>
  pace: Pace.Pace
}

const mostHomes = 10_000

/**
 * The lanes of a publisher.
 *
 * @category models
 * @since 0.1.0
 */
export class Lanes {
  readonly #options: Options
  readonly #lanes = new Map<string | symbol, Lane>()
  readonly #lines = new Map<string, Set<Lane>>()
  /** Lanes whose first envelope is tried again later. */
  readonly #resting = new Set<Lane>()
  #restsUntil = Infinity
  readonly #paces = new Map<string, Pace.Pace>()
  #shards: ShardMap.ShardMap | undefined
  /** The shards of keys that were asked for: an MD5 takes as long as all the rest of a record. */
  readonly #homes = new Map<string, string>()

  constructor(options: Options) {
    this.#options = options
  }

  /** Puts an envelope at the end of its lane. */
  offer(waiting: Group.Waiting, now: number): void {
    const lane = this.#lanes.get(waiting.partitionKey) ?? this.#open(waiting.partitionKey, [])
    lane.queue.push(waiting)
    if (lane.queue.length === 1) this.#place(lane, now)
  }

  /** The next request: one record of each shard in turn, until it is full or no shard takes more. */
  take(now: number): Taken {
    this.#wake(now)
    const lines = [...this.#lines].map(([shard, line]): Line => ({
      shard,
      lanes: line[Symbol.iterator](),
      pace: Pace.refill(this.#paceOf(shard, now), now)
    }))
    const taken = this.#gather(lines, now)
    for (const { pace, shard } of lines) this.#paces.set(shard, pace)
    return taken
  }

  #gather(lines: ReadonlyArray<Line>, now: number): Taken {
    const flying: Array<Flying> = []
    let bytes = 0
    let wait = Infinity
    let open = lines
    while (open.length > 0) {
      const going: Array<Line> = []
      for (const line of open) {
        const next = this.#next(line, now)
        if (next === undefined) continue
        if (typeof next === "number") {
          wait = Math.min(wait, next)
        } else if (flying.length === RecordLimits.requestRecords || bytes + next.size > RecordLimits.requestBytes) {
          this.#toTheFront(line.shard)
          return { flying, bytes, wait: 0 }
        } else {
          bytes += next.size
          line.pace = Pace.spend(line.pace, next.size)
          this.#leave(next, now)
          flying.push(next)
          going.push(line)
        }
      }
      open = going
    }
    return { flying, bytes, wait: Math.min(wait, this.#restsUntil - now) }
  }

  /** Takes back what is to be tried again, in its order, before all that waits in its lane; the lane is free again. */
  settle(flying: Flying, again: ReadonlyArray<Group.Waiting>, now: number): void {
    const { lane } = flying
    if (this.#options.mode === "ordered") {
      lane.busy = false
      if (again.length > 0) lane.queue = [...again, ...lane.queue]
      this.#place(lane, now)
    } else if (again.length > 0) {
      // Of its own, so that nothing waits with it.
      this.#place(this.#open(Symbol(), [...again]), now)
    }
  }

  /** Takes out what waits and is meant; gives it back. `partitionKey`: of that lane alone. */
  drop(isMeant: (waiting: Group.Waiting) => boolean, now: number, partitionKey?: string): ReadonlyArray<Group.Waiting> {
    const dropped: Array<Group.Waiting> = []
    const only = partitionKey === undefined ? undefined : this.#lanes.get(partitionKey)
    const lanes = partitionKey === undefined ? [...this.#lanes.values()] : only === undefined ? [] : [only]
    for (const lane of lanes) {
      const meant = lane.queue.filter(isMeant)
      if (meant.length === 0) continue
      dropped.push(...meant)
      lane.queue = lane.queue.filter((waiting) => !isMeant(waiting))
      this.#unplace(lane)
      this.#place(lane, now)
    }
    return dropped
  }

  /** What `ListShards` says now; an empty map where it can't be known. */
  learn(shards: ShardMap.ShardMap, now: number): void {
    this.#shards = shards
    this.#homes.clear()
    const known = new Set(shards.map(({ shardId }) => shardId))
    for (const shard of this.#paces.keys()) if (!known.has(shard)) this.#paces.delete(shard)
    const standing = [...this.#lines.values()].flatMap((line) => Array.from(line))
    this.#lines.clear()
    for (const lane of standing) this.#place(lane, now)
  }

  /** The shard refused a record for its throughput; gives its share where that was halved now. */
  throttled(shard: string, now: number): number | undefined {
    const before = this.#paceOf(shard, now)
    const after = Pace.throttled(before, now)
    this.#paces.set(shard, after)
    return after === before ? undefined : after.share
  }

  #open(id: string | symbol, queue: Array<Group.Waiting>): Lane {
    const lane: Lane = { id, queue, busy: false, line: undefined }
    this.#lanes.set(id, lane)
    return lane
  }

  /** What is first in a shard's line, or for how many milliseconds none of it may go. */
  #next(line: Line, now: number): Flying | number | undefined {
    const { value: lane } = line.lanes.next()
    const group = lane && Group.atHead(lane.queue, this.#options.aggregateBytes, now)
    if (lane === undefined || group === undefined) return undefined
    const { builder, members, size } = group
    if (Pace.may(line.pace, size, now)) return { builder, members, size, lane, shard: line.shard }
    line.pace = Pace.resting(line.pace, size, now)
    return line.pace.restsUntil - now
  }

  #leave({ lane, members }: Flying, now: number): void {
    if (members.length === 1) lane.queue.shift()
    else lane.queue.splice(0, members.length)
    this.#unplace(lane)
    lane.busy = this.#options.mode === "ordered"
    this.#place(lane, now)
  }

  #place(lane: Lane, now: number): void {
    const [first] = lane.queue
    if (lane.busy) return
    if (first === undefined) {
      this.#lanes.delete(lane.id)
    } else if (first.notBefore > now) {
      this.#resting.add(lane)
      this.#restsUntil = Math.min(this.#restsUntil, first.notBefore)
    } else {
      lane.line = this.#shardOf(first)
      const line = this.#lines.get(lane.line)
      if (line === undefined) this.#lines.set(lane.line, new Set([lane]))
      else line.add(lane)
    }
  }

  #unplace(lane: Lane): void {
    this.#resting.delete(lane)
    if (lane.line !== undefined) this.#lines.get(lane.line)?.delete(lane)
    lane.line = undefined
  }

  #wake(now: number): void {
    if (now < this.#restsUntil) return
    const resting = [...this.#resting]
    this.#resting.clear()
    this.#restsUntil = Infinity
    for (const lane of resting) this.#place(lane, now)
  }

  #shardOf({ explicitHashKey, partitionKey }: Group.Waiting): string {
    const shards = this.#shards
    if (shards === undefined) return ShardMap.unknown
    if (explicitHashKey !== undefined) return ShardMap.shardOf(shards, () => HashKey.parse(explicitHashKey))
    const known = this.#homes.get(partitionKey)
    if (known !== undefined) return known
    const home = ShardMap.shardOf(shards, () => HashKey.ofPartitionKey(partitionKey))
    if (this.#homes.size === mostHomes) this.#homes.clear()
    this.#homes.set(partitionKey, home)
    return home
  }

  /** Until the shards are listed the stream is paced as if it had one; where they can't be, not at all. */
  #paceOf(shard: string, now: number): Pace.Pace {
    const unknowable = shard === ShardMap.unknown && this.#shards !== undefined
    const limits = unknowable ? Pace.unlimited : this.#options.shardLimits
    return this.#paces.get(shard) ?? Pace.make(limits, now)
  }

  /** Its record found no room: the next request begins with it. */
  #toTheFront(shard: string): void {
    const lines = [...this.#lines]
    this.#lines.clear()
    for (const entry of lines.toSorted(([a], [b]) => Number(b === shard) - Number(a === shard))) {
      this.#lines.set(...entry)
    }
  }
}
