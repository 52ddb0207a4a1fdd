/**
 * Measures the engine on the embedded catalogue: `node packages/recommender/bench/engine.ts`.
 *
 * Prints what training costs (and how long the calling thread was held up meanwhile), what one recommendation costs, and
 * what the two kernels gain over the plain loops they replace. Results are compared before they are timed.
 */
import { monitorEventLoopDelay } from "node:perf_hooks"

import * as Effect from "effect/Effect"

import * as Catalog from "../src/engine/Catalog.ts"
import * as Engine from "../src/engine/Engine.ts"
import * as Matrix from "../src/engine/Matrix.ts"
import type { Model } from "../src/engine/Model.ts"
import * as Random from "../src/engine/Random.ts"
import type * as Ratings from "../src/engine/Ratings.ts"
import * as Trainer from "../src/engine/Trainer.ts"

const print = (line: string): boolean => process.stdout.write(`${line}\n`)
const ms = (value: number): string => `${value.toFixed(value < 10 ? 3 : 0)} ms`

const timed = <A>(name: string, run: () => A): A => {
  const start = performance.now()
  const result = run()
  print(`${name.padEnd(52)} ${ms(performance.now() - start)}`)
  return result
}

const quantile = (sorted: ReadonlyArray<number>, q: number): number => sorted[Math.floor(sorted.length * q)] ?? 0

const spread = (name: string, samples: ReadonlyArray<number>): void => {
  const sorted = samples.toSorted((a, b) => a - b)
  const shown = [0.5, 0.99, 0.999].map((q) => `p${q * 100} ${ms(quantile(sorted, q))}`)
  print(`${name.padEnd(52)} ${shown.join("   ")}`)
}

const trainInThread = async (ratings: Ratings.Ratings): Promise<Model> => {
  const delay = monitorEventLoopDelay({ resolution: 1 })
  delay.enable()
  const start = performance.now()
  const model = await Effect.runPromise(Trainer.train(ratings))
  const total = performance.now() - start
  delay.disable()
  const held = ms(Math.max(0, delay.max / 1e6 - 1))
  print(
    `${`train, ${model.trained.length} items, in its thread`.padEnd(52)} ${ms(total)}   event loop held at most ${held}`
  )
  return model
}

const recommend = (engine: Engine.Engine, topN: number): Array<number> => {
  const samples: Array<number> = []
  for (let round = 0; round < 12; round++) {
    for (let userId = 1; userId <= engine.users; userId++) {
      const start = performance.now()
      engine.recommend(userId, topN)
      // The first rounds run before the compiler has seen enough.
      if (round >= 2) samples.push(performance.now() - start)
    }
  }
  return samples
}

/** The plain inverse that the tile kernel replaces. */
const invertPlainly = (a: Float64Array, n: number): void => {
  for (let k = 0; k < n; k++) {
    const inverse = 1 / (a[k * n + k] ?? 0)
    a[k * n + k] = 1
    for (let j = 0; j < n; j++) a[k * n + j] = (a[k * n + j] ?? 0) * inverse
    for (let i = 0; i < n; i++) {
      const factor = a[i * n + k] ?? 0
      if (i === k) continue
      a[i * n + k] = 0
      for (let j = 0; j < n; j++) a[i * n + j] = (a[i * n + j] ?? 0) - factor * (a[k * n + j] ?? 0)
    }
  }
}

const compareInverses = (n: number): void => {
  const random = Random.make(1)
  const tiled = Matrix.identity(n, n, "float64")
  for (let i = 0; i < n; i++) for (let j = 0; j < i; j++) tiled[i * n + j] = tiled[j * n + i] = random()
  const plain = Float64Array.from(tiled)
  timed(`inverse of order ${n}: 4 x 4 tiles`, () => Matrix.invert(tiled, n))
  timed(`inverse of order ${n}: plain loops`, () => invertPlainly(plain, n))
  if (plain.some((x, k) => Math.abs(x - (tiled[k] ?? NaN)) > 1e-12)) throw new Error("the two inverses differ")
}

/** One row at a time and a full sort: what the scorer's unrolled sums and threshold insertion replace. */
const recommendPlainly = (model: Model, liked: ReadonlyArray<number>, seen: ReadonlySet<number>, topN: number) => {
  const scores = Array.from(model.popularity, (share) => (model.beta * share) / Math.max(1, liked.length))
  const size = model.trained.length
  for (const r of liked) {
    for (let j = 0; j < size; j++) {
      const item = model.trained[j] ?? 0
      scores[item] = (scores[item] ?? 0) + (model.weights[r * size + j] ?? 0)
    }
  }
  return [...scores.keys()]
    .filter((item) => !seen.has(item))
    .toSorted((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
    .slice(0, topN)
    .map((item) => model.itemIds[item] ?? 0)
}

const comparePlain = (model: Model, ratings: Ratings.Ratings, engine: Engine.Engine): Array<number> => {
  const rowOf = new Map(Array.from(model.trained, (item, r) => [item, r]))
  const samples: Array<number> = []
  for (let u = 0; u < 800; u++) {
    const slice = (rows: Ratings.Rows) => [...rows.values.subarray(rows.offsets[u], rows.offsets[u + 1])]
    const liked = slice(ratings.positives).flatMap((item) => rowOf.get(item) ?? [])
    const seen = new Set(slice(ratings.seen))
    const start = performance.now()
    const list = recommendPlainly(model, liked, seen, 20)
    samples.push(performance.now() - start)
    const same = engine.recommend(ratings.userIds[u] ?? 0, 20)
    if (list.some((id, k) => id !== same[k])) throw new Error(`the two lists of user ${u} differ`)
  }
  return samples
}

const catalog = timed("generate the catalogue", () => Catalog.make())
const ratings = timed("compact its ratings", () => Catalog.ratings(catalog))
const model = await trainInThread(ratings)
const engine = timed("make the engine", () => Engine.make({ model, ratings, movies: catalog.movies }))
spread("recommend 20 of 2,000", recommend(engine, 20))
spread("recommend 100 of 2,000", recommend(engine, 100))
spread("recommend 20 of 2,000, plain loops and a sort", comparePlain(model, ratings, engine))
const wide = Catalog.make({ users: 2400, items: 4000 })
const wideRatings = Catalog.ratings(wide)
const wideModel = await trainInThread(wideRatings)
spread("recommend 20 of 4,000", recommend(Engine.make({ model: wideModel, ratings: wideRatings }), 20))
compareInverses(1200)
