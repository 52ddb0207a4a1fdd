/**
 * Ranks the items of a model for one history: about a tenth of a millisecond for 2,000 items.
 *
 * **Gotchas**
 *
 * A scorer owns its scratch memory and is not re-entrant; every call is synchronous, so on one thread that can't happen.
 *
 * @since 0.1.0
 */
import * as Model from "./Model.ts"

/**
 * Ranks items. Histories and seen sets are item indices: places in `model.itemIds`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Scorer {
  /**
   * The ids of the best `count` items that are not in `seen`, best first; equal scores by ascending id. Fewer, when
   * fewer are left.
   */
  readonly top: (history: ArrayLike<number>, seen: ArrayLike<number>, count: number) => Array<number>
  /** The score of one item, term by term. The terms and the popularity add up to the score. */
  readonly explain: (history: ArrayLike<number>, item: number) => Explanation
}

/**
 * Why an item has its score.
 *
 * @category models
 * @since 0.1.0
 */
export interface Explanation {
  readonly score: number
  /** What the item's popularity adds. */
  readonly popularity: number
  /** What each liked item adds, the largest first. */
  readonly because: ReadonlyArray<{ readonly itemId: number; readonly weight: number }>
}

/**
 * Makes a scorer for a model.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (model: Model.Model): Scorer => {
  const rowOf = Model.rowsByItem(model)
  const untrained = Int32Array.from(model.itemIds.keys()).filter((item) => rowOf[item] === -1)
  const sums = new Float64Array(model.trained.length)
  const stamps = new Uint32Array(model.itemIds.length)
  let stamp = 0
  const best = makeBest(model.itemIds)

  const top = (history: ArrayLike<number>, seen: ArrayLike<number>, count: number): Array<number> => {
    if (!(count >= 1)) return []
    stamp = nextStamp(stamps, stamp)
    for (let k = 0; k < seen.length; k++) stamps[seen[k] ?? 0] = stamp
    const rows = knownRows(rowOf, history)
    addRows(model.weights, sums, rows)
    const weight = Model.popularityWeight(model, rows.length)
    best.reset(Math.min(Math.floor(count), model.itemIds.length))
    for (let r = 0; r < sums.length; r++) {
      const item = model.trained[r] ?? 0
      if (stamps[item] === stamp) continue
      best.offer(item, (sums[r] ?? 0) + weight * (model.popularity[item] ?? 0))
    }
    for (let k = 0; k < untrained.length; k++) {
      const item = untrained[k] ?? 0
      if (stamps[item] !== stamp) best.offer(item, weight * (model.popularity[item] ?? 0))
    }
    return best.ids()
  }

  const explain = (history: ArrayLike<number>, item: number): Explanation => {
    const column = rowOf[item] ?? 0
    const size = model.trained.length
    const because = knownRows(rowOf, history).map((r) => ({
      itemId: model.itemIds[model.trained[r] ?? 0] ?? 0,
      weight: column < 0 ? 0 : (model.weights[r * size + column] ?? 0)
    }))
    const popularity = Model.popularityWeight(model, because.length) * (model.popularity[item] ?? 0)
    const score = because.reduce((sum, term) => sum + term.weight, 0) + popularity
    return { score, popularity, because: because.toSorted((a, b) => b.weight - a.weight || a.itemId - b.itemId) }
  }

  return { top, explain }
}

/** A fresh stamp marks a set without clearing the last one; only when 32 bits have run out is there something to clear. */
const nextStamp = (stamps: Uint32Array, stamp: number): number => {
  if (stamp < 0xffffffff) return stamp + 1
  stamps.fill(0)
  return 1
}

const knownRows = (rowOf: Int32Array, history: ArrayLike<number>): Array<number> => {
  const rows: Array<number> = []
  for (let k = 0; k < history.length; k++) {
    const r = rowOf[history[k] ?? 0] ?? 0
    if (r >= 0) rows.push(r)
  }
  return rows
}

/** Four rows at a time: the sums are then loaded and stored a quarter as often (bench/engine.ts). */
const addRows = (weights: Float32Array, sums: Float64Array, rows: ReadonlyArray<number>): void => {
  const n = sums.length
  sums.fill(0)
  let k = 0
  for (; k + 4 <= rows.length; k += 4) {
    let a = (rows[k] ?? 0) * n
    let b = (rows[k + 1] ?? 0) * n
    let c = (rows[k + 2] ?? 0) * n
    let d = (rows[k + 3] ?? 0) * n
    for (let j = 0; j < n; j++) {
      sums[j] = (sums[j] ?? 0) + (weights[a++] ?? 0) + (weights[b++] ?? 0) + (weights[c++] ?? 0) + (weights[d++] ?? 0)
    }
  }
  for (; k < rows.length; k++) {
    let a = (rows[k] ?? 0) * n
    for (let j = 0; j < n; j++) sums[j] = (sums[j] ?? 0) + (weights[a++] ?? 0)
  }
}

/** The best few of many, by insertion behind a threshold: nearly every offer ends at the first comparison. */
const makeBest = (itemIds: Int32Array) => {
  let scores = new Float64Array(128)
  let items = new Int32Array(128)
  let room = 0
  let size = 0
  let threshold = -Infinity
  return {
    reset(count: number): void {
      if (count > scores.length) {
        scores = new Float64Array(count)
        items = new Int32Array(count)
      }
      room = count
      size = 0
      threshold = -Infinity
    },
    // Items are numbered by id, so the lower number is the lower id.
    offer(item: number, score: number): void {
      if (size === room && (score < threshold || (score === threshold && item > (items[room - 1] ?? 0)))) return
      let at = size === room ? room - 1 : size++
      for (; at > 0; at--) {
        const above = scores[at - 1] ?? 0
        if (above > score || (above === score && (items[at - 1] ?? 0) < item)) break
        scores[at] = above
        items[at] = items[at - 1] ?? 0
      }
      scores[at] = score
      items[at] = item
      if (size === room) threshold = scores[room - 1] ?? 0
    },
    ids: (): Array<number> => Array.from(items.subarray(0, size), (item) => itemIds[item] ?? 0)
  }
}
