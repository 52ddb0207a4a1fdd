/**
 * How much of the work is a machine's: policy, without clocks or calls.
 *
 * @since 0.1.0
 */

/**
 * How many of so many slots a machine may hold: no two machines' shares differ by more than one, and they add up.
 *
 * **Details**
 *
 * Which of them is its own affair, so who holds its share keeps what it has when machines come and go. Machines that the
 * store doesn't list, as one whose own sign of life is late, count themselves.
 *
 * @category getters
 * @since 0.1.0
 */
export const of = (machine: string, machines: ReadonlyArray<string>, slots: number): number => {
  const all = [...new Set([...machines, machine])].toSorted()
  return Math.floor(slots / all.length) + (all.indexOf(machine) < slots % all.length ? 1 : 0)
}

/**
 * What a machine that holds `held` gives up: what nobody asks it to run, and what is above its share, the last first.
 *
 * @category getters
 * @since 0.1.0
 */
export const surplus = (
  held: ReadonlyArray<number>,
  wanted: ReadonlySet<number>,
  share: number
): ReadonlyArray<number> => {
  const useful = held.filter((slot) => wanted.has(slot))
  return [...held.filter((slot) => !wanted.has(slot)), ...useful.slice(share)]
}

/**
 * The slots to try, beginning elsewhere on every machine, so that machines that look at once don't all try the same.
 *
 * @category getters
 * @since 0.1.0
 */
export const candidates = (
  machine: string,
  machines: ReadonlyArray<string>,
  free: ReadonlyArray<number>
): ReadonlyArray<number> => {
  const all = [...new Set([...machines, machine])].toSorted()
  const from = Math.floor((free.length * all.indexOf(machine)) / all.length)
  return [...free.slice(from), ...free.slice(0, from)]
}
