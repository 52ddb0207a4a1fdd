import * as Cause from "effect/Cause"
import type * as Clock from "effect/Clock"
import type * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Random from "effect/Random"

import type { Background } from "../../Background.ts"
import type { Cache, Cached, Lookup, Put } from "../../Cache.ts"
import type { CacheBackplane } from "../../CacheBackplane.ts"
import type { CacheStore } from "../../CacheStore.ts"
import { Flight } from "./flight.ts"
import type { Passenger } from "./flight.ts"
import * as freshness from "./freshness.ts"
import { Gathering } from "./gathering.ts"
import type { Held, HeldNegative, HeldValue } from "./held.ts"
import { Invalidation } from "./invalidation.ts"
import { Loads } from "./loads.ts"
import { Patience } from "./patience.ts"
import type { Policy } from "./policy.ts"
import { Recovery } from "./recovery.ts"
import { Refreshes } from "./refreshes.ts"
import { Search } from "./search.ts"
import type { Writing } from "./shelf.ts"
import { besideOf, Shelf } from "./shelf.ts"
import { Tally } from "./tally.ts"
import { warmUp } from "./warmUp.ts"

/** What a cache stands on. */
export interface Ground {
  readonly store: CacheStore["Service"]
  readonly backplane: CacheBackplane | undefined
  readonly background: Background
  readonly clock: Clock.Clock
  readonly random: (typeof Random.Random)["Service"]
  /** Runs shared work: with the services of the cache, and nobody's deadline. */
  readonly fork: <A, E>(effect: Effect.Effect<A, E>) => Fiber.Fiber<A, E>
}

/** What the store answered; `undefined`: nothing. */
export type Found = ReadonlyArray<Uint8Array | undefined> | undefined

/** Memory, store and origin, and who waits for which of them. */
export class ReadThrough<K, A, E, R> {
  readonly policy: Policy<K, A, E, R>
  readonly ground: Ground
  readonly tally = new Tally()
  readonly shelf: Shelf<K, A, E, R>
  readonly recovery: Recovery<K, A, E, R>
  readonly loads: Loads<K, A, E, R>
  readonly flights = new Map<string, Flight<K, A, E, R>>()
  readonly refreshes: Refreshes<K, A, E, R>
  readonly invalidation: Invalidation<K, A, E, R>
  readonly gathering: Gathering<Flight<K, A, E, R>>
  readonly patience: Patience

  constructor(policy: Policy<K, A, E, R>, ground: Ground) {
    this.policy = policy
    this.ground = ground
    this.shelf = new Shelf(policy, ground.store, ground.clock, this.tally)
    this.recovery = new Recovery(this.shelf, ground.background)
    this.loads = new Loads(this.shelf, this.recovery, ground.background, ground.random)
    this.refreshes = new Refreshes(ground, this.shelf, this.loads)
    this.invalidation = new Invalidation(ground, this.shelf, this.loads, this.recovery, this.flights)
    this.gathering = new Gathering((flights) => this.readStore(flights))
    this.patience = new Patience(policy.storePatience, ground.clock, (watch) => void ground.fork(watch))
  }

  toCache(): Cache<K, A, E, R> {
    return {
      get: (key) => this.get(key),
      getMany: (keys) => this.getMany(keys),
      lookup: (keys) => this.lookup(keys),
      peekMany: (keys) => Effect.map(this.lookup(keys), ({ found }) => found),
      putMany: (puts) => this.putMany(puts),
      warm: (keys) => warmUp((some: ReadonlyArray<K>) => this.lookup(some), keys),
      invalidate: (keys) => this.invalidation.invalidate(keys),
      stats: Effect.sync(() => {
        const { bytes, slots } = this.shelf.kept
        return this.tally.toStats({ entries: slots.size, bytes })
      })
    }
  }

  get(key: K): Effect.Effect<Cached<A>, E, R> {
    return Effect.withFiber((fiber) => {
      const name = this.policy.key(key)
      const context = fiber.context as Context.Context<R>
      const known = this.glance(key, name, context)
      if (known !== undefined) return Exit.succeed(known)
      return Effect.callback<Cached<A>, E>((resume) => {
        const flight = this.board(key, name, context)
        flight.passengers.add(resume)
        this.depart(flight)
        return this.leaving(flight, resume)
      })
    })
  }

  getMany(keys: ReadonlyArray<K>): Effect.Effect<ReadonlyArray<Exit.Exit<Cached<A>, E>>, never, R> {
    return Effect.flatMap(this.lookup(keys), ({ found, load, missing }) => {
      const hits = found.map((one) => (one === undefined ? undefined : Exit.succeed(one)))
      const all = (rest: ReadonlyArray<Exit.Exit<Cached<A>, E> | undefined>) =>
        hits.map((hit, index): Exit.Exit<Cached<A>, E> => hit ?? rest[index] ?? lost)
      return missing === 0 ? Exit.succeed(all([])) : Effect.map(load, all)
    })
  }

  // Memory

  /** What memory may serve without asking the store. */
  glance(key: K, name: string, context: Context.Context<R>): Cached<A> | undefined {
    const { memory } = this.policy
    if (memory === undefined || memory.ttl === 0) return undefined
    const now = this.shelf.now()
    const kept = this.shelf.kept.get(name, now)
    if (kept === undefined || kept.held.negative) return undefined
    if (now >= kept.seenAt + memory.ttl || !freshness.isFresh(kept.held, now)) return undefined
    if (this.refreshes.isDue(name, kept.held, now)) this.refreshes.begin([{ key, name, context }], true)
    return this.shelf.hit(kept.held, "memory", now)
  }

  // One read, shared

  /** The flight of a name that is under way, else a new one. */
  board(key: K, name: string, context: Context.Context<R>): Flight<K, A, E, R> {
    const other = this.flights.get(name)
    if (other !== undefined) {
      this.tally.joined++
      return other
    }
    const flight = this.flightOf({ key, name, context })
    this.flights.set(name, flight)
    return flight
  }

  flightOf(of: Pick<Flight<K, A, E, R>, "key" | "name" | "context">): Flight<K, A, E, R> {
    return new Flight(of, this.shelf.now(), (flight, exit, began) => this.loaded(flight, exit, began))
  }

  depart(flight: Flight<K, A, E, R>): void {
    if (flight.passengers.size > 1) return
    const negative = this.shelf.negative(flight.name, flight.began)
    if (negative === undefined) this.gathering.add(flight)
    else this.landNegative(flight, negative)
  }

  leaving(flight: Flight<K, A, E, R>, passenger: Passenger<A, E>): Effect.Effect<void> {
    return Effect.suspend(() => {
      flight.passengers.delete(passenger)
      if (flight.landed || flight.passengers.size > 0) return Effect.void
      this.landed(flight)
      if (flight.fallback !== undefined) return Fiber.interrupt(flight.fallback)
      return this.loads.leave(flight)
    })
  }

  land(flight: Flight<K, A, E, R>, exit: Exit.Exit<Cached<A>, E>): void {
    if (flight.landed) return
    this.landed(flight)
    for (const passenger of flight.passengers) passenger(exit)
  }

  landed(flight: Flight<K, A, E, R>): void {
    flight.landed = true
    if (this.flights.get(flight.name) === flight) this.flights.delete(flight.name)
  }

  // The store

  /**
   * Asks the store for all of them at once. Who waited long enough goes on without it; the call itself goes on, for its
   * own time is what tells the store's breaker that the store hangs.
   */
  readStore(flights: ReadonlyArray<Flight<K, A, E, R>>): void {
    const waiting = flights.filter((flight) => !flight.landed)
    if (waiting.length === 0) return
    this.ask(
      waiting.map((flight) => flight.name),
      (found) => this.onRead(waiting, found)
    )
  }

  ask(names: ReadonlyArray<string>, then: (found: Found) => void): void {
    let open = true
    const once = (found: Found): void => {
      if (!open) return
      open = false
      answered()
      then(found)
    }
    const answered = this.patience.wait(() => {
      this.tally.storeLate++
      once(undefined)
    })
    this.gathering.underWay++
    const read = this.ground.fork(this.ground.store.getMany(names))
    read.addObserver((exit) => {
      this.gathering.underWay--
      if (Exit.isFailure(exit)) this.tally.storeFailed(Cause.squash(exit.cause))
      once(Exit.isSuccess(exit) ? exit.value : undefined)
    })
  }

  onRead(flights: ReadonlyArray<Flight<K, A, E, R>>, found: Found): void {
    const now = this.shelf.now()
    const missing: Array<Flight<K, A, E, R>> = []
    const due: Array<Flight<K, A, E, R>> = []
    flights.forEach((flight, index) => {
      if (flight.landed) return
      const bytes = found?.[index]
      const held =
        found === undefined ? undefined : bytes === undefined ? undefined : this.shelf.open(flight.name, bytes, now)
      const shelter = found === undefined ? this.shelf.sheltered(flight.name, now) : undefined
      if (shelter !== undefined) return this.land(flight, Exit.succeed(this.shelf.hit(shelter, "memory", now)))
      if (!this.serve(flight, held, now)) return void missing.push(flight)
      if (held !== undefined && this.refreshes.isDue(flight.name, held, now)) due.push(flight)
    })
    this.tally.misses += missing.length
    this.readBeside(missing, found === undefined)
    this.refreshes.begin(due, false)
  }

  /** Lands a flight with what the store holds, if that is fresh; else what is stale is taken along. */
  serve(flight: Flight<K, A, E, R>, held: Held<A, E> | undefined, now: number): boolean {
    if (held === undefined) return false
    if (!freshness.isFresh(held, now)) {
      flight.take(held)
      return false
    }
    this.shelf.keep(flight.name, held, flight.began, now)
    if (held.negative) this.landNegative(flight, held)
    else this.land(flight, Exit.succeed(this.shelf.hit(held, this.shelf.source, now)))
    return true
  }

  /** What plain values can't say stands beside them, and is read only where there is no value. */
  readBeside(flights: ReadonlyArray<Flight<K, A, E, R>>, storeDown: boolean): void {
    if (flights.length === 0) return
    if (!this.policy.beside || storeDown) return this.load(flights, storeDown)
    this.ask(
      flights.map((flight) => besideOf(flight.name)),
      (found) => {
        const now = this.shelf.now()
        const missing = flights.filter((flight, index) => {
          const bytes = found?.[index]
          if (flight.landed) return false
          const held = bytes === undefined ? undefined : this.shelf.open(flight.name, bytes, now)
          // A value beside has outlived its plain one, or that was removed by others: it is stale, whatever it says.
          if (held?.negative === true) return !this.serve(flight, held, now)
          flight.take(held)
          return true
        })
        this.load(missing, found === undefined)
      }
    )
  }

  // The origin

  load(flights: ReadonlyArray<Flight<K, A, E, R>>, storeDown: boolean): void {
    const now = this.shelf.now()
    const wanted = flights.filter((flight) => {
      const negative = this.shelf.negative(flight.name, now)
      if (negative !== undefined) {
        this.landNegative(flight, negative)
        return false
      }
      // Memory outlives the store's copy, where it may.
      flight.take(this.policy.staleFor > 0 ? this.shelf.kept.get(flight.name, now)?.held : undefined)
      const stale = this.shelf.troubled.get(flight.name, now) === undefined ? undefined : this.staleOf(flight, now)
      if (stale === undefined) return true
      this.land(flight, Exit.succeed(this.shelf.hit(stale, "stale", now)))
      return false
    })
    if (wanted.length === 0) return
    this.loads.begin(wanted, storeDown, false)
    if (this.policy.softTimeout !== Infinity) this.hurry(wanted.filter((flight) => !flight.landed && flight.stale))
  }

  /** Past the soft timeout who has something stale is served that; the load goes on. */
  hurry(flights: ReadonlyArray<Flight<K, A, E, R>>): void {
    if (flights.length === 0) return
    const serve = Effect.sync(() => {
      const now = this.shelf.now()
      for (const flight of flights) {
        const stale = flight.landed ? undefined : this.staleOf(flight, now)
        if (stale === undefined) continue
        const { load } = flight
        load?.waiting.delete(flight)
        this.land(flight, Exit.succeed(this.shelf.hit(stale, "stale", now)))
        if (load !== undefined && !load.batch.isWanted) this.loads.goOn(load.batch)
      }
    })
    this.ground.fork(this.after(this.policy.softTimeout, serve))
  }

  after(millis: number, then: Effect.Effect<void>): Effect.Effect<void> {
    return Effect.andThen(this.ground.clock.sleep(Duration.millis(millis)), then)
  }

  loaded(flight: Flight<K, A, E, R>, exit: Exit.Exit<A, E>, began: number): void {
    if (flight.landed) return
    const now = this.shelf.now()
    if (Exit.isSuccess(exit)) {
      const age = flight.began <= began ? 0 : Math.max(0, now - began)
      return this.land(flight, Exit.succeed({ value: exit.value, source: "origin", age }))
    }
    const negative = this.shelf.negative(flight.name, now)
    if (negative !== undefined) return this.landNegative(flight, negative)
    // Only what the origin says is made up for: a defect and an interruption go to who asked.
    if (!Cause.hasFails(exit.cause)) return this.land(flight, Exit.failCause(exit.cause))
    const stale = this.staleOf(flight, now)
    if (stale === undefined) return this.standIn(flight, exit.cause, "fallback")
    this.shelf.trouble(flight.name, now)
    this.land(flight, Exit.succeed(this.shelf.hit(stale, "stale", now)))
  }

  /** What a flight may serve past its time; nothing of before an invalidation. */
  staleOf({ name, stale, began }: Flight<K, A, E, R>, now: number): HeldValue<A> | undefined {
    if (stale === undefined || !freshness.isServable(stale, now, this.policy.staleFor)) return undefined
    return this.shelf.kept.isFenced(name, stale.loadedAt ?? began, now) ? undefined : stale
  }

  landNegative(flight: Flight<K, A, E, R>, { error }: HeldNegative<E>): void {
    this.tally.hits.negative++
    this.standIn(flight, Cause.fail(error), "negative")
  }

  standIn(flight: Flight<K, A, E, R>, cause: Cause.Cause<E>, source: "fallback" | "negative"): void {
    const { fallback } = this.policy
    if (fallback === undefined) return this.land(flight, Exit.failCause(cause))
    const found = Effect.suspend(() => fallback(flight.key, cause))
    const fiber = Effect.runForkWith(flight.context)(found)
    flight.fallback = fiber
    // Who waited may have gone while it began.
    if (flight.landed) return fiber.interruptUnsafe()
    fiber.addObserver((exit) => {
      const value = Exit.isSuccess(exit) ? exit.value : undefined
      if (value === undefined) return this.land(flight, Exit.failCause(cause))
      if (source === "fallback") this.tally.hits.fallback++
      this.land(flight, Exit.succeed({ value, source, age: 0 }))
    })
  }

  // Batches

  lookup(keys: ReadonlyArray<K>): Effect.Effect<Lookup<A, E, R>, never, R> {
    return Effect.withFiber((fiber) => {
      const { memory, refreshes } = this.policy
      const names = keys.map((key) => this.policy.key(key))
      const search = new Search(this, keys, names, fiber.context as Context.Context<R>)
      if (memory === undefined && !refreshes) return search.plain()
      return memory === undefined || memory.ttl === 0 ? search.all() : search.rest()
    })
  }

  /** Reads a batch; its time is the store's own. */
  read(names: ReadonlyArray<string>): Effect.Effect<Found> {
    return Effect.matchCause(this.ground.store.getMany(names), {
      onFailure: (cause) => {
        this.tally.storeFailed(Cause.squash(cause))
        return undefined
      },
      onSuccess: (found) => found
    })
  }

  putMany(puts: ReadonlyArray<Put<K, A>>): Effect.Effect<void> {
    return Effect.suspend(() => {
      const now = this.shelf.now()
      const writings: Array<Writing<A, E>> = []
      for (const { key, loadedAt, value } of puts) {
        const name = this.policy.key(key)
        if (this.shelf.kept.isFenced(name, loadedAt, now)) continue
        const held = this.loads.value(value, loadedAt, 0)
        this.shelf.keep(name, held, loadedAt, now)
        writings.push({ name, held })
      }
      return Effect.map(this.shelf.write(writings), (written) => this.loads.wrote(writings, written))
    })
  }
}

const lost = Exit.die("a cache read landed nowhere")
