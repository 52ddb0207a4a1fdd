import type { Gate } from "../Gate.ts"
import { inTurn } from "../inTurn.ts"
import * as Subprocess from "../Subprocess.ts"
import { figure, multiple, render } from "../Table.ts"
import type { Load, Loaded, Pass, Passed } from "./scaleChild.ts"
import * as Stores from "./Stores.ts"
import type { StoreName } from "./Stores.ts"

/** What was seen of a journal of one size. */
interface Size {
  readonly entries: number
  /** `undefined` for one in memory, which is loaded by those who read it. */
  readonly loaded: Loaded | undefined
  readonly replay: Passed
  readonly rebuild: Passed
}

const small = 10_000
const middle = 100_000
const large = 1_000_000

const sizesOf: Record<StoreName, ReadonlyArray<number>> = {
  memory: [small, middle],
  sqlite: [small, middle, large],
  postgres: [small, middle, large]
}

/** What a journal is compared with: of the million, one with as many keys. */
const smallerOf = (entries: number) => (entries === large ? middle : small)

/** Replays and rebuilds over journals of growing size; prints a table a store and gives back the gates. */
export const run = async (print: (text: string) => void): Promise<ReadonlyArray<Gate>> => {
  const stores = await Stores.start()
  try {
    const gates = await inTurn(Stores.names, async (store) => {
      const sizes = await inTurn(sizesOf[store], (entries) => runSize(stores, store, entries))
      print(`### ${store}\n\n${table(sizes)}\n`)
      return gatesOf(store, sizes)
    })
    return gates.flat()
  } finally {
    await stores.close()
  }
}

const runSize = async (stores: Stores.Stores, store: StoreName, entries: number): Promise<Size> => {
  const journal = await loadFresh(stores, store, entries)
  const smaller = await loadFresh(stores, store, smallerOf(entries))
  const pass = (what: Pass["what"]) => inChild<Passed>({ pass: { what, journal: journal.load, smaller: smaller.load } })
  return { entries, loaded: journal.loaded, replay: await pass("replay"), rebuild: await pass("rebuild") }
}

const loadFresh = async (stores: Stores.Stores, store: StoreName, entries: number) => {
  const load: Load = { address: await stores.fresh(store), entries }
  if (store === "memory") return { load, loaded: undefined }
  const loaded = await inChild<Loaded>({ load })
  await stores.settle(load.address)
  return { load, loaded }
}

const inChild = async <A>(command: { readonly load: Load } | { readonly pass: Pass }): Promise<A> => {
  const child = Subprocess.start(new URL("scaleChild.ts", import.meta.url), ["--expose-gc"])
  try {
    return await child.ask<A>(command)
  } finally {
    await child.close()
  }
}

/** MB by which a peak may differ whatever the size: when the collector comes is chance. */
const slack = 16

const gatesOf = (store: StoreName, sizes: ReadonlyArray<Size>): ReadonlyArray<Gate> => {
  const largest = sizes.at(-1)
  const rates = (["replay", "rebuild"] as const).map((what): Gate => {
    const sizes = `${countOf(largest?.entries)} over ${countOf(smallerOf(largest?.entries ?? 0))}`
    const reached = largest?.[what].overSmaller
    return {
      what: `rate of a ${what}, ${store}, ${sizes}`,
      target: 0.9,
      gate: 0.7,
      unit: "×",
      better: "larger",
      reached
    }
  })
  const less = sizes.find(({ entries }) => entries === middle)
  // A journal in memory is itself what fills it.
  if (store === "memory" || largest === undefined || less === undefined) return rates
  const heaps = (["replay", "rebuild"] as const).map((what): Gate => {
    const sizes = `${countOf(largest.entries)} less ${slack} MB over ${countOf(less.entries)}`
    const reached = (largest[what].heap - slack) / less[what].heap
    return {
      what: `heap of a ${what}, ${store}, ${sizes}`,
      target: 1,
      gate: 1.5,
      unit: "×",
      better: "smaller",
      reached
    }
  })
  return [...rates, ...heaps]
}

const countOf = (entries = Number.NaN) => entries.toLocaleString("en-US")

const table = (sizes: ReadonlyArray<Size>) =>
  render(
    [
      "entries",
      "loaded/s",
      ...["replay", "rebuild"].flatMap((what) => [`${what}/s`, "× smaller", "CPU µs", "heap MB", "RSS MB"])
    ],
    sizes.map((size) => [
      countOf(size.entries),
      figure(size.loaded?.entriesPerSecond ?? Number.NaN),
      ...[size.replay, size.rebuild].flatMap(({ cpuPerEntry, entriesPerSecond, heap, overSmaller, resident }) => [
        figure(entriesPerSecond),
        multiple(overSmaller),
        figure(cpuPerEntry),
        figure(heap),
        figure(resident)
      ])
    ])
  )
