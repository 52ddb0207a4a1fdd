/**
 * A value ⇄ the bytes of a cache entry.
 *
 * **Guarantees.** Both directions are synchronous and never throw. Other programs may write to the same store, so
 * `decode` believes nothing: whatever is not exactly a value within the codec's bounds is `undefined`, which a cache
 * counts and takes for a miss.
 *
 * @since 0.1.0
 */
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"

/**
 * How one kind of value is written in a store.
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheCodec<A> {
  readonly encode: (value: A) => Uint8Array
  /** `undefined`: these bytes are no such value. */
  readonly decode: (bytes: Uint8Array) => A | undefined
}

/**
 * Bounds of {@link ints}.
 *
 * @category models
 * @since 0.1.0
 */
export interface IntsOptions {
  /** Largest integer read. Default `Number.MAX_SAFE_INTEGER`. */
  readonly max?: number | undefined
  /** Longest list read. Default 1,000. */
  readonly maxLength?: number | undefined
}

/**
 * A list of non-negative integers, written as the JSON array `[1,2,3]`.
 *
 * **Details**
 *
 * Reads any JSON spelling of such a list, white space included, as other programs write it; but no fraction, exponent,
 * sign or leading zero, no integer above `max`, no list above `maxLength`. Reads the bytes themselves: a list of 20 takes two thirds
 * of the time of `JSON.parse` (`bench/CacheCodec.bench.ts`).
 *
 * @see https://www.rfc-editor.org/rfc/rfc8259
 * @category constructors
 * @since 0.1.0
 */
export const ints = (options: IntsOptions = {}): CacheCodec<ReadonlyArray<number>> => {
  const max = Math.min(options.max ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  const maxLength = options.maxLength ?? 1_000
  // The values of one list before its length is known: an array that grows while it is filled takes thrice its room.
  const scratch: Array<number> = []
  return {
    encode: (value) => Buffer.from(JSON.stringify(value), "latin1"),
    decode: (bytes) => readInts(bytes, max, maxLength, scratch)
  }
}

/**
 * A list of non-negative integers in 1 to 8 bytes each: less than half of its JSON, read in half the time
 * (`bench/CacheCodec.bench.ts`). For stores that no other program reads.
 *
 * **Details**
 *
 * One byte 0x01, then each integer in groups of seven bits, lowest first, the top bit set on all bytes but its last
 * (LEB128). Only the shortest spelling of an integer is read, none above `max` and no list above `maxLength`.
 *
 * ```ts
 * import * as CacheCodec from "@leat/core/CacheCodec"
 *
 * const codec = CacheCodec.packedInts()
 *
 * codec.encode([1, 300]).length // => 4
 * codec.decode(codec.encode([1, 300])) // => [1, 300]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const packedInts = (options: IntsOptions = {}): CacheCodec<ReadonlyArray<number>> => {
  const max = Math.min(options.max ?? Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER)
  const maxLength = options.maxLength ?? 1_000
  return { encode: writePacked, decode: (bytes) => readPacked(bytes, max, maxLength) }
}

/**
 * Writes as the first codec does and reads what either of them reads: for a store whose format changes while it is in use.
 *
 * @category combinators
 * @since 0.1.0
 */
export const orElse = <A>(first: CacheCodec<A>, second: CacheCodec<A>): CacheCodec<A> => ({
  encode: first.encode,
  decode: (bytes) => first.decode(bytes) ?? second.decode(bytes)
})

/**
 * Anything with a Schema, written as JSON; slower than a codec made for its value, and bounded by `maxBytes`
 * (default 1 MiB).
 *
 * @category constructors
 * @since 0.1.0
 */
export const json = <A, I>(
  schema: Schema.Codec<A, I>,
  options: { readonly maxBytes?: number | undefined } = {}
): CacheCodec<A> => {
  const text = Schema.fromJsonString(Schema.toCodecJson(schema))
  const encode = Schema.encodeOption(text)
  const decode = Schema.decodeOption(text)
  const maxBytes = options.maxBytes ?? 1024 * 1024
  return {
    // What can't be encoded becomes what can't be decoded, so that a cache doesn't fail the work it serves.
    encode: (value) => encoder.encode(Option.getOrElse(encode(value), () => "")),
    decode: (bytes) => (bytes.length > maxBytes ? undefined : Option.getOrUndefined(decode(decoder.decode(bytes))))
  }
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

const open = 0x5b
const close = 0x5d
const comma = 0x2c
const zero = 0x30
const space = 0x20

/** Room for a pretty printer's line break and indentation around each integer. */
const widest = 64

/**
 * One pass over the bytes, no string in between. Reading past the end of typed memory is slow, so each loop asks for the
 * end first; white space, which our own writer never makes, is looked for only where a low byte stands.
 */
const readInts = (
  bytes: Uint8Array,
  max: number,
  maxLength: number,
  scratch: Array<number>
): ReadonlyArray<number> | undefined => {
  const end = bytes.length
  if (end > (maxLength + 1) * widest) return undefined
  let at = skipSpace(bytes, 0)
  if (at >= end || bytes[at++] !== open) return undefined
  if (at < end && bytes[(at = skipSpace(bytes, at))] === close) return skipSpace(bytes, at + 1) === end ? [] : undefined
  let length = 0
  while (length < maxLength) {
    if (at < end && (bytes[at] ?? 0) <= space) at = skipSpace(bytes, at)
    const first = at
    let int = 0
    let digit = 0
    while (at < end && (digit = (bytes[at] ?? 0) - zero) >= 0 && digit <= 9) {
      int = int * 10 + digit
      at++
    }
    // Many digits round, but never back below `max`: no need to ask at each of them.
    if (at === first || int > max || (at > first + 1 && bytes[first] === zero)) return undefined
    scratch[length++] = int
    if (at < end && (bytes[at] ?? 0) <= space) at = skipSpace(bytes, at)
    if (at >= end) return undefined
    const byte = bytes[at++]
    if (byte === close) return skipSpace(bytes, at) === end ? scratch.slice(0, length) : undefined
    if (byte !== comma) return undefined
  }
  return undefined
}

/** The four white space characters of JSON, no others. */
const skipSpace = (bytes: Uint8Array, from: number): number => {
  let at = from
  for (; at < bytes.length; at++) {
    const byte = bytes[at] ?? 0
    if (byte > space || (byte !== space && byte !== 0x0a && byte !== 0x0d && byte !== 0x09)) return at
  }
  return at
}

const packed = 0x01

const nothing = Buffer.alloc(0)

/** Most bytes of an integer: 53 bits in groups of seven. */
const widestPacked = 8

const writePacked = (value: ReadonlyArray<number>): Uint8Array => {
  const bytes = Buffer.allocUnsafe(1 + value.length * widestPacked)
  bytes[0] = packed
  let at = 1
  for (const int of value) {
    // No such list: written as what can't be read.
    if (!Number.isSafeInteger(int) || int < 0) return nothing
    let left = int
    while (left >= 0x80) {
      bytes[at++] = (left % 0x80) | 0x80
      left = Math.floor(left / 0x80)
    }
    bytes[at++] = left
  }
  return bytes.subarray(0, at)
}

const readPacked = (bytes: Uint8Array, max: number, maxLength: number): ReadonlyArray<number> | undefined => {
  const end = bytes.length
  if (bytes[0] !== packed || end > 1 + maxLength * widestPacked) return undefined
  const value: Array<number> = []
  for (let at = 1; at < end;) {
    let byte = bytes[at++] ?? 0
    let int = byte & 0x7f
    for (let scale = 0x80; byte >= 0x80; scale *= 0x80) {
      if (at >= end || scale > Number.MAX_SAFE_INTEGER) return undefined
      byte = bytes[at++] ?? 0
      // A last group of nothing: not the shortest spelling.
      if (byte === 0) return undefined
      int += (byte & 0x7f) * scale
    }
    if (int > max || value.length >= maxLength) return undefined
    value.push(int)
  }
  return value
}
