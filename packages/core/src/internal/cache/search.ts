import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import type { Cached, Lookup } from "../../Cache.ts"
import type { Flight } from "./flight.ts"
import * as freshness from "./freshness.ts"
import type { Held } from "./held.ts"
import { isEntry } from "./held.ts"
import type { Found, ReadThrough } from "./readThrough.ts"

type Exits<A, E> = ReadonlyArray<Exit.Exit<Cached<A>, E> | undefined>

/** A batch of keys that is looked for at once. */
export class Search<K, A, E, R> {
  readonly cache: ReadThrough<K, A, E, R>
  readonly keys: ReadonlyArray<K>
  readonly names: ReadonlyArray<string>
  readonly context: Context.Context<R>
  readonly began: number
  /** Filled in the order of the batch. */
  readonly found: Array<Cached<A> | undefined> = []
  /** Places in the batch where something is missing. */
  readonly missing: Array<number> = []
  /** What is held past its time, by place. */
  readonly stale = new Map<number, Held<A, E>>()
  readonly due: Array<Pick<Flight<K, A, E, R>, "key" | "name" | "context">> = []
  storeDown = false

  constructor(
    cache: ReadThrough<K, A, E, R>,
    keys: ReadonlyArray<K>,
    names: ReadonlyArray<string>,
    context: Context.Context<R>
  ) {
    this.cache = cache
    this.keys = keys
    this.names = names
    this.context = context
    this.began = cache.shelf.now()
  }

  /** Without a memory and refreshes: what the store has, decoded. The hot path of a batch (`pnpm bench cache`). */
  plain(): Effect.Effect<Lookup<A, E, R>> {
    return Effect.map(this.cache.read(this.names), (read) => {
      const { shelf, tally, policy } = this.cache
      const { found, missing } = this
      const { value: codec } = policy.format
      const { source } = shelf
      const { length } = this.names
      let hits = 0
      for (let place = 0; place < length; place++) {
        const bytes = read?.[place]
        if (bytes !== undefined && isEntry(bytes)) {
          found.push(this.open(place, bytes))
          continue
        }
        const value = bytes === undefined ? undefined : codec.decode(bytes)
        if (value === undefined) {
          if (bytes !== undefined) tally.decodeErrors++
          missing.push(place)
          found.push(undefined)
        } else {
          found.push({ value, source, age: undefined })
          hits++
        }
      }
      tally.hits[source] += hits
      return this.end(read)
    })
  }

  /** With a memory that shelters: the store is asked for all. */
  all(): Effect.Effect<Lookup<A, E, R>> {
    return Effect.map(this.cache.read(this.names), (read) => {
      for (let place = 0; place < this.names.length; place++) this.found.push(this.look(place, read, read?.[place]))
      return this.end(read)
    })
  }

  /** With a memory that serves: the store is asked for the rest. */
  rest(): Effect.Effect<Lookup<A, E, R>> {
    const places: Array<number> = []
    this.keys.forEach((key, place) => {
      const known = this.cache.glance(key, this.names[place] ?? "", this.context)
      if (known === undefined) places.push(place)
      this.found.push(known)
    })
    if (places.length === 0) return Effect.sync(() => this.end([]))
    return Effect.map(this.cache.read(places.map((place) => this.names[place] ?? "")), (read) => {
      places.forEach((place, index) => (this.found[place] = this.look(place, read, read?.[index])))
      return this.end(read)
    })
  }

  look(place: number, read: Found, bytes: Uint8Array | undefined): Cached<A> | undefined {
    if (bytes !== undefined) return this.open(place, bytes)
    const now = this.cache.shelf.now()
    const shelter = read === undefined ? this.cache.shelf.sheltered(this.names[place] ?? "", now) : undefined
    if (shelter !== undefined) return this.cache.shelf.hit(shelter, "memory", now)
    this.missing.push(place)
    return undefined
  }

  open(place: number, bytes: Uint8Array): Cached<A> | undefined {
    const { shelf } = this.cache
    const name = this.names[place] ?? ""
    const now = shelf.now()
    const held = shelf.open(name, bytes, now)
    const fresh = held !== undefined && freshness.isFresh(held, now)
    if (fresh) shelf.keep(name, held, this.began, now)
    else if (held !== undefined) this.stale.set(place, held)
    // What isn't there lands at once, when it is asked for.
    if (!fresh || held.negative) {
      this.missing.push(place)
      return undefined
    }
    const key = this.keys[place]
    if (this.cache.refreshes.isDue(name, held, now)) this.due.push({ key: key as K, name, context: this.context })
    return this.cache.shelf.hit(held, shelf.source, now)
  }

  end(found: Found): Lookup<A, E, R> {
    this.storeDown = found === undefined
    this.cache.tally.misses += this.missing.length
    this.cache.refreshes.begin(this.due, false)
    return { found: this.found, missing: this.missing.length, load: this.load }
  }

  get load(): Effect.Effect<Exits<A, E>, never, R> {
    if (this.missing.length === 0) return Exit.succeed([])
    return Effect.withFiber((fiber) =>
      Effect.callback<Exits<A, E>>((resume) => {
        const exits: Array<Exit.Exit<Cached<A>, E> | undefined> = Array.from<undefined>({ length: this.keys.length })
        let left = this.missing.length
        const context = fiber.context as Context.Context<R>
        const boarded = this.missing.map((place) => {
          const flight = this.flight(place, context)
          const passenger = (exit: Exit.Exit<Cached<A>, E>): void => {
            exits[place] = exit
            if (--left === 0) resume(Exit.succeed(exits))
          }
          flight.passengers.add(passenger)
          return { flight, passenger }
        })
        this.cache.readBeside(
          boarded.map(({ flight }) => flight),
          this.storeDown
        )
        return Effect.forEach(boarded, ({ flight, passenger }) => this.cache.leaving(flight, passenger), {
          discard: true
        })
      })
    )
  }

  flight(place: number, context: Context.Context<R>): Flight<K, A, E, R> {
    const flight = this.cache.flightOf({ key: this.keys[place] as K, name: this.names[place] ?? "", context })
    flight.take(this.stale.get(place))
    return flight
  }
}
