/** Takes the steps one after the other: measured things must never overlap. */
export const inTurn = async <A, B>(items: Iterable<A>, step: (item: A, index: number) => Promise<B>) => {
  const results: Array<B> = []
  // oxlint-disable-next-line no-await-in-loop -- running side by side is what this function is there to prevent
  for (const item of items) results.push(await step(item, results.length))
  return results
}

/** The numbers from 0 up to, and without, `count`. */
export const times = (count: number) => Array.from({ length: count }, (_, index) => index)

/** The same items in random turns, so that no program always follows the same neighbour. */
export const shuffled = <A>(items: ReadonlyArray<A>): ReadonlyArray<A> =>
  items
    .map((item) => ({ item, turn: Math.random() }))
    .toSorted((a, b) => a.turn - b.turn)
    .map(({ item }) => item)
