/**
 * How much of the work is a machine's: policy, without clocks or calls.
 *
 * **Details**
 *
 * Names that the same machines offer are one part of the work, and it is shared by these machines alone. So whatever the
 * sets of names are, the shares of a part add up to the part: nothing is left that nobody may take.
 *
 * @since 0.1.0
 */

/**
 * Names that are offered by the same machines.
 *
 * @category models
 * @since 0.1.0
 */
export interface Part {
  readonly names: ReadonlyArray<string>
  readonly machines: ReadonlyArray<string>
}

/**
 * What a machine offers, in parts. `others` may hold what the machine itself once said: it counts by what it offers now.
 *
 * @category getters
 * @since 0.1.0
 */
export const parts = (
  machine: string,
  own: Iterable<string>,
  others: ReadonlyMap<string, ReadonlySet<string>>
): ReadonlyArray<Part> => {
  const found = new Map<string, { readonly names: Array<string>; readonly machines: ReadonlyArray<string> }>()
  const sorted = [...others].filter(([other]) => other !== machine).toSorted(([a], [b]) => (a < b ? -1 : 1))
  for (const name of own) {
    const offering = sorted.filter(([, names]) => names.has(name)).map(([other]) => other)
    const key = JSON.stringify(offering)
    const part = found.get(key)
    if (part === undefined) found.set(key, { names: [name], machines: [...offering, machine] })
    else part.names.push(name)
  }
  return [...found.values()]
}

/**
 * How many of so many names a machine may hold: no two machines' shares differ by more than one, and they add up.
 *
 * **Details**
 *
 * Which of them is its own affair, so who holds its share keeps what it has when machines come and go. Machines that the
 * store doesn't list, as one whose own sign of life is late, count themselves.
 *
 * @category getters
 * @since 0.1.0
 */
export const of = (machine: string, machines: ReadonlyArray<string>, names: number): number => {
  const all = [...new Set([...machines, machine])].toSorted()
  return Math.floor(names / all.length) + (all.indexOf(machine) < names % all.length ? 1 : 0)
}

/**
 * What a machine that holds `held` gives up: what nobody asks it to run, and of each part what is above its share, the
 * last first.
 *
 * @category getters
 * @since 0.1.0
 */
export const surplus = (
  machine: string,
  held: ReadonlyArray<string>,
  parts: ReadonlyArray<Part>
): ReadonlyArray<string> => {
  const stay = parts.flatMap(({ machines, names }) => {
    const some = new Set(names)
    return held.filter((name) => some.has(name)).slice(0, of(machine, machines, names.length))
  })
  const staying = new Set(stay)
  return held.filter((name) => !staying.has(name))
}

/**
 * What a machine that holds `held` tries to take of a part, and how many of these at most. It begins elsewhere on every
 * machine, so that machines that look at once don't all try the same.
 *
 * @category getters
 * @since 0.1.0
 */
export const room = (
  machine: string,
  held: ReadonlySet<string>,
  { machines, names }: Part
): { readonly names: ReadonlyArray<string>; readonly most: number } => {
  const free = names.filter((name) => !held.has(name))
  const most = Math.max(0, of(machine, machines, names.length) - (names.length - free.length))
  return { names: most === 0 ? [] : candidates(machine, machines, free), most }
}

const candidates = (
  machine: string,
  machines: ReadonlyArray<string>,
  free: ReadonlyArray<string>
): ReadonlyArray<string> => {
  const all = [...new Set([...machines, machine])].toSorted()
  const from = Math.floor((free.length * all.indexOf(machine)) / all.length)
  return [...free.slice(from), ...free.slice(0, from)]
}
