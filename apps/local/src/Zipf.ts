/**
 * Who asks: few users ask often, many ask once. Ranks are drawn with P(rank) ∝ 1 / rank^s.
 */

/** Draws ranks from 0 (the most frequent) to `count − 1`; `random` gives numbers in [0, 1). */
export const make = (count: number, exponent: number, random: () => number): (() => number) => {
  const cumulative = new Float64Array(count)
  let total = 0
  for (let rank = 0; rank < count; rank++) {
    total += 1 / (rank + 1) ** exponent
    cumulative[rank] = total
  }
  return () => rankOf(cumulative, random() * total)
}

/** The first rank whose cumulative weight exceeds `weight`. */
const rankOf = (cumulative: Float64Array, weight: number): number => {
  let low = 0
  let high = cumulative.length - 1
  while (low < high) {
    const middle = (low + high) >> 1
    if ((cumulative[middle] ?? Infinity) > weight) high = middle
    else low = middle + 1
  }
  return low
}
