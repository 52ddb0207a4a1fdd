/** What one cache tells the others: who says it, which store keys it forgot, and when. */
export interface BackplaneMessage {
  readonly from: string
  readonly keys: ReadonlyArray<string>
  /** Epoch milliseconds. */
  readonly at: number
}

/** Bounds of what is read: others may publish on the channel too. */
const maxBytes = 1024 * 1024
const maxKeys = 10_000
const maxKeyLength = 4_096

const version = 1

/** Most keys of a message that is written. */
export const keysPerMessage = 1_000

/** As JSON: `[version, from, at, ...keys]`. */
export const encode = ({ at, from, keys }: BackplaneMessage): string => JSON.stringify([version, from, at, ...keys])

/** `undefined` for anything that is not exactly such a message. */
export const decode = (text: string): BackplaneMessage | undefined => {
  if (text.length > maxBytes) return undefined
  const parsed = parse(text)
  if (!Array.isArray(parsed)) return undefined
  const [found, from, at, ...keys] = parsed as ReadonlyArray<unknown>
  if (found !== version || typeof from !== "string" || !Number.isSafeInteger(at) || Number(at) < 0) return undefined
  return keys.length <= maxKeys && keys.every(isKey) ? { from, at: Number(at), keys } : undefined
}

const isKey = (value: unknown): value is string => typeof value === "string" && value.length <= maxKeyLength

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
