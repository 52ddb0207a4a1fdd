import slotOfKey from "cluster-key-slot"

/** How many slots a cluster has. */
export const slotCount = 16_384

/**
 * The slot of a key: of what stands in its first braces, else of all of it.
 *
 * @see https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags
 */
export const slotOf = (key: string): number => slotOfKey(key)

const tags: Array<string> = []

/** A text whose slot is this one. All of them are found when the first is asked for, in some 50 ms. */
export const tagOf = (slot: number): string => {
  for (let i = 0, missing = tags.length === slotCount ? 0 : slotCount; missing > 0; i++) {
    const found = slotOf(String(i))
    if (tags[found] !== undefined) continue
    tags[found] = String(i)
    missing--
  }
  return tags[slot] ?? ""
}

/** Where a node is: `host:port`. */
export type Address = string

export interface Endpoint {
  readonly host: string
  readonly port: number
}

export const addressOf = ({ host, port }: Endpoint): Address => `${host}:${port}`

/** An IPv6 address has colons of its own. */
export const endpointOf = (address: Address): Endpoint => {
  const colon = address.lastIndexOf(":")
  return { host: address.slice(0, colon), port: Number(address.slice(colon + 1)) }
}

/**
 * Who has which slot, out of the reply to `CLUSTER SLOTS`; slots that nobody has stay `undefined`. `undefined` for a reply
 * that can't be read. A node without a host is at the one that was asked.
 *
 * @see https://redis.io/docs/latest/commands/cluster-slots/
 */
export const ownersOf = (reply: unknown, asked: string): ReadonlyArray<Address | undefined> | undefined => {
  if (!Array.isArray(reply)) return undefined
  const owners: Array<Address | undefined> = Array.from<undefined>({ length: slotCount })
  for (const range of reply as ReadonlyArray<unknown>) {
    if (!Array.isArray(range)) return undefined
    const [from, to, primary] = range as ReadonlyArray<unknown>
    const address = primaryOf(primary, asked)
    if (!isSlot(from) || !isSlot(to) || address === undefined) return undefined
    owners.fill(address, from, to + 1)
  }
  return owners
}

const primaryOf = (node: unknown, asked: string): Address | undefined => {
  if (!Array.isArray(node)) return undefined
  const [host, port] = node as ReadonlyArray<unknown>
  if (!Number.isSafeInteger(port)) return undefined
  return addressOf({ host: typeof host === "string" && host !== "" && host !== "?" ? host : asked, port: Number(port) })
}

const isSlot = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) >= 0 && Number(value) < slotCount

/** Things by the slot of their keys, in the order of their first. */
export const bySlot = <A>(
  things: ReadonlyArray<A>,
  keyOf: (thing: A) => string
): ReadonlyMap<number, Array<number>> => {
  const places = new Map<number, Array<number>>()
  things.forEach((thing, place) => {
    const slot = slotOf(keyOf(thing))
    const others = places.get(slot)
    if (others === undefined) places.set(slot, [place])
    else others.push(place)
  })
  return places
}
