import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import * as CacheStore from "@leat/core/CacheStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

import type { Gate } from "./Gate.ts"
import { inTurn } from "./inTurn.ts"
import { render } from "./Table.ts"

const ttl = 3_600_000
const readsOfRow = 200_000

/** Reads of a key in its time to live, on average. */
const rates = [0.25, 0.5, 1, 2, 2.34, 5, 10]

/**
 * The hit rate of the real cache on a virtual clock, under Poisson reads, beside the formula H = λT / (1 + λT); prints a
 * table. With a jitter of 10 % the mean time to live is 95 % of T.
 */
export const run = async (print: (text: string) => void): Promise<ReadonlyArray<Gate>> => {
  const rows = await inTurn(rates, async (rate) => {
    const [exact, jittered] = [await simulate(rate, 0), await simulate(rate, 0.1)]
    return { rate, exact, jittered }
  })
  const percent = (share: number) => `${(100 * share).toFixed(2)} %`
  const cells = rows.map(({ exact, jittered, rate }) => [
    String(rate),
    percent(formula(rate)),
    percent(exact),
    percent(formula(0.95 * rate)),
    percent(jittered)
  ])
  print(
    `### ${readsOfRow} reads a row, T = 1 h\n\n${render(["λT", "formula", "without jitter", "formula, 95 % of T", "jitter 0.1"], cells)}\n`
  )
  const beyond = rows.flatMap(({ exact, jittered, rate }) => [
    Math.abs(exact - formula(rate)),
    Math.abs(jittered - formula(0.95 * rate))
  ])
  return [
    {
      what: "hit rate beside H = λT / (1 + λT), worst difference in percentage points, as a multiple of one",
      target: 0.5,
      gate: 1,
      unit: "×",
      better: "smaller",
      reached: 100 * Math.max(...beyond)
    }
  ]
}

const formula = (rate: number): number => rate / (1 + rate)

/** Time passes when it is told to. */
const virtual = (now: { millis: number }): Clock.Clock => ({
  currentTimeMillisUnsafe: () => now.millis,
  currentTimeMillis: Effect.sync(() => now.millis),
  currentTimeNanosUnsafe: () => BigInt(Math.round(now.millis * 1e6)),
  currentTimeNanos: Effect.sync(() => BigInt(Math.round(now.millis * 1e6))),
  monotonicTimeNanosUnsafe: () => BigInt(Math.round(now.millis * 1e6)),
  monotonicTimeNanos: Effect.sync(() => BigInt(Math.round(now.millis * 1e6))),
  sleep: () => Effect.never
})

/** Many users, each of whom reads as a Poisson process of the same rate: one process of all, and a user at random. */
const simulate = (rate: number, jitter: number): Promise<number> => {
  const users = 500
  const now = { millis: 0 }
  return Effect.gen(function* () {
    const cache = yield* Cache.make({
      key: (user: number) => `user:${user}`,
      codec: CacheCodec.ints(),
      ttl,
      jitter,
      load: (user) => Effect.succeed([user])
    })
    const random = yield* Random.Random
    const between = ttl / (rate * users)
    let hits = 0
    for (let read = 0; read < readsOfRow; read++) {
      now.millis -= between * Math.log(1 - random.nextDoubleUnsafe())
      const user = Math.floor(random.nextDoubleUnsafe() * users)
      const { source } = yield* cache.get(user)
      if (source !== "origin") hits++
    }
    return hits / readsOfRow
  }).pipe(
    Effect.scoped,
    Effect.provide(CacheStore.layerMemory()),
    Effect.provideService(Clock.Clock, virtual(now)),
    Random.withSeed(`hitrate ${rate} ${jitter}`),
    Effect.runPromise
  )
}
