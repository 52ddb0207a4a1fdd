/**
 * Trains the model, on the thread that calls it: seconds of arithmetic. Services use `Trainer`, which has a thread for it.
 *
 * @since 0.1.0
 */
import { createHash } from "node:crypto"

import * as Matrix from "./Matrix.ts"
import type { Model } from "./Model.ts"
import * as Ratings from "./Ratings.ts"

/**
 * The part of the ratings that training reads.
 *
 * @category models
 * @since 0.1.0
 */
export interface Input {
  readonly itemIds: Int32Array
  readonly positives: Ratings.Rows
}

/**
 * How to train.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The strength of the regularisation. Default {@link defaultLambda}; a factor of two either way hardly matters. */
  readonly lambda?: number | undefined
  /** The weight of popularity. Default 0.5; 0.25 to 1 is fine, 2 is too much, 0 is plain EASE. */
  readonly beta?: number | undefined
  /** How many items get weights, the most liked ones first. Default 4,000, which take 64 MB. The others keep their popularity. */
  readonly maxItems?: number | undefined
  /** The storage of the matrix while it is inverted. Default float32, which is enough: see the tests. */
  readonly precision?: Matrix.Precision | undefined
  /** Through which matrix: items x items or users x users; both give the same weights. Default: the cheaper. */
  readonly form?: "primal" | "dual" | undefined
}

/**
 * The regularisation for a number of users: 100 for 600 and fewer, 800 for 6,000 and more, in proportion between. Those
 * two ends were chosen on validation folds of ml-latest-small and ml-1m.
 *
 * @category combinators
 * @since 0.1.0
 */
export const defaultLambda = (users: number): number => Math.min(800, Math.max(100, Math.round(users / 7)))

/**
 * Trains a model. Deterministic: no seed, no iterations.
 *
 * @category constructors
 * @since 0.1.0
 */
export const train = (input: Input, options: Options = {}): Model => {
  const likers = countLikers(input)
  const users = countUsers(input.positives)
  const trained = mostLiked(likers, input.itemIds, options.maxItems ?? 4000)
  const rows = restrictTo(input.positives, trained, input.itemIds.length)
  const lambda = options.lambda ?? defaultLambda(users)
  const dual = options.form === undefined ? isDualCheaper(rows, trained.length) : options.form === "dual"
  const precision = options.precision ?? "float32"
  const settings = { lambda, beta: options.beta ?? 0.5, users }
  return {
    ...settings,
    version: versionOf(input, trained, { ...settings, dual, precision }),
    itemIds: input.itemIds,
    popularity: Float32Array.from(likers, (count) => count / Math.max(1, users)),
    trained,
    weights: (dual ? dualWeights : primalWeights)(rows, trained.length, lambda, precision)
  }
}

const countLikers = (input: Input): Int32Array => {
  const counts = new Int32Array(input.itemIds.length)
  for (const item of input.positives.values) counts[item] = (counts[item] ?? 0) + 1
  return counts
}

const countUsers = ({ offsets }: Ratings.Rows): number =>
  offsets.reduce((users, offset, r) => users + (r > 0 && offset > (offsets[r - 1] ?? 0) ? 1 : 0), 0)

const mostLiked = (likers: Int32Array, itemIds: Int32Array, limit: number): Int32Array => {
  const liked = Int32Array.from(itemIds.keys()).filter((item) => (likers[item] ?? 0) > 0)
  // Numbering is by ascending id and the sort is stable, so equal counts are decided by id.
  return liked
    .toSorted((a, b) => (likers[b] ?? 0) - (likers[a] ?? 0))
    .slice(0, limit)
    .toSorted()
}

/** The users that still have something, each with ascending rows of `weights`. */
const restrictTo = (positives: Ratings.Rows, trained: Int32Array, items: number): Ratings.Rows => {
  const rowOf = new Int32Array(items).fill(-1)
  trained.forEach((item, r) => (rowOf[item] = r))
  const offsets = [0]
  const values: Array<number> = []
  for (let u = 0; u + 1 < positives.offsets.length; u++) {
    const kept = Ratings.row(positives, u)
      .map((item) => rowOf[item] ?? 0)
      .filter((r) => r >= 0)
      .toSorted()
    for (const r of kept) values.push(r)
    if (kept.length > 0) offsets.push(values.length)
  }
  return { offsets: Int32Array.from(offsets), values: Int32Array.from(values) }
}

const isDualCheaper = (rows: Ratings.Rows, items: number): boolean => {
  const users = rows.offsets.length - 1
  return users < items / 2 && users <= 2000
}

/** Adds to the lower triangle how many rows each two columns share. The columns of a row must ascend. */
const addGram = (a: Matrix.Storage, n: number, rows: Ratings.Rows): void => {
  for (let u = 0; u + 1 < rows.offsets.length; u++) {
    const row = Ratings.row(rows, u)
    for (let x = 0; x < row.length; x++) {
      const base = (row[x] ?? 0) * n
      for (let y = 0; y <= x; y++) {
        const at = base + (row[y] ?? 0)
        a[at] = (a[at] ?? 0) + 1
      }
    }
  }
}

/** P = (X'X + lambda I)^-1, then B[i][j] = -P[i][j] / P[j][j] off the diagonal (Steck 2019, equation 8). */
const primalWeights = (rows: Ratings.Rows, n: number, lambda: number, precision: Matrix.Precision): Float32Array => {
  const order = Matrix.paddedOrder(n)
  const p = Matrix.identity(order, lambda, precision)
  addGram(p, order, rows)
  Matrix.invert(p, order)
  const diagonal = Float64Array.from({ length: n }, (_, j) => p[j * order + j] ?? 0)
  // Each row is written at or before the place it is read from, so the matrix turns into B where it stands.
  const b = p instanceof Float32Array ? p : new Float32Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) b[i * n + j] = i === j ? 0 : -(p[i * order + j] ?? 0) / (diagonal[j] ?? 0)
  }
  return b.subarray(0, n * n)
}

/**
 * The same through the users (Woodbury): P = (I - X'K^-1 X) / lambda with K = XX' + lambda I, so with S = X'K^-1 X,
 * B[i][j] = S[i][j] / (1 - S[j][j]). Costs users^3 instead of items^3.
 */
const dualWeights = (rows: Ratings.Rows, n: number, lambda: number, precision: Matrix.Precision): Float32Array => {
  const users = rows.offsets.length - 1
  const order = Matrix.paddedOrder(users)
  const k = Matrix.identity(order, lambda, precision)
  const usersOf = Ratings.transpose(rows, n)
  addGram(k, order, usersOf)
  Matrix.invert(k, order)
  const spread = spreadRows(k, order, rows, n)
  const b = new Float32Array(n * n)
  const sum = new Float64Array(n)
  const rest = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    sumRows(spread, n, Ratings.row(usersOf, i), sum)
    b.set(sum, i * n)
    rest[i] = 1 - (sum[i] ?? 0)
  }
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) b[i * n + j] = i === j ? 0 : (b[i * n + j] ?? 0) / (rest[j] ?? 0)
  }
  return b
}

/** K^-1 X: each user's row spread over the items of every user. */
const spreadRows = (k: Matrix.Storage, order: number, rows: Ratings.Rows, n: number): Float64Array => {
  const users = rows.offsets.length - 1
  const out = new Float64Array(users * n)
  for (let u = 0; u < users; u++) {
    for (let v = 0; v < users; v++) {
      const weight = k[u * order + v] ?? 0
      for (let at = rows.offsets[v] ?? 0; at < (rows.offsets[v + 1] ?? 0); at++) {
        const to = u * n + (rows.values[at] ?? 0)
        out[to] = (out[to] ?? 0) + weight
      }
    }
  }
  return out
}

const sumRows = (matrix: Float64Array, n: number, rows: Int32Array, sum: Float64Array): void => {
  sum.fill(0)
  for (const r of rows) {
    const base = r * n
    for (let j = 0; j < n; j++) sum[j] = (sum[j] ?? 0) + (matrix[base + j] ?? 0)
  }
}

const versionOf = (input: Input, trained: Int32Array, settings: object): string => {
  const hash = createHash("sha256").update(JSON.stringify(settings))
  for (const part of [input.itemIds, input.positives.offsets, input.positives.values, trained]) hash.update(part)
  return `ease-${hash.digest("hex").slice(0, 12)}`
}
