import { isAscii, isUtf8 } from "node:buffer"

import { Fault } from "./Fault.ts"

/** The keys between these bounds of a message: start and end of each, in turn. */
export const read = (message: Buffer, bounds: ReadonlyArray<number>): ReadonlyArray<string> =>
  ofOneText(message, bounds) ?? separately(message, bounds)

/**
 * A fast path: a table of ASCII in one piece, as producers write it, becomes one text of which the keys are slices. To call
 * the decoder for each key was a third of what a reading takes besides the MD5; `pnpm bench aggregation` shows it.
 */
const ofOneText = (message: Buffer, bounds: ReadonlyArray<number>): ReadonlyArray<string> | undefined => {
  const start = bounds[0] ?? 0
  const end = bounds.at(-1) ?? 0
  if (bounds.length < leastBounds || end - start > largestText) return undefined
  if (!isAscii(message.subarray(start, end))) return undefined
  const text = message.toString("latin1", start, end)
  return eachOf(bounds, (from, to) => text.slice(from - start, to - start))
}

/** Of fewer than four keys it is no gain. */
const leastBounds = 8

/** A table that stands on both sides of the data would make a text of the data. */
const largestText = 64 * 1024

const separately = (message: Buffer, bounds: ReadonlyArray<number>): ReadonlyArray<string> =>
  eachOf(bounds, (start, end) => one(message, start, end))

const eachOf = (bounds: ReadonlyArray<number>, read: (start: number, end: number) => string): ReadonlyArray<string> => {
  const keys: Array<string> = []
  for (let at = 0; at < bounds.length; at += 2) keys.push(read(bounds[at] ?? 0, bounds[at + 1] ?? 0))
  return keys
}

const one = (message: Buffer, start: number, end: number): string => {
  const text = message.toString("utf8", start, end)
  // Node writes U+FFFD for what it can't read: only a key that holds one has to be looked at again.
  if (text.includes("\uFFFD") && !isUtf8(message.subarray(start, end))) {
    throw new Fault("Text", "a key is not UTF-8", start)
  }
  return text
}
