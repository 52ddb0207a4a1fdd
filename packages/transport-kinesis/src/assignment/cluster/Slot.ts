/**
 * Which slot a name has: the same in every process.
 *
 * @since 0.1.0
 */

/**
 * How many slots there are. Names may share one; they are then always on one machine. So many are enough for every shard of
 * a stream to have its own, and few enough to be looked through.
 *
 * @category constants
 * @since 0.1.0
 */
export const count = 300

/**
 * The slot of a name, 1 to {@link count}. Names that end in consecutive numbers, as the ids of shards do, have consecutive
 * slots, so they don't meet before there are more of them than slots; what stands before the number says where they begin.
 *
 * @category getters
 * @since 0.1.0
 */
export const of = (name: string): number => {
  const digits = /\d{1,15}$/.exec(name)?.[0] ?? ""
  const stem = name.slice(0, name.length - digits.length)
  return ((hash(stem) + Number(digits)) % count) + 1
}

/** FNV-1a of the text's code units. @see http://www.isthe.com/chongo/tech/comp/fnv/ */
const hash = (text: string): number => {
  let sum = 0x811c9dc5
  for (let index = 0; index < text.length; index++) sum = Math.imul(sum ^ text.charCodeAt(index), 0x01000193)
  return sum >>> 0
}

/**
 * A name that the cluster hashes to this slot: its own hash would throw several shards of a stream together. `hashed` is
 * the cluster's.
 *
 * @category constructors
 * @since 0.1.0
 */
export const nameIn = (name: string, slot: number, hashed: (name: string) => number): string => {
  for (let salt = 0; ; salt++) {
    const salted = `${name}#${salt}`
    if (hashed(salted) === slot) return salted
  }
}
