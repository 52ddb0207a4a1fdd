import type { CacheCodec } from "../../CacheCodec.ts"

/** Something that was loaded once: a value, or the origin's word that there is none. Times are epoch milliseconds. */
export type Held<A, E> = HeldValue<A> | HeldNegative<E>

interface Times {
  /** When its load began; `undefined` where the stored bytes don't say. */
  readonly loadedAt: number | undefined
  /** How many milliseconds the load took; 0 where it isn't known. */
  readonly took: number
  readonly freshUntil: number
}

/** A value. */
export interface HeldValue<A> extends Times {
  readonly negative: false
  readonly value: A
  /** What the codec makes of it, where this process has that already. */
  readonly bytes: Uint8Array | undefined
}

/** The origin has no value, and this is its error. */
export interface HeldNegative<E> extends Times {
  readonly negative: true
  readonly error: E
}

/**
 * How an entry with its times is written: a header of 16 bytes, then the payload.
 *
 * | bytes | what                                                                  |
 * | ----- | --------------------------------------------------------------------- |
 * | 0     | 0xc5: neither text nor the start of any JSON                          |
 * | 1     | 0x10 for a value, 0x11 for a negative entry: version 1 in the upper half |
 * | 2–3   | number of the value's schema                                          |
 * | 4–9   | start of the load, epoch milliseconds                                 |
 * | 10–13 | milliseconds it is fresh from then on                                 |
 * | 14–15 | milliseconds the load took, 65,535 at most                            |
 *
 * All are unsigned, most significant byte first.
 */
export interface EntryFormat<A, E> {
  readonly schema: number
  readonly value: CacheCodec<A>
  /** Without it a negative entry can't be written. */
  readonly error: CacheCodec<E> | undefined
  /** Milliseconds: nothing is fresh for longer, whatever its header says. */
  readonly ttl: number
}

const headerSize = 16
const magic = 0xc5
const valueKind = 0x10
const negativeKind = 0x11

/** Whether these bytes claim to be an entry. */
export const isEntry = (bytes: Uint8Array): boolean => bytes[0] === magic

/** The bytes of an entry; `undefined` for one that this format can't write. */
export const encodeEntry = <A, E>(format: EntryFormat<A, E>, held: Held<A, E>): Uint8Array | undefined => {
  const payload = held.negative ? format.error?.encode(held.error) : (held.bytes ?? format.value.encode(held.value))
  if (payload === undefined || held.loadedAt === undefined) return undefined
  const bytes = Buffer.alloc(headerSize + payload.length)
  bytes[0] = magic
  bytes[1] = held.negative ? negativeKind : valueKind
  bytes.writeUInt16BE(format.schema, 2)
  bytes.writeUIntBE(Math.max(0, Math.floor(held.loadedAt)), 4, 6)
  bytes.writeUInt32BE(clamp(held.freshUntil - held.loadedAt, 0xffff_ffff), 10)
  bytes.writeUInt16BE(clamp(held.took, 0xffff), 14)
  bytes.set(payload, headerSize)
  return bytes
}

/**
 * What the bytes of an entry say; `undefined` for any that are of another version, schema or time. A load that lies in the
 * future by the clock of this machine is taken for one that begins now.
 */
export const decodeEntry = <A, E>(
  format: EntryFormat<A, E>,
  bytes: Uint8Array,
  now: number
): Held<A, E> | undefined => {
  if (bytes.length < headerSize || bytes[0] !== magic) return undefined
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (view.readUInt16BE(2) !== format.schema) return undefined
  const loadedAt = Math.min(view.readUIntBE(4, 6), now)
  const times = {
    loadedAt,
    took: view.readUInt16BE(14),
    freshUntil: loadedAt + Math.min(view.readUInt32BE(10), format.ttl)
  }
  const payload = bytes.subarray(headerSize)
  if (view[1] === valueKind) {
    const value = format.value.decode(payload)
    return value === undefined ? undefined : { negative: false, value, bytes: undefined, ...times }
  }
  if (view[1] !== negativeKind) return undefined
  const error = format.error?.decode(payload)
  return error === undefined ? undefined : { negative: true, error, ...times }
}

const clamp = (value: number, most: number): number => Math.min(most, Math.max(0, Math.floor(value)))
