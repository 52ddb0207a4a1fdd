/**
 * A token bucket as a value: one second of a rate may be spent at once, and it refills evenly.
 *
 * @since 0.1.0
 */

/**
 * A bucket at a moment. `at` is in milliseconds of any one clock.
 *
 * @category models
 * @since 0.1.0
 */
export interface TokenBucket {
  readonly rate: number
  readonly tokens: number
  readonly at: number
}

/**
 * A full bucket that refills `rate` tokens a second and holds as many.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (rate: number, at: number): TokenBucket => ({ rate, tokens: rate, at })

/**
 * The bucket at a later moment. A clock that runs backwards refills nothing.
 *
 * @category transitions
 * @since 0.1.0
 */
export const refill = (self: TokenBucket, now: number): TokenBucket => {
  // An infinite rate is "no limit"; 0 ms × Infinity would be NaN.
  if (self.rate === Infinity || now <= self.at) return self
  return { ...self, tokens: Math.min(self.rate, self.tokens + ((now - self.at) * self.rate) / 1000), at: now }
}

/**
 * The bucket after `cost` tokens were paid, or `undefined` when it holds fewer. Refill it first.
 *
 * @category transitions
 * @since 0.1.0
 */
export const take = (self: TokenBucket, cost: number): TokenBucket | undefined =>
  self.tokens < cost ? undefined : { ...self, tokens: self.tokens - cost }

/**
 * The bucket after `cost` tokens were charged whatever it held: it may go into debt, which blocks until refilled.
 *
 * @category transitions
 * @since 0.1.0
 */
export const charge = (self: TokenBucket, cost: number): TokenBucket => ({ ...self, tokens: self.tokens - cost })

/**
 * Milliseconds until the bucket holds `cost` tokens, or is full where it never holds as many. Refill it first.
 *
 * @category getters
 * @since 0.1.0
 */
export const wait = (self: TokenBucket, cost: number): number => {
  const missing = Math.min(cost, self.rate) - self.tokens
  return missing > 0 ? (missing * 1000) / self.rate : 0
}
