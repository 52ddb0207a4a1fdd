import type { Held } from "./held.ts"

/** When a value that is still fresh is loaded anew. */
export interface Refreshing {
  /** The share of its fresh time, 0 to 1, after which it is; 1: never. */
  readonly ahead: number
  /** The β of {@link isDue}; 0: never. */
  readonly xfetch: number
}

/** Whether it may be served without asking anybody. */
export const isFresh = <A, E>(held: Held<A, E>, now: number): boolean => now < held.freshUntil

/** Whether it may be served where the origin has no answer. */
export const isServable = <A, E>(held: Held<A, E>, now: number, staleFor: number): boolean =>
  !held.negative && staleFor > 0 && now < held.freshUntil + staleFor

/**
 * Whether a fresh entry should be loaded anew: past its share of the fresh time, or by chance, the sooner the longer its
 * load takes (`u` uniform in (0, 1]).
 *
 * The second is XFetch: with it one of many processes reloads an entry they all read, shortly before it ends. A refresh
 * begins `t` before the end with the probability e^(−t / (took · β)) at each read.
 *
 * @see Vattani, Chierichetti, Lowenstein: Optimal Probabilistic Cache Stampede Prevention, VLDB 2015
 */
export const isDue = <A, E>(held: Held<A, E>, now: number, { ahead, xfetch }: Refreshing, u: number): boolean => {
  const { freshUntil, loadedAt, took } = held
  if (loadedAt === undefined) return false
  if (ahead < 1 && now >= loadedAt + ahead * (freshUntil - loadedAt)) return true
  return xfetch > 0 && now - took * xfetch * Math.log(u) >= freshUntil
}

/** How long a value is fresh: `ttl` shortened by up to `jitter` of it, for `u` uniform in [0, 1). */
export const freshFor = (ttl: number, jitter: number, u: number): number => ttl * (1 - jitter * u)
