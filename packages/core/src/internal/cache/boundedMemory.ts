/** How long an invalidation is remembered, in milliseconds: longer than any load takes. */
export const fence = 30_000

/** Most fences kept; beyond it the oldest goes early. A load of this process that is under way is told by itself. */
const maxFences = 100_000

interface Slot<V> {
  readonly value: V
  readonly expires: number
  readonly bytes: number
}

/** What one entry is and costs. Times are epoch milliseconds. */
export interface Item<V> {
  readonly value: V
  readonly expires: number
  readonly bytes: number
  /** When its load began: an invalidation at or after it refuses the entry. */
  readonly ifLoadedAfter?: number | undefined
}

/**
 * Entries in this process, bounded in number and bytes: least recently used out first. Fences live as long in it as in a
 * store, so that what was loaded before an invalidation doesn't come back.
 *
 * A `Map` iterates in insertion order, so re-inserting on a read makes its first key the least recently used.
 */
export class BoundedMemory<V> {
  readonly slots = new Map<string, Slot<V>>()
  readonly fences = new Map<string, { readonly at: number; readonly expires: number }>()
  readonly maxEntries: number
  readonly maxBytes: number
  bytes = 0

  constructor(maxEntries: number, maxBytes: number) {
    this.maxEntries = maxEntries
    this.maxBytes = maxBytes
  }

  get(key: string, now: number): V | undefined {
    const slot = this.slots.get(key)
    if (slot === undefined) return undefined
    this.slots.delete(key)
    if (slot.expires <= now) {
      this.bytes -= slot.bytes
      return undefined
    }
    this.slots.set(key, slot)
    return slot.value
  }

  set(key: string, { bytes, expires, ifLoadedAfter, value }: Item<V>, now: number): void {
    if (ifLoadedAfter !== undefined && this.isFenced(key, ifLoadedAfter, now)) return
    this.forget(key)
    if (expires <= now || bytes > this.maxBytes || this.maxEntries <= 0) return
    this.slots.set(key, { value, expires, bytes })
    this.bytes += bytes
    this.shrink()
  }

  /** Whether what began to load at `loadedAt` is of before an invalidation. */
  isFenced(key: string, loadedAt: number, now: number): boolean {
    const fenced = this.fences.get(key)
    return fenced !== undefined && fenced.expires > now && loadedAt <= fenced.at
  }

  invalidate(key: string, at: number, now: number): void {
    this.forget(key)
    // Fences are in order of their end, for all live equally long: the expired ones are at the front.
    for (const [old, fenced] of this.fences) {
      if (fenced.expires > now && this.fences.size < maxFences) break
      this.fences.delete(old)
    }
    const later = Math.max(at, this.fences.get(key)?.at ?? at)
    this.fences.delete(key)
    this.fences.set(key, { at: later, expires: now + fence })
  }

  forget(key: string): void {
    const slot = this.slots.get(key)
    if (slot === undefined) return
    this.slots.delete(key)
    this.bytes -= slot.bytes
  }

  shrink(): void {
    for (const key of this.slots.keys()) {
      if (this.slots.size <= this.maxEntries && this.bytes <= this.maxBytes) return
      this.forget(key)
    }
  }
}
