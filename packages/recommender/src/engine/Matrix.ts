/**
 * Dense square matrices, as far as training needs them: the inverse of a symmetric positive-definite one.
 *
 * **Details**
 *
 * Rows lie one after the other in one typed array. Orders are padded to a multiple of the register tile (4), so that
 * the kernel has no edge cases; {@link identity} puts ones on the padding's diagonal, which the inverse leaves alone.
 *
 * @since 0.1.0
 */

/**
 * The storage of a matrix. The arithmetic is float64 in either.
 *
 * @category models
 * @since 0.1.0
 */
export type Storage = Float32Array | Float64Array

/**
 * The width of a storage cell.
 *
 * @category models
 * @since 0.1.0
 */
export type Precision = "float32" | "float64"

const TILE = 4
// 16 tiles a panel: a packed tile column is 2 KiB, so a pair of them stays in the first-level cache.
const PANEL = 64

/**
 * The order a matrix of `n` rows is stored with: the next multiple of 4.
 *
 * @category combinators
 * @since 0.1.0
 */
export const paddedOrder = (n: number): number => Math.ceil(n / TILE) * TILE

/**
 * Makes `scale` times the identity of (padded) order `n`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const identity = (n: number, scale: number, precision: Precision): Storage => {
  const a = precision === "float32" ? new Float32Array(n * n) : new Float64Array(n * n)
  for (let i = 0; i < n; i++) a[i * n + i] = scale
  return a
}

/**
 * Inverts a symmetric positive-definite matrix in place; reads its lower triangle, writes all of it.
 *
 * **Details**
 *
 * Blocked Gauss-Jordan by the symmetric sweep operator (Goodnight 1979): for the pivot rows K in turn, with D = A[K,K],
 * `A[R,R] -= A[R,K] D⁻¹ A[K,R]`, `A[K,R] = D⁻¹ A[K,R]`, `A[K,K] = -D⁻¹`; after the last block A is minus the inverse.
 * It costs n³ flops, as few as Cholesky followed by the inverse, and nearly all of them are in one kernel of 4 x 4
 * register tiles. No pivoting: the regularised Gram matrices it is for are well conditioned.
 *
 * @category combinators
 * @since 0.1.0
 */
export const invert = (a: Storage, n: number): void => {
  const before = new Float64Array(PANEL * n)
  const after = new Float64Array(PANEL * n)
  for (let start = 0; start < n; start += PANEL) {
    const size = Math.min(PANEL, n - start)
    const pivot = invertPivot(a, n, start, size)
    gatherPanel(a, n, start, size, before)
    multiplyPanel(pivot, size, before, after, n)
    updateRest(a, n, start, size, before, after)
    scatterPanel(a, n, start, size, after, pivot)
  }
  negateAndMirror(a, n)
}

/** Plain Gauss-Jordan on the pivot block, which is too small to matter. */
const invertPivot = (a: Storage, n: number, start: number, size: number): Float64Array => {
  const d = new Float64Array(size * size)
  for (let i = 0; i < size; i++) {
    for (let j = 0; j <= i; j++) d[i * size + j] = d[j * size + i] = a[(start + i) * n + start + j] ?? 0
  }
  for (let k = 0; k < size; k++) sweepRow(d, size, k)
  return d
}

const sweepRow = (d: Float64Array, size: number, k: number): void => {
  const inverse = 1 / (d[k * size + k] ?? 0)
  d[k * size + k] = 1
  for (let j = 0; j < size; j++) d[k * size + j] = (d[k * size + j] ?? 0) * inverse
  for (let i = 0; i < size; i++) {
    const factor = d[i * size + k] ?? 0
    if (i === k || factor === 0) continue
    d[i * size + k] = 0
    for (let j = 0; j < size; j++) {
      d[i * size + j] = (d[i * size + j] ?? 0) - factor * (d[k * size + j] ?? 0)
    }
  }
}

/** Packs the pivot rows as [tile][pivot row][lane], reading the half that the lower triangle does not hold from columns. */
const gatherPanel = (a: Storage, n: number, start: number, size: number, panel: Float64Array): void => {
  for (let j = 0; j < n; j++) {
    const base = (j >> 2) * size * TILE + (j & 3)
    for (let c = 0; c < size; c++) {
      const row = start + c
      panel[base + c * TILE] = a[j <= row ? row * n + j : j * n + row] ?? 0
    }
  }
}

const multiplyPanel = (
  pivot: Float64Array,
  size: number,
  before: Float64Array,
  after: Float64Array,
  n: number
): void => {
  for (let tile = 0; tile < n * size; tile += size * TILE) {
    for (let c = 0; c < size; c++) {
      let s0 = 0
      let s1 = 0
      let s2 = 0
      let s3 = 0
      for (let e = 0; e < size; e++) {
        const x = pivot[c * size + e] ?? 0
        const at = tile + e * TILE
        s0 += x * (before[at] ?? 0)
        s1 += x * (before[at + 1] ?? 0)
        s2 += x * (before[at + 2] ?? 0)
        s3 += x * (before[at + 3] ?? 0)
      }
      const to = tile + c * TILE
      after[to] = s0
      after[to + 1] = s1
      after[to + 2] = s2
      after[to + 3] = s3
    }
  }
}

const updateRest = (
  a: Storage,
  n: number,
  start: number,
  size: number,
  before: Float64Array,
  after: Float64Array
): void => {
  const first = start / TILE
  const past = (start + size) / TILE
  for (let i = 0; i < n / TILE; i++) {
    if (i >= first && i < past) continue
    for (let j = 0; j <= i; j++) {
      if (j < first || j >= past) updateTile(a, n, i, j, size, before, after)
    }
  }
}

/**
 * A[i,j] -= before[i]ᵀ after[j] for one 4 x 4 tile: 16 sums in registers, 8 loads for 16 multiplications. The naive
 * triple loop is several times slower (see bench/engine.ts); this is the whole cost of training a wide catalogue.
 */
const updateTile = (
  a: Storage,
  n: number,
  i: number,
  j: number,
  size: number,
  before: Float64Array,
  after: Float64Array
): void => {
  let s00 = 0,
    s01 = 0,
    s02 = 0,
    s03 = 0
  let s10 = 0,
    s11 = 0,
    s12 = 0,
    s13 = 0
  let s20 = 0,
    s21 = 0,
    s22 = 0,
    s23 = 0
  let s30 = 0,
    s31 = 0,
    s32 = 0,
    s33 = 0
  let p = i * size * TILE
  let q = j * size * TILE
  for (const end = p + size * TILE; p < end; p += TILE, q += TILE) {
    const x0 = before[p] ?? 0
    const x1 = before[p + 1] ?? 0
    const x2 = before[p + 2] ?? 0
    const x3 = before[p + 3] ?? 0
    const y0 = after[q] ?? 0
    const y1 = after[q + 1] ?? 0
    const y2 = after[q + 2] ?? 0
    const y3 = after[q + 3] ?? 0
    s00 += x0 * y0
    s01 += x0 * y1
    s02 += x0 * y2
    s03 += x0 * y3
    s10 += x1 * y0
    s11 += x1 * y1
    s12 += x1 * y2
    s13 += x1 * y3
    s20 += x2 * y0
    s21 += x2 * y1
    s22 += x2 * y2
    s23 += x2 * y3
    s30 += x3 * y0
    s31 += x3 * y1
    s32 += x3 * y2
    s33 += x3 * y3
  }
  const to = i * TILE * n + j * TILE
  subtractRow(a, to, s00, s01, s02, s03)
  subtractRow(a, to + n, s10, s11, s12, s13)
  subtractRow(a, to + 2 * n, s20, s21, s22, s23)
  subtractRow(a, to + 3 * n, s30, s31, s32, s33)
}

const subtractRow = (a: Storage, at: number, s0: number, s1: number, s2: number, s3: number): void => {
  a[at] = (a[at] ?? 0) - s0
  a[at + 1] = (a[at + 1] ?? 0) - s1
  a[at + 2] = (a[at + 2] ?? 0) - s2
  a[at + 3] = (a[at + 3] ?? 0) - s3
}

const scatterPanel = (
  a: Storage,
  n: number,
  start: number,
  size: number,
  panel: Float64Array,
  pivot: Float64Array
): void => {
  for (let j = 0; j < n; j++) {
    const inside = j >= start && j < start + size
    const base = (j >> 2) * size * TILE + (j & 3)
    for (let c = 0; c < size; c++) {
      const row = start + c
      const value = inside ? -(pivot[c * size + j - start] ?? 0) : (panel[base + c * TILE] ?? 0)
      a[j <= row ? row * n + j : j * n + row] = value
    }
  }
}

const negateAndMirror = (a: Storage, n: number): void => {
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) a[i * n + j] = a[j * n + i] = -(a[i * n + j] ?? 0)
  }
}
