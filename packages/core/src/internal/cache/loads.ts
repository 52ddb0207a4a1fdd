import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import type * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import type * as Random from "effect/Random"

import type { Background } from "../../Background.ts"
import { Deadline } from "../../Deadline.ts"
import { freshFor } from "./freshness.ts"
import type { Held, HeldValue } from "./held.ts"
import type { Recovery } from "./recovery.ts"
import type { Shelf, Writing } from "./shelf.ts"

/** Waits for a load. */
export interface Waiting<K, A, E> {
  /** What it waits for, once that is known. */
  load: Load<K, A, E> | undefined
  readonly loaded: (exit: Exit.Exit<A, E>, began: number) => void
}

/** What is asked for: a key, its name, who waits, and with whose services. */
export interface Wanted<K, A, E, R> {
  readonly key: K
  readonly name: string
  readonly waiting: Waiting<K, A, E> | undefined
  readonly context: Context.Context<R>
}

/** The load of one name. It stays where it can be found until what it brought is written. */
export class Load<K, A, E> {
  readonly key: K
  readonly name: string
  readonly batch: Batch<K, A, E>
  readonly waiting = new Set<Waiting<K, A, E>>()
  exit: Exit.Exit<A, E> | undefined
  /** False once its name was invalidated: what it brings may be of before. */
  valid = true

  constructor(key: K, name: string, batch: Batch<K, A, E>) {
    this.key = key
    this.name = name
    this.batch = batch
  }

  admit(waiting: Waiting<K, A, E> | undefined): void {
    if (waiting === undefined) return
    waiting.load = this
    this.waiting.add(waiting)
  }
}

/** Loads that one call of the origin brings. */
export class Batch<K, A, E> {
  readonly loads: Array<Load<K, A, E>> = []
  readonly began: number
  /** Whether the store can't be asked, and needn't be written to. */
  readonly storeDown: boolean
  fiber: Fiber.Fiber<unknown, unknown> | undefined
  /** Who wants it stopped before its fiber is known: what it starts may wake others before it returns. */
  readonly stopping: Array<(fiber: Fiber.Fiber<unknown, unknown>) => void> = []
  /** Goes on when nobody waits. */
  background: boolean

  constructor(began: number, storeDown: boolean, background: boolean) {
    this.began = began
    this.storeDown = storeDown
    this.background = background
  }

  /** Ends when it has ended. */
  get stop(): Effect.Effect<void> {
    return Effect.callback((resume) => {
      const stop = (fiber: Fiber.Fiber<unknown, unknown>): void => {
        fiber.addObserver(() => resume(Effect.void))
        fiber.interruptUnsafe()
      }
      if (this.fiber === undefined) this.stopping.push(stop)
      else stop(this.fiber)
    })
  }

  get isWanted(): boolean {
    return this.background || this.loads.some((load) => load.waiting.size > 0)
  }
}

/** Everything that is being loaded, one load a name. */
export class Loads<K, A, E, R> {
  readonly shelf: Shelf<K, A, E, R>
  readonly recovery: Recovery<K, A, E, R>
  readonly background: Background
  readonly random: (typeof Random.Random)["Service"]
  readonly running = new Map<string, Load<K, A, E>>()

  constructor(
    shelf: Shelf<K, A, E, R>,
    recovery: Recovery<K, A, E, R>,
    background: Background,
    random: (typeof Random.Random)["Service"]
  ) {
    this.shelf = shelf
    this.recovery = recovery
    this.background = background
    this.random = random
  }

  /** Joins what is under way and begins the rest: in one call, where the origin takes many. */
  begin(wanted: ReadonlyArray<Wanted<K, A, E, R>>, storeDown: boolean, background: boolean): void {
    const { loadMany } = this.shelf.policy
    const began = this.shelf.now()
    let batch = new Batch<K, A, E>(began, storeDown, background)
    let context: Context.Context<R> | undefined
    let deadline = -Infinity
    for (const one of wanted) {
      if (this.join(one)) continue
      const load = new Load(one.key, one.name, batch)
      load.admit(one.waiting)
      this.running.set(one.name, load)
      batch.loads.push(load)
      if (loadMany === undefined) {
        this.run(batch, background ? untimed(one.context) : one.context)
        batch = new Batch(began, storeDown, background)
        continue
      }
      context ??= one.context
      deadline = Math.max(deadline, Context.get(one.context, Deadline))
    }
    if (context === undefined) return
    // Shared work has the time of whoever has the most; each of the others still goes by its own.
    this.run(batch, Context.add(context, Deadline, background ? Infinity : deadline))
  }

  join({ name, waiting }: Wanted<K, A, E, R>): boolean {
    const load = this.running.get(name)
    if (load === undefined) return false
    if (waiting === undefined) return true
    this.shelf.tally.joined++
    if (load.exit === undefined) load.admit(waiting)
    else waiting.loaded(load.exit, load.batch.began)
    return true
  }

  run(batch: Batch<K, A, E>, context: Context.Context<R>): void {
    this.shelf.tally.loads += batch.loads.length
    const asked = this.ask(batch.loads.map((load) => load.key))
    const fiber = Effect.runForkWith(context)(asked)
    batch.fiber = fiber
    if (batch.background) this.goOn(batch)
    fiber.addObserver((exit) => this.loaded(batch, exit))
    for (const stop of batch.stopping) stop(fiber)
  }

  ask(keys: ReadonlyArray<K>): Effect.Effect<ReadonlyArray<Exit.Exit<A, E>>, E, R> {
    const { hardTimeout, load, loadMany } = this.shelf.policy
    const [only] = keys
    if (loadMany !== undefined && keys.length > 1) {
      if (hardTimeout === undefined) return Effect.suspend(() => loadMany(keys))
      return Effect.timeoutOrElse(
        Effect.suspend(() => loadMany(keys)),
        {
          duration: hardTimeout.after,
          orElse: () => Effect.succeed(keys.map((key) => Exit.fail(hardTimeout.error(key))))
        }
      )
    }
    const one = Effect.suspend(() => load(only as K))
    const timed =
      hardTimeout === undefined
        ? one
        : Effect.timeoutOrElse(one, {
            duration: hardTimeout.after,
            orElse: () => Effect.fail(hardTimeout.error(only as K))
          })
    return Effect.map(Effect.exit(timed), (exit) => [exit])
  }

  /** Nobody need wait for it any more: whoever stands still after an answer waits for the background instead. */
  goOn(batch: Batch<K, A, E>): void {
    batch.background = true
    const { fiber } = batch
    if (fiber === undefined) return
    this.background.run(
      Effect.onInterrupt(
        Effect.callback<void>((resume) => {
          fiber.addObserver(() => resume(Effect.void))
        }),
        () => Effect.sync(() => fiber.interruptUnsafe())
      )
    )
  }

  loaded(batch: Batch<K, A, E>, exits: Exit.Exit<ReadonlyArray<Exit.Exit<A, E>>, E>): void {
    const took = this.shelf.now() - batch.began
    const writings: Array<Writing<A, E>> = []
    batch.loads.forEach((load, index) => {
      const exit = Exit.isSuccess(exits) ? (exits.value[index] ?? unanswered) : Exit.failCause(exits.cause)
      load.exit = exit
      const held = this.held(exit, batch.began, took)
      if (held === undefined) this.shelf.tally.loadErrors++
      else if (load.valid && !this.shelf.kept.isFenced(load.name, batch.began, this.shelf.now())) {
        this.shelf.keep(load.name, held, batch.began, this.shelf.now())
        writings.push({ name: load.name, held })
      }
    })
    this.write(batch, writings)
    for (const load of batch.loads) {
      for (const waiting of load.waiting) waiting.loaded(load.exit ?? unanswered, batch.began)
      load.waiting.clear()
    }
  }

  held(exit: Exit.Exit<A, E>, loadedAt: number, took: number): Held<A, E> | undefined {
    if (Exit.isSuccess(exit)) return this.value(exit.value, loadedAt, took)
    const { negative } = this.shelf.policy
    const error = Exit.findErrorOption(exit)
    if (negative === undefined || Option.isNone(error) || !negative.when(error.value)) return undefined
    return { negative: true, error: error.value, loadedAt, took, freshUntil: loadedAt + negative.ttl }
  }

  value(value: A, loadedAt: number, took: number): HeldValue<A> {
    const { format, jitter } = this.shelf.policy
    const freshUntil = loadedAt + freshFor(format.ttl, jitter, this.random.nextDoubleUnsafe())
    return { negative: false, value, bytes: format.value.encode(value), loadedAt, took, freshUntil }
  }

  write(batch: Batch<K, A, E>, writings: ReadonlyArray<Writing<A, E>>): void {
    if (writings.length === 0 || batch.storeDown) {
      this.wrote(writings, false)
      return this.end(batch)
    }
    const writing = Effect.map(this.shelf.write(writings), (written) => this.wrote(writings, written))
    this.background.run(
      Effect.ensuring(
        writing,
        Effect.sync(() => this.end(batch))
      )
    )
  }

  wrote(writings: ReadonlyArray<Writing<A, E>>, written: boolean): void {
    for (const one of writings) {
      if (written) this.recovery.forgive(one.name)
      else if (!this.recovery.write(one)) this.shelf.tally.writesLost++
    }
  }

  end(batch: Batch<K, A, E>): void {
    for (const load of batch.loads) {
      if (this.running.get(load.name) === load) this.running.delete(load.name)
    }
  }

  /** Whoever waits goes on waiting; whoever comes after begins anew. */
  forget(name: string): void {
    const load = this.running.get(name)
    if (load === undefined) return
    load.valid = false
    this.running.delete(name)
  }

  /** One who waited went away; the last of them stops the call. */
  leave(waiting: Waiting<K, A, E>): Effect.Effect<void> {
    const { load } = waiting
    if (load === undefined || !load.waiting.delete(waiting) || load.batch.isWanted) return Effect.void
    // First out of the map: who comes while it is being stopped must not join it.
    this.end(load.batch)
    return load.batch.stop
  }
}

const untimed = <R>(context: Context.Context<R>): Context.Context<R> => Context.add(context, Deadline, Infinity)

const unanswered = Exit.die("the cache's loadMany gave fewer exits than it was asked for keys")
