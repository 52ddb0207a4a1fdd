/**
 * Who rated what: the compact set that training, serving and evaluation read.
 *
 * **Details**
 *
 * Users and items are numbered by ascending id, and each user's items lie in one slice of one typed array (compressed
 * sparse rows): a million ratings take about 12 MB. A positive is a rating of at least `threshold`; the seen set is
 * every rated item, liked or not, because nobody wants to be offered a film again that they disliked.
 *
 * @since 0.1.0
 */

/**
 * Slices of one array: row `r` is `values[offsets[r]]` up to `values[offsets[r + 1]]`.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rows {
  readonly offsets: Int32Array
  readonly values: Int32Array
}

/**
 * The compact ratings. Rows hold item indices (places in `itemIds`), of one user each.
 *
 * @category models
 * @since 0.1.0
 */
export interface Ratings {
  /** Ascending. */
  readonly userIds: Int32Array
  /** Ascending; also the items nobody rated, when the catalogue named them. */
  readonly itemIds: Int32Array
  /** Items rated at least the threshold, oldest first. */
  readonly positives: Rows
  /** All rated items, oldest first. */
  readonly seen: Rows
}

/**
 * One rating. `time` is any number that grows with time (MovieLens: seconds); equal times are ordered by item id.
 *
 * @category models
 * @since 0.1.0
 */
export interface Rating {
  readonly userId: number
  readonly itemId: number
  readonly rating: number
  readonly time?: number | undefined
}

/**
 * What counts, and which items there are.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The least rating that says "liked". Default 4, as in Liang et al. 2018 and most work on MovieLens since. */
  readonly threshold?: number | undefined
  /** Ids of items that exist whether rated or not. Default: the rated ones. */
  readonly items?: Iterable<number> | undefined
}

/**
 * Collects ratings one by one in columns (24 bytes each), so that a file can be read as a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Builder {
  readonly size: number
  readonly add: (userId: number, itemId: number, rating: number, time: number) => void
  /** Of two ratings of one item by one user the later counts, and of two at the same time the one added last. */
  readonly build: (options?: Options) => Ratings
}

interface Columns {
  readonly users: Int32Array
  readonly items: Int32Array
  readonly ratings: Float64Array
  readonly times: Float64Array
}

const columns = (size: number): Columns => ({
  users: new Int32Array(size),
  items: new Int32Array(size),
  ratings: new Float64Array(size),
  times: new Float64Array(size)
})

const grow = (old: Columns): Columns => {
  const next = columns(old.users.length * 2)
  next.users.set(old.users)
  next.items.set(old.items)
  next.ratings.set(old.ratings)
  next.times.set(old.times)
  return next
}

/**
 * Makes an empty builder. Ids are 32-bit integers; who reads them from outside checks that.
 *
 * @category constructors
 * @since 0.1.0
 */
export const builder = (): Builder => {
  let data = columns(1024)
  let size = 0
  return {
    get size() {
      return size
    },
    add(userId, itemId, rating, time) {
      if (size === data.users.length) data = grow(data)
      data.users[size] = userId
      data.items[size] = itemId
      data.ratings[size] = rating
      data.times[size] = time
      size++
    },
    build: (options) => compact(data, size, options)
  }
}

/**
 * Makes the compact set of a list of ratings.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (ratings: Iterable<Rating>, options?: Options): Ratings => {
  const rows = builder()
  for (const r of ratings) rows.add(r.userId, r.itemId, r.rating, r.time ?? 0)
  return rows.build(options)
}

const compact = (data: Columns, size: number, options: Options = {}): Ratings => {
  const userIds = distinct(data.users.subarray(0, size))
  const itemIds = distinct(Int32Array.from([...(options.items ?? []), ...distinct(data.items.subarray(0, size))]))
  const order = latestOfEach(data, chronological(data, size))
  const threshold = options.threshold ?? 4
  return {
    userIds,
    itemIds,
    positives: rowsOf(
      data,
      order.filter((k) => (data.ratings[k] ?? 0) >= threshold),
      userIds,
      itemIds
    ),
    seen: rowsOf(data, order, userIds, itemIds)
  }
}

const distinct = (ids: Int32Array): Int32Array => Int32Array.from(new Set(ids)).toSorted()

/** Row numbers by user, time, item, place of adding. Sorting numbers in a typed array keeps a million rows in bounds. */
const chronological = (data: Columns, size: number): Uint32Array => {
  const order = new Uint32Array(size)
  for (let k = 0; k < size; k++) order[k] = k
  const { items, times, users } = data
  return order.toSorted(
    (a, b) =>
      (users[a] ?? 0) - (users[b] ?? 0) ||
      (times[a] ?? 0) - (times[b] ?? 0) ||
      (items[a] ?? 0) - (items[b] ?? 0) ||
      a - b
  )
}

const latestOfEach = (data: Columns, order: Uint32Array): Uint32Array => {
  const keep = new Uint8Array(order.length)
  const met = new Set<number>()
  for (let at = order.length - 1; at >= 0; at--) {
    const k = order[at] ?? 0
    if (at + 1 < order.length && data.users[order[at + 1] ?? 0] !== data.users[k]) met.clear()
    const item = data.items[k] ?? 0
    if (!met.has(item)) keep[at] = 1
    met.add(item)
  }
  return order.filter((_, at) => keep[at] === 1)
}

const rowsOf = (data: Columns, order: Uint32Array, userIds: Int32Array, itemIds: Int32Array): Rows => {
  const places = placesOf(itemIds)
  const offsets = new Int32Array(userIds.length + 1)
  const values = new Int32Array(order.length)
  let at = 0
  for (let u = 0; u < userIds.length; u++) {
    for (; at < order.length && data.users[order[at] ?? 0] === userIds[u]; at++) {
      values[at] = places.get(data.items[order[at] ?? 0] ?? 0) ?? 0
    }
    offsets[u + 1] = at
  }
  return { offsets, values }
}

/**
 * The place of each id in its list.
 *
 * @category combinators
 * @since 0.1.0
 */
export const placesOf = (ids: Int32Array): ReadonlyMap<number, number> => {
  const places = new Map<number, number>()
  for (let i = 0; i < ids.length; i++) places.set(ids[i] ?? 0, i)
  return places
}

/**
 * One row, as a view (not a copy).
 *
 * @category combinators
 * @since 0.1.0
 */
export const row = (rows: Rows, r: number): Int32Array => rows.values.subarray(rows.offsets[r], rows.offsets[r + 1])

/**
 * Rows and columns exchanged: from the items of each user to the users of each item, ascending.
 *
 * @category combinators
 * @since 0.1.0
 */
export const transpose = (rows: Rows, width: number): Rows => {
  const offsets = new Int32Array(width + 1)
  for (const value of rows.values) offsets[value + 1] = (offsets[value + 1] ?? 0) + 1
  for (let i = 0; i < width; i++) offsets[i + 1] = (offsets[i + 1] ?? 0) + (offsets[i] ?? 0)
  const next = offsets.slice(0, width)
  const values = new Int32Array(rows.values.length)
  for (let r = 0; r + 1 < rows.offsets.length; r++) {
    for (const value of row(rows, r)) {
      const at = next[value] ?? 0
      values[at] = r
      next[value] = at + 1
    }
  }
  return { offsets, values }
}

/**
 * The ratings of some of the users, with only the items that those users rated positively: what a model may know that is
 * trained on them alone.
 *
 * @category combinators
 * @since 0.1.0
 */
export const restrict = (ratings: Ratings, users: Iterable<number>): Ratings => {
  const rows = builder()
  for (const u of users) {
    const userId = ratings.userIds[u] ?? 0
    row(ratings.positives, u).forEach((item, at) => rows.add(userId, ratings.itemIds[item] ?? 0, 1, at))
  }
  return rows.build({ threshold: 1 })
}
