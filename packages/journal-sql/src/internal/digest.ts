/**
 * Deliveries are looked up by a number: an index on the names themselves has four times the pages, and nearly every
 * entry writes one of them. Two names may share a digest, so whoever finds one compares the names, too.
 */

/** 48 bits: SQLite stores them in six bytes, and a float holds them exactly. */
export const of = (type: string, id: string): number => {
  let high = 0xdeadbeef
  let low = 0x41c6ce57
  for (const text of [type, id]) {
    for (let index = 0; index < text.length; index++) {
      const unit = text.charCodeAt(index)
      high = Math.imul(high ^ unit, 2654435761)
      low = Math.imul(low ^ unit, 1597334677)
    }
    // Where the one ends and the other begins is a part of the name.
    high = Math.imul(high ^ 0x10000, 2654435761)
    low = Math.imul(low ^ 0x10000, 1597334677)
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909)
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909)
  return (low & 0xffff) * 2 ** 32 + (high >>> 0)
}
