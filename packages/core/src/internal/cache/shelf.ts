import type * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type { Cached, Source } from "../../Cache.ts"
import type { CacheStore, Entry } from "../../CacheStore.ts"
import { BoundedMemory } from "./boundedMemory.ts"
import * as freshness from "./freshness.ts"
import type { Held, HeldNegative, HeldValue } from "./held.ts"
import { decodeEntry, encodeEntry, isEntry } from "./held.ts"
import type { Policy } from "./policy.ts"
import type { Tally } from "./tally.ts"

/** What memory keeps: what is held, and when the store or the origin last said so. */
export interface Kept<A, E> {
  readonly held: Held<A, E>
  readonly seenAt: number
}

/** A thing to write. */
export interface Writing<A, E> {
  readonly name: string
  readonly held: Held<A, E>
}

/**
 * A plain value doesn't say how old it is. Where the store can't be asked again it is believed for so long, in
 * milliseconds, after the store last showed it.
 */
const longestUnknown = 300_000

/** The memory and the store, spoken to in names and what is held under them. */
export class Shelf<K, A, E, R> {
  readonly policy: Policy<K, A, E, R>
  readonly store: CacheStore["Service"]
  readonly clock: Clock.Clock
  readonly tally: Tally
  readonly kept: BoundedMemory<Kept<A, E>>
  /** Names for which the origin failed lately, and isn't asked for a while. */
  readonly troubled = new BoundedMemory<true>(10_000, Infinity)
  readonly source: "memory" | "redis"

  constructor(policy: Policy<K, A, E, R>, store: CacheStore["Service"], clock: Clock.Clock, tally: Tally) {
    this.policy = policy
    this.store = store
    this.clock = clock
    this.tally = tally
    this.source = store.name === "memory" ? "memory" : "redis"
    const { memory, negative } = policy
    // Without a memory for values it still knows what was invalidated, and what isn't there.
    this.kept = new BoundedMemory(
      memory?.maxEntries ?? (negative === undefined ? 0 : 10_000),
      memory?.maxBytes ?? 4 * 1024 * 1024
    )
  }

  now(): number {
    return this.clock.currentTimeMillisUnsafe()
  }

  /** What memory has where the store has no answer: a value within its time. */
  sheltered(name: string, now: number): HeldValue<A> | undefined {
    const held = this.policy.memory === undefined ? undefined : this.kept.get(name, now)?.held
    return held === undefined || held.negative || !freshness.isFresh(held, now) ? undefined : held
  }

  negative(name: string, now: number): HeldNegative<E> | undefined {
    const held = this.policy.negative === undefined ? undefined : this.kept.get(name, now)?.held
    return held?.negative === true && freshness.isFresh(held, now) ? held : undefined
  }

  hit(held: HeldValue<A>, source: Exclude<Source, "origin">, now: number): Cached<A> {
    this.tally.hits[source]++
    const age = held.loadedAt === undefined ? undefined : Math.max(0, now - held.loadedAt)
    return { value: held.value, source, age }
  }

  /** The origin failed for it: it is left alone for a while. */
  trouble(name: string, now: number): void {
    const expires = now + this.policy.throttle
    this.troubled.set(name, { value: true, expires, bytes: name.length }, now)
  }

  /** What stored bytes hold, read at `now`; `undefined`, and counted, where they are nothing of ours. */
  open(name: string, bytes: Uint8Array, now: number): Held<A, E> | undefined {
    const held = isEntry(bytes) ? decodeEntry(this.policy.format, bytes, now) : this.openPlain(name, bytes, now)
    if (held === undefined) this.tally.decodeErrors++
    return held
  }

  openPlain(name: string, bytes: Uint8Array, now: number): HeldValue<A> | undefined {
    const { format, memory } = this.policy
    const freshUntil = now + Math.min(format.ttl, longestUnknown)
    if (memory === undefined) return plainOf(format.value.decode(bytes), undefined, freshUntil)
    // Fast path: most reads find the bytes that this process has, so they need not be decoded, and their age is known.
    const known = this.kept.get(name, now)?.held
    if (known?.negative === false && known.bytes !== undefined && Buffer.compare(known.bytes, bytes) === 0) {
      return known.loadedAt === undefined ? { ...known, freshUntil } : known
    }
    // A copy: a few bytes must not hold a whole socket buffer alive.
    return plainOf(format.value.decode(bytes), new Uint8Array(bytes), freshUntil)
  }

  /** Keeps it in memory, unless it began (`since`) before an invalidation. */
  keep(name: string, held: Held<A, E>, since: number, now: number): void {
    const { memory, staleFor } = this.policy
    if (memory === undefined && !held.negative) return
    const size = held.negative ? 64 : (held.bytes?.length ?? 64)
    this.kept.set(
      name,
      {
        value: { held, seenAt: now },
        expires: held.freshUntil + (held.negative ? 0 : staleFor),
        bytes: size + name.length,
        ifLoadedAfter: since
      },
      now
    )
  }

  /** One write of the store; gives whether it was made. */
  write(writings: ReadonlyArray<Writing<A, E>>): Effect.Effect<boolean> {
    const entries = this.entriesOf(writings)
    return entries.length === 0 ? succeeded : this.tried(this.store.setMany(entries))
  }

  /** Gives whether the store heard of it. */
  forget(names: ReadonlyArray<string>, at: number): Effect.Effect<boolean> {
    const all = this.policy.beside ? names.flatMap((name) => [name, besideOf(name)]) : names
    return this.tried(this.store.invalidate(all, at))
  }

  tried<Err>(effect: Effect.Effect<void, Err>): Effect.Effect<boolean> {
    return Effect.match(effect, {
      onFailure: (error) => {
        this.tally.storeFailed(error)
        return false
      },
      onSuccess: () => true
    })
  }

  entriesOf(writings: ReadonlyArray<Writing<A, E>>): ReadonlyArray<Entry> {
    const { beside, entries, format, staleFor } = this.policy
    const now = this.now()
    const found: Array<Entry> = []
    const add = (key: string, value: Uint8Array | undefined, held: Held<A, E>, ttl: number): void => {
      if (value !== undefined) found.push({ key, value, ttl, ifLoadedAfter: held.loadedAt })
    }
    for (const { held, name } of writings) {
      const left = held.freshUntil - now
      if (held.negative) add(entries ? name : besideOf(name), encodeEntry(format, held), held, left)
      else if (entries) add(name, encodeEntry(format, held), held, left + staleFor)
      else {
        add(name, held.bytes, held, left)
        if (beside) add(besideOf(name), encodeEntry(format, held), held, left + staleFor)
      }
    }
    return found
  }
}

const succeeded = Effect.succeed(true)

const plainOf = <A>(
  value: A | undefined,
  bytes: Uint8Array | undefined,
  freshUntil: number
): HeldValue<A> | undefined =>
  value === undefined ? undefined : { negative: false, value, bytes, loadedAt: undefined, took: 0, freshUntil }

/**
 * Where stands what a plain value can't say. The braces make it a neighbour of its key in a cluster.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export const besideOf = (name: string): string => (name.includes("{") ? `${name}:entry` : `{${name}}:entry`)
