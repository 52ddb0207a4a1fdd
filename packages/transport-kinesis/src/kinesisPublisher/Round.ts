/**
 * Which of the waiting entries the next PutRecords takes, and what its answer makes of them: pure.
 *
 * PutRecords goes on behind an entry that failed, so two entries of one key in one request may change places. Order
 * holds because a request takes only the first waiting entry of each key.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
 * @since 0.1.0
 */

/**
 * An entry that was not accepted yet.
 *
 * @category models
 * @since 0.1.0
 */
export interface Waiting {
  /** Its place in what was published. */
  readonly index: number
  readonly partitionKey: string
  readonly data: Uint8Array
  /** Tries so far. */
  readonly tries: number
  /** Epoch milliseconds before which it isn't tried again. */
  readonly notBefore: number
}

/**
 * Limits of one request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly maxRecords: number
  readonly maxBytes: number
}

/**
 * 500 records and 10 MiB with their keys.
 *
 * @category constants
 * @since 0.1.0
 */
export const limits: Limits = { maxRecords: 500, maxBytes: 10 * 1024 * 1024 }

/**
 * What AWS counts of an entry: data and partition key in bytes.
 *
 * @category getters
 * @since 0.1.0
 */
export const size = (entry: { readonly data: Uint8Array; readonly partitionKey: string }): number =>
  entry.data.length + Buffer.byteLength(entry.partitionKey)

/**
 * The entries of the next request, in order; none when all wait for their time.
 *
 * @category getters
 * @since 0.1.0
 */
export const pick = (waiting: ReadonlyArray<Waiting>, now: number, bounds: Limits): ReadonlyArray<Waiting> => {
  const keys = new Set<string>()
  const picked: Array<Waiting> = []
  let bytes = 0
  for (const entry of waiting) {
    if (picked.length === bounds.maxRecords) break
    const first = !keys.has(entry.partitionKey)
    // Whether it is taken or not: what follows on its key waits behind it.
    keys.add(entry.partitionKey)
    if (!first || entry.notBefore > now || bytes + size(entry) > bounds.maxBytes) continue
    bytes += size(entry)
    picked.push(entry)
  }
  return picked
}

/**
 * When the next entry may be tried.
 *
 * @category getters
 * @since 0.1.0
 */
export const earliest = (waiting: ReadonlyArray<Waiting>): number => {
  const keys = new Set<string>()
  let at = Infinity
  for (const entry of waiting) {
    if (!keys.has(entry.partitionKey)) at = Math.min(at, entry.notBefore)
    keys.add(entry.partitionKey)
  }
  return at
}
