/**
 * The shards of effect's cluster, which are numbers, and the names that they stand for on this machine alone.
 *
 * What machines agree on is names. That every name has a number of its own is what keeps two machines that offer different
 * names from waiting for each other, which names that share a number would make them do.
 *
 * @since 0.1.0
 */

/**
 * How many slots there are for so many names: of all so many stay free that one is found soon. Effect looks through all of
 * them once a second, which costs 2.5 µs each.
 *
 * @category getters
 * @since 0.1.0
 */
export const count = (most: number): number => Math.ceil(most * 1.5)

/**
 * A name's slot, and a name that the cluster hashes to it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Slot {
  readonly id: number
  readonly salted: string
}

/**
 * The slots of a machine.
 *
 * @category models
 * @since 0.1.0
 */
export interface Slots {
  /** The slot of a name, given to it if it has none; `hashed` is the cluster's. `undefined` where there is none left. */
  readonly give: (name: string, hashed: (name: string) => number) => Slot | undefined
  readonly nameIn: (id: number) => string | undefined
}

/**
 * Begins with slots that are nobody's, for so many names and half as many that are being given up. One whose name is not
 * in use any more is given away.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (most: number, isInUse: (name: string) => boolean): Slots => {
  const slots = new Map<string, Slot>()
  const names = new Map<number, string>()
  const sweep = (): void => {
    for (const [name, { id }] of slots) {
      if (isInUse(name)) continue
      slots.delete(name)
      names.delete(id)
    }
  }
  return {
    give: (name, hashed) => {
      const before = slots.get(name)
      if (before !== undefined) return before
      if (slots.size >= most) sweep()
      if (slots.size >= count(most)) return undefined
      const slot = free(name, names, hashed)
      slots.set(name, slot)
      names.set(slot.id, name)
      return slot
    },
    nameIn: (id) => names.get(id)
  }
}

const free = (name: string, taken: ReadonlyMap<number, string>, hashed: (name: string) => number): Slot => {
  for (let salt = 0; ; salt++) {
    const salted = `${name}#${salt}`
    const id = hashed(salted)
    if (!taken.has(id)) return { id, salted }
  }
}
