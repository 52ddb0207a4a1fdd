/**
 * How fast one shard may be written to, as a value: two token buckets, and the share of their rates that other writers
 * leave us, which halves when the shard throttles and grows back slowly (additive increase, multiplicative decrease).
 *
 * @see https://docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
 * @see https://doi.org/10.1016/0169-7552(89)90019-6
 * @since 0.1.0
 */
import * as TokenBucket from "../TokenBucket.ts"

/**
 * What a shard takes a second; `Infinity` for no limit.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly recordsPerSecond: number
  readonly bytesPerSecond: number
}

/**
 * A shard of a provisioned or on-demand stream: 1000 records and 1 MiB a second.
 *
 * @category constants
 * @since 0.1.0
 */
export const ofShard: Limits = { recordsPerSecond: 1000, bytesPerSecond: 1024 * 1024 }

/**
 * No limit: where we don't know the shard, waiting for it would be guessing.
 *
 * @category constants
 * @since 0.1.0
 */
export const unlimited: Limits = { recordsPerSecond: Infinity, bytesPerSecond: Infinity }

/**
 * The pace of a shard at a moment, in milliseconds of any one clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pace {
  readonly limits: Limits
  /** Of the limits, above 0 and at most 1. */
  readonly share: number
  /** When the share was halved last. */
  readonly halvedAt: number
  /** Before it nothing is sent. */
  readonly restsUntil: number
  readonly records: TokenBucket.TokenBucket
  readonly bytes: TokenBucket.TokenBucket
}

/** What the share grows by in a second: from a half back to all of it takes ten. */
const growth = 0.05
const least = 1 / 64
/** A shard that ran dry rests so long, or each token that drips in would go out as a request of its own. */
const rest = 50
/** All that was on its way when the shard throttled first is refused too, and says nothing new. */
const settling = 500

/**
 * A pace with full buckets.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (limits: Limits, now: number): Pace => ({
  limits,
  share: 1,
  halvedAt: -Infinity,
  restsUntil: -Infinity,
  records: TokenBucket.make(limits.recordsPerSecond, now),
  bytes: TokenBucket.make(limits.bytesPerSecond, now)
})

/**
 * The pace at a later moment.
 *
 * @category transitions
 * @since 0.1.0
 */
export const refill = (self: Pace, now: number): Pace => {
  // A bucket without a limit stays where it was made.
  const since = Math.max(self.records.at, self.bytes.at)
  const share = self.share === 1 ? 1 : Math.min(1, self.share + (growth * Math.max(0, now - since)) / 1000)
  return {
    limits: self.limits,
    share,
    halvedAt: self.halvedAt,
    restsUntil: self.restsUntil,
    records: TokenBucket.refill({ ...self.records, rate: self.limits.recordsPerSecond * share }, now),
    bytes: TokenBucket.refill({ ...self.bytes, rate: self.limits.bytesPerSecond * share }, now)
  }
}

/**
 * Whether a record of so many bytes may be sent now. One that is larger than a second's worth goes when the bucket is
 * full. Refill it first.
 *
 * @category predicates
 * @since 0.1.0
 */
export const may = (self: Pace, bytes: number, now: number): boolean =>
  now >= self.restsUntil && missing(self, bytes) === 0

const missing = (self: Pace, bytes: number): number =>
  Math.max(TokenBucket.wait(self.records, 1), TokenBucket.wait(self.bytes, bytes))

/**
 * The pace of a shard that can't take the next record, of so many bytes, now: it rests until it can take some.
 *
 * @category transitions
 * @since 0.1.0
 */
export const resting = (self: Pace, bytes: number, now: number): Pace =>
  now < self.restsUntil ? self : { ...self, restsUntil: now + Math.max(rest, Math.ceil(missing(self, bytes))) }

/**
 * The pace after a record of so many bytes was sent.
 *
 * @category transitions
 * @since 0.1.0
 */
export const spend = (self: Pace, bytes: number): Pace => ({
  limits: self.limits,
  share: self.share,
  halvedAt: self.halvedAt,
  restsUntil: self.restsUntil,
  records: TokenBucket.charge(self.records, 1),
  bytes: TokenBucket.charge(self.bytes, bytes)
})

/**
 * The pace after the shard refused a record for its throughput: what we believed it had left it hasn't, and half of our
 * share goes to whom we share it with. The same object when it was halved just now, or has no limit.
 *
 * @category transitions
 * @since 0.1.0
 */
export const throttled = (self: Pace, now: number): Pace => {
  const { bytesPerSecond, recordsPerSecond } = self.limits
  if (now - self.halvedAt < settling || (recordsPerSecond === Infinity && bytesPerSecond === Infinity)) return self
  const before = refill(self, now)
  const share = Math.max(least, before.share / 2)
  return {
    limits: before.limits,
    share,
    halvedAt: now,
    restsUntil: before.restsUntil,
    records: emptied(before.records, recordsPerSecond * share),
    bytes: emptied(before.bytes, bytesPerSecond * share)
  }
}

/** Without a limit there is nothing to empty. */
const emptied = (bucket: TokenBucket.TokenBucket, rate: number): TokenBucket.TokenBucket =>
  rate === Infinity ? bucket : { at: bucket.at, rate, tokens: Math.min(0, bucket.tokens) }
