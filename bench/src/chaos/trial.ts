/** One fault under a steady load: what callers saw before, during and after it. */
import { setTimeout as sleep } from "node:timers/promises"

import * as RedisStore from "@leat/cache-redis/RedisStore"
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Scope from "effect/Scope"

import { quantile } from "../statistics.ts"
import type { Fault } from "./faults.ts"

/** Times in milliseconds. */
export interface Trial {
  readonly gets: number
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** Of the loader itself, meanwhile. */
  readonly loaderP99: number
  /** Errors that reached callers, in the whole trial. */
  readonly errors: number
  /** From the server being well to the first value out of it. */
  readonly recovery: number
  /** Commands that the server ran after that and nobody asked then; `undefined` where it can't be said. */
  readonly replayed: number | undefined
  /** Loads a get, during the fault. */
  readonly loads: number
}

const keys = 500
/** Milliseconds from one get to the next, of the loader, and of each phase. */
const rhythm = 5
const loaderTime = 20
const healthy = 1_500
const broken = 4_000

/** Zipf's law with exponent 1, as the rank of a uniform number. */
const harmonic: ReadonlyArray<number> = (() => {
  let sum = 0
  return Array.from({ length: keys }, (_, i) => (sum += 1 / (i + 1)))
})()
const rank = (): number => {
  const wanted = Math.random() * (harmonic.at(-1) ?? 1)
  return harmonic.findIndex((sum) => sum >= wanted)
}

class Load {
  readonly took: Array<number> = []
  readonly loaderTook: Array<number> = []
  errors = 0
  loads = 0
  lastHit = -Infinity
  /** Keys whose read was sent: answered, or given up after it. */
  sent = 0

  reset(): void {
    this.took.length = 0
    this.loaderTook.length = 0
    this.loads = 0
  }
}

export const run = async (fault: Fault): Promise<Trial> => {
  const patient = await fault.prepare()
  const load = new Load()
  const scope = Scope.makeUnsafe()
  try {
    if (fault.atStart) await patient.strike()
    const cache = await Effect.runPromise(
      cacheOn(patient.place, load).pipe(Scope.provide(scope), Effect.provide(Logger.layer([])))
    )
    const stop = begin(cache, load)
    if (!fault.atStart) await sleep(healthy)
    load.reset()
    if (!fault.atStart) await patient.strike()
    await sleep(broken)
    const took = load.took.toSorted(byValue)
    const loaderTook = load.loaderTook.toSorted(byValue)
    const { loads } = load
    const healed = await recovered(patient, load)
    await sleep(300)
    stop()
    const at = (sorted: ReadonlyArray<number>, share: number) => (sorted.length === 0 ? 0 : quantile(sorted, share))
    return {
      gets: took.length,
      p50: at(took, 0.5),
      p99: at(took, 0.99),
      max: took.at(-1) ?? 0,
      loaderP99: Math.max(loaderTime, at(loaderTook, 0.99)),
      errors: load.errors,
      loads: loads / Math.max(1, took.length),
      ...healed
    }
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await patient.stop()
  }
}

const byValue = (a: number, b: number): number => a - b

type Films = Cache.Cache<number, ReadonlyArray<number>>

interface CacheOptions {
  readonly ttl?: number
  readonly memory?: Cache.Memory
}

const cacheOn = Effect.fnUntraced(function* (place: RedisStore.Options, load: Load, options: CacheOptions = {}) {
  const store = yield* RedisStore.make(place)
  const counted = CacheStore.CacheStore.of({
    ...store,
    getMany: (names) =>
      Effect.suspend(() => {
        const units = place.mode === "cluster" ? names.length : 1
        const start = performance.now()
        return Effect.onExit(store.getMany(names), (exit) =>
          Effect.sync(() => {
            // A store that isn't up refuses at once; what took time was sent.
            if (Exit.isSuccess(exit) || performance.now() - start > 1) load.sent += units
          })
        )
      })
  })
  const loader = (id: number) =>
    Effect.suspend(() => {
      load.loads++
      const start = performance.now()
      return Effect.map(Effect.sleep(loaderTime), () => {
        load.loaderTook.push(performance.now() - start)
        return Array.from({ length: 20 }, (_, i) => id + i)
      })
    })
  const key = (id: number) => `chaos:${id}`
  return yield* Cache.make({ key, codec: CacheCodec.ints(), load: loader, ...options }).pipe(
    Effect.provide(Layer.succeed(CacheStore.CacheStore, counted))
  )
})

/** An open loop: who is slow doesn't get fewer requests. */
const begin = (cache: Films, load: Load): (() => void) => {
  const once = async (): Promise<void> => {
    const start = performance.now()
    const exit = await Effect.runPromiseExit(cache.get(rank()))
    load.took.push(performance.now() - start)
    if (Exit.isFailure(exit)) load.errors++
    else if (exit.value.source === "redis") load.lastHit = performance.now()
  }
  const timer = setInterval(() => void once(), rhythm)
  return () => clearInterval(timer)
}

const recovered = async (
  patient: Awaited<ReturnType<Fault["prepare"]>>,
  load: Load
): Promise<Pick<Trial, "recovery" | "replayed">> => {
  const sentBefore = load.sent
  await patient.heal()
  const well = performance.now()
  while (load.lastHit < well && performance.now() - well < 30_000) await sleep(1)
  const recovery = load.lastHit - well
  await sleep(200)
  const ran = await patient.reads()
  if (ran === undefined) return { recovery, replayed: undefined }
  // A server that was started anew counts from then on; the others counted everything.
  const sent = ran < sentBefore ? load.sent - sentBefore : load.sent
  return { recovery, replayed: Math.max(0, ran - sent) }
}

/** Milliseconds that a value is fresh there, so that it is loaded again and again in a healthy time too. */
const shortTtl = 2_000

/** Loads of the origin in a total outage, as a multiple of those in a healthy time of the same length. */
export const outage = async (prepare: Fault["prepare"], memory: Cache.Memory | undefined): Promise<number> => {
  const patient = await prepare()
  const load = new Load()
  const scope = Scope.makeUnsafe()
  try {
    const options = memory === undefined ? { ttl: shortTtl } : { ttl: shortTtl, memory }
    const made = cacheOn(patient.place, load, options).pipe(Scope.provide(scope), Effect.provide(Logger.layer([])))
    const stop = begin(await Effect.runPromise(made), load)
    await sleep(2 * shortTtl)
    load.reset()
    await sleep(broken)
    const before = load.loads / load.took.length
    await patient.strike()
    load.reset()
    await sleep(broken)
    const during = load.loads / load.took.length
    stop()
    return during / before
  } finally {
    await Effect.runPromise(Scope.close(scope, Exit.void))
    await patient.stop()
  }
}
