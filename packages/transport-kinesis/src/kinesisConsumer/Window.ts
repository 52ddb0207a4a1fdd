/**
 * The deliveries of one shard that were read and are not all settled: which go to the worker next, which lanes wait after
 * a failure, and up to where everything is settled.
 *
 * It decides and does nothing: no clock, no call. A failed lane is held with what follows on it, in order, until its time
 * has come; the others pass. The watermark is the end of the longest prefix without a gap, so what a held lane keeps
 * open is read again after a crash, and nothing is skipped.
 *
 * @since 0.1.0
 */
import type { Delivery } from "@leat/core/Delivery"
import * as Outcome from "@leat/core/Outcome"

/**
 * A delivery on its way.
 *
 * @category models
 * @since 0.1.0
 */
export interface Entry {
  /** `undefined` once it is settled: the bytes are free, the position is what the watermark needs. */
  delivery: Delivery | undefined
  readonly position: string
  readonly bytes: number
  /** Known only for those that were looked at while a lane was held. */
  lane: string | undefined
}

/**
 * A lane that waits.
 *
 * @category models
 * @since 0.1.0
 */
interface Held {
  readonly entries: Array<Entry>
  notBefore: number
}

/**
 * How much may be open at once.
 *
 * @category models
 * @since 0.1.0
 */
export interface Bounds {
  /** From the oldest unsettled delivery to the newest. */
  readonly records: number
  /** Of unsettled deliveries. */
  readonly bytes: number
}

/**
 * The window of one shard. It has one user, which hands out one batch at a time.
 *
 * @category models
 * @since 0.1.0
 */
export class Window {
  /** In the shard's order. Before `#head` all are settled and reported; from `#next` on none was handed out. */
  #entries: Array<Entry> = []
  #head = 0
  #next = 0
  #bytes = 0
  readonly #held = new Map<string, Held>()

  /** Takes what was read, in order; `last` is the sequence number of the page's last record, whole. */
  offer(deliveries: ReadonlyArray<Delivery>, last: string | undefined): void {
    this.#compact()
    for (const delivery of deliveries) {
      const bytes = delivery.bytes.length
      this.#bytes += bytes
      this.#entries.push({ delivery, position: delivery.position, bytes, lane: undefined })
    }
    // A record of which nothing was delivered, and the last part of an aggregate, are done with what precedes them.
    if (last !== undefined && this.#entries.at(-1)?.position !== last) {
      this.#entries.push({ delivery: undefined, position: last, bytes: 0, lane: undefined })
    }
  }

  /** Whether more may be read. */
  hasRoom(bounds: Bounds): boolean {
    return this.#entries.length - this.#head < bounds.records && this.#bytes < bounds.bytes
  }

  /** Whether everything that was read is settled. */
  get isEmpty(): boolean {
    return this.#firstOpen() === this.#entries.length
  }

  /** Whether some were not handed out yet. */
  get hasFresh(): boolean {
    this.#skipSettled()
    return this.#next < this.#entries.length
  }

  /** Whether a lane waits: then fresh deliveries need their lanes, see {@link fresh}. */
  get isHolding(): boolean {
    return this.#held.size > 0
  }

  /** The next `size` entries that were not handed out yet. */
  fresh(size: number): ReadonlyArray<Entry> {
    this.#skipSettled()
    return this.#entries.slice(this.#next, this.#next + size).filter((entry) => entry.delivery !== undefined)
  }

  /** When the next held lane may go on, by the clock of the caller; `Infinity` when none waits. */
  get nextDue(): number {
    let due = Infinity
    for (const held of this.#held.values()) due = Math.min(due, held.notBefore)
    return due
  }

  /**
   * The next batch: lanes whose time has come, then fresh deliveries. Fresh ones of a lane that waits join it; while one
   * waits, those whose lane is not known yet stay behind.
   */
  take(now: number, size: number): ReadonlyArray<Entry> {
    const batch = this.#takeDue(now, size)
    for (; batch.length < size && this.#next < this.#entries.length; this.#next++) {
      const entry = this.#entries[this.#next]
      if (entry?.delivery === undefined) continue
      if (entry.lane === undefined && this.isHolding) break
      const held = entry.lane === undefined ? undefined : this.#held.get(entry.lane)
      if (held === undefined) batch.push(entry)
      else held.entries.push(entry)
    }
    return batch
  }

  #takeDue(now: number, size: number): Array<Entry> {
    const batch: Array<Entry> = []
    for (const [lane, held] of this.#held) {
      if (held.notBefore > now || batch.length === size) continue
      const room = size - batch.length
      batch.push(...held.entries.slice(0, room))
      if (held.entries.length <= room) this.#held.delete(lane)
      else held.entries.splice(0, room)
    }
    return batch
  }

  /**
   * What became of a batch: the settled leave, a lane with an open one waits. The `lane` of open ones must be known;
   * `pause` gives the milliseconds before the next try of a delivery that failed. What never began waits for nothing,
   * unless nothing of the batch did: then it has no better prospects at once.
   */
  settle(
    batch: ReadonlyArray<Entry>,
    outcomes: ReadonlyArray<Outcome.Outcome>,
    now: number,
    pause: (attempt: number) => number
  ): void {
    const open = new Map<string, Held>()
    const began = outcomes.some((outcome) => outcome._tag !== "Unstarted")
    const earliest = began ? now : now + Math.ceil(pause(1))
    for (const [index, entry] of batch.entries()) {
      const outcome = outcomes[index] ?? Outcome.unstarted
      if (Outcome.isSettled(outcome)) this.#done(entry)
      else this.#hold(open, entry, outcome, earliest, pause)
    }
    for (const [lane, held] of open) {
      held.entries.push(...(this.#held.get(lane)?.entries ?? []))
      this.#held.set(lane, held)
    }
  }

  #done(entry: Entry): void {
    entry.delivery = undefined
    this.#bytes -= entry.bytes
  }

  #hold(
    open: Map<string, Held>,
    entry: Entry,
    outcome: Outcome.Outcome,
    earliest: number,
    pause: (attempt: number) => number
  ): void {
    const lane = entry.lane ?? ""
    const held = open.get(lane) ?? { entries: [], notBefore: earliest }
    open.set(lane, held)
    held.entries.push(entry)
    if (outcome._tag !== "Failed" || entry.delivery === undefined) return
    // Clocks count whole milliseconds: a fraction would be slept as none, and waited for without rest.
    held.notBefore = Math.max(held.notBefore, earliest + Math.ceil(pause(entry.delivery.attempt)))
    entry.delivery = { ...entry.delivery, attempt: entry.delivery.attempt + 1 }
  }

  /** The position up to which everything is settled, when it moved since it was asked last. */
  get watermark(): string | undefined {
    const open = this.#firstOpen()
    const last = open === this.#head ? undefined : this.#entries[open - 1]?.position
    this.#head = open
    return last
  }

  #firstOpen(): number {
    this.#skipSettled()
    let index = this.#head
    while (index < this.#next && this.#entries[index]?.delivery === undefined) index++
    return index
  }

  /** The mark at the end of a page is settled from the start, and never handed out. */
  #skipSettled(): void {
    while (this.#next < this.#entries.length && this.#entries[this.#next]?.delivery === undefined) this.#next++
  }

  /** Reported entries go when they are half of the array: each is moved once. */
  #compact(): void {
    if (this.#head < 1024 && this.#head < this.#entries.length) return
    this.#entries = this.#entries.slice(this.#head)
    this.#next -= this.#head
    this.#head = 0
  }
}
