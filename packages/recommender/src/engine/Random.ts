/**
 * Seeded random numbers: the same seed gives the same stream on every machine.
 *
 * @since 0.1.0
 */

/**
 * A stream of numbers in `[0, 1)`.
 *
 * @category models
 * @since 0.1.0
 */
export type Random = () => number

/**
 * Makes Tommy Ettinger's mulberry32 generator: 32 bits of state, good enough to shuffle and to draw, not for secrets.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (seed: number): Random => {
  let state = seed | 0
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
}

/**
 * Draws a whole number in `[0, below)`.
 *
 * @category combinators
 * @since 0.1.0
 */
export const int = (random: Random, below: number): number => Math.floor(random() * below)

/**
 * Draws from the standard normal distribution (Box and Muller 1958).
 *
 * @category combinators
 * @since 0.1.0
 */
export const normal = (random: Random): number =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())

/**
 * Draws from the Gamma distribution with scale 1 (Marsaglia and Tsang 2000, with their boost for shapes below 1).
 *
 * @category combinators
 * @since 0.1.0
 */
export const gamma = (random: Random, shape: number): number => {
  if (shape < 1) return gamma(random, shape + 1) * Math.pow(1 - random(), 1 / shape)
  const d = shape - 1 / 3
  const c = 1 / Math.sqrt(9 * d)
  for (;;) {
    const x = normal(random)
    const v = Math.pow(1 + c * x, 3)
    if (v > 0 && Math.log(1 - random()) < 0.5 * x * x + d - d * v + d * Math.log(v)) return d * v
  }
}

/**
 * Draws a point of the simplex from the symmetric Dirichlet distribution.
 *
 * @category combinators
 * @since 0.1.0
 */
export const dirichlet = (random: Random, size: number, alpha: number): ReadonlyArray<number> => {
  const draws = Array.from({ length: size }, () => gamma(random, alpha))
  const total = draws.reduce((sum, x) => sum + x, 0)
  return draws.map((x) => x / total)
}

/**
 * Shuffles in place (Fisher and Yates, from the last place down) and returns the same array.
 *
 * @category combinators
 * @since 0.1.0
 */
export const shuffle = (random: Random, items: Array<number>): Array<number> => {
  for (let i = items.length - 1; i > 0; i--) {
    const j = int(random, i + 1)
    const held = items[i] ?? 0
    items[i] = items[j] ?? 0
    items[j] = held
  }
  return items
}
