/**
 * The trained recommender: EASE^R, a linear model from liked items to items (Steck 2019, arXiv 1905.03375), and the
 * share of users who like each item.
 *
 * **Details**
 *
 * The score of item j for a history h is `sum over i in h of B[i][j] + beta * pop(j) / max(1, |h|)`. With an empty
 * history that is the popularity list; with each liked film the crowd counts for less. Plain EASE with one to three
 * likes ranks worse than popularity, so the blend is what makes new users' lists good, and it costs nothing later.
 *
 * There are no user parameters: a new like changes the next answer without any training.
 *
 * @since 0.1.0
 */

/**
 * A trained model. Items are numbered by ascending id; the trained ones among them have a row and a column in `weights`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Model {
  /** Names the content: the same ratings and options give the same version. */
  readonly version: string
  readonly lambda: number
  readonly beta: number
  /** How many users it was trained on. */
  readonly users: number
  /** Ascending. */
  readonly itemIds: Int32Array
  /** Of each item, the share of users who like it. */
  readonly popularity: Float32Array
  /** The places in `itemIds` of the items that have weights, ascending. */
  readonly trained: Int32Array
  /** B, row by row: `weights[i * trained.length + j]` is what liking i adds to the score of j. Its diagonal is zero. */
  readonly weights: Float32Array
}

/**
 * For each item its row in `weights`, or -1 for an item outside the trained ones.
 *
 * @category combinators
 * @since 0.1.0
 */
export const rowsByItem = (model: Model): Int32Array => {
  const rows = new Int32Array(model.itemIds.length).fill(-1)
  model.trained.forEach((item, r) => (rows[item] = r))
  return rows
}

/**
 * How much one unit of popularity adds to a score, for a history of `size` trained items.
 *
 * @category combinators
 * @since 0.1.0
 */
// A model without the blend still needs an answer for someone it knows nothing about.
export const popularityWeight = (model: Model, size: number): number =>
  size === 0 ? model.beta || 1 : model.beta / size
