/**
 * The bytes of a snapshot. Pure: from the value to parts, from bytes to the value or the fault.
 *
 * @since 0.1.0
 */
import { crc32 } from "node:zlib"

import * as Exit from "effect/Exit"
import * as Schema from "effect/Schema"

import type { Snapshot, SnapshotError } from "../Snapshot.ts"

const MAGIC = new TextEncoder().encode("LEATRECO")
const FORMAT = 1
const PROLOGUE_BYTES = 16

/**
 * The length of the checksum that ends the file.
 *
 * @category constants
 * @since 0.1.0
 */
export const CHECKSUM_BYTES = 4

/**
 * A CRC-32 (ISO 3309, as in zip) that grows with each piece.
 *
 * @category models
 * @since 0.1.0
 */
export class Checksum {
  value = 0
  add(piece: Uint8Array): void {
    this.value = crc32(piece, this.value)
  }
  bytes(): Uint8Array {
    return u32(this.value)
  }
}

/**
 * What decoding gives.
 *
 * @category models
 * @since 0.1.0
 */
export type Decoded =
  | { readonly _tag: "Whole"; readonly snapshot: Snapshot }
  | { readonly _tag: "Wrong"; readonly reason: SnapshotError["reason"]; readonly message: string }

const Length = Schema.Int.check(Schema.isGreaterThanOrEqualTo(0))
const names = [
  "itemIds",
  "popularity",
  "trained",
  "weights",
  "userIds",
  "ratedIds",
  "likedOffsets",
  "likedValues",
  "seenOffsets",
  "seenValues"
] as const
type Name = (typeof names)[number]

const Head = Schema.fromJsonString(
  Schema.Struct({
    version: Schema.NonEmptyString,
    lambda: Schema.Finite,
    beta: Schema.Finite,
    users: Length,
    movies: Schema.Array(
      Schema.Struct({
        id: Schema.Int,
        title: Schema.String,
        year: Schema.optionalKey(Schema.Int),
        genres: Schema.Array(Schema.String)
      })
    ),
    lengths: Schema.Record(Schema.Literals(names), Length)
  })
)

type Numbers = Int32Array | Float32Array

const arraysOf = ({ model, ratings }: Snapshot): Readonly<Record<Name, Numbers>> => ({
  itemIds: model.itemIds,
  popularity: model.popularity,
  trained: model.trained,
  weights: model.weights,
  userIds: ratings.userIds,
  ratedIds: ratings.itemIds,
  likedOffsets: ratings.positives.offsets,
  likedValues: ratings.positives.values,
  seenOffsets: ratings.seen.offsets,
  seenValues: ratings.seen.values
})

/**
 * The parts of the file in order, without the checksum that follows them. The arrays are views, not copies.
 *
 * @category combinators
 * @since 0.1.0
 */
export const encode = (snapshot: Snapshot): ReadonlyArray<Uint8Array> => {
  const { model, movies } = snapshot
  const arrays = arraysOf(snapshot)
  const sizes = Object.fromEntries(names.map((name) => [name, arrays[name].length]))
  const { beta, lambda, users, version } = model
  const head = new TextEncoder().encode(JSON.stringify({ version, lambda, beta, users, movies, lengths: sizes }))
  const bodies = names.map(
    (name) => new Uint8Array(arrays[name].buffer, arrays[name].byteOffset, arrays[name].byteLength)
  )
  return [MAGIC, u32(FORMAT), u32(head.length), head, ...bodies]
}

/**
 * Reads a whole file, given the checksum of all its bytes but the last four.
 *
 * @category combinators
 * @since 0.1.0
 */
export const decode = (bytes: Uint8Array<ArrayBuffer>, sum: number): Decoded => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  if (!MAGIC.every((byte, k) => k >= bytes.length || bytes[k] === byte)) return wrong("WrongMagic", "not a snapshot")
  if (bytes.length < PROLOGUE_BYTES + CHECKSUM_BYTES) return wrong("Truncated", `${bytes.length} bytes are too few`)
  const format = view.getUint32(8, true)
  if (format !== FORMAT) return wrong("WrongVersion", `format ${format}, this program reads ${FORMAT}`)
  const headEnd = PROLOGUE_BYTES + view.getUint32(12, true)
  const end = bytes.length - CHECKSUM_BYTES
  if (headEnd > end) return wrong("Truncated", `ends inside its head, after ${bytes.length} bytes`)
  const head = Schema.decodeUnknownExit(Head)(new TextDecoder().decode(bytes.subarray(PROLOGUE_BYTES, headEnd)))
  const intact = view.getUint32(end, true) === sum
  if (Exit.isFailure(head)) return wrong(intact ? "Malformed" : "WrongChecksum", "the head can't be read")
  const expected = headEnd + 4 * names.reduce((total, name) => total + head.value.lengths[name], 0)
  if (expected > end) return wrong(intact ? "Malformed" : "Truncated", `${expected - end} bytes are missing`)
  if (!intact) return wrong("WrongChecksum", "changed since it was written")
  if (expected < end) return wrong("Malformed", `${end - expected} bytes too many`)
  return assemble(head.value, bytes, headEnd)
}

const wrong = (reason: SnapshotError["reason"], message: string): Decoded => ({ _tag: "Wrong", reason, message })

const assemble = (head: typeof Head.Type, bytes: Uint8Array<ArrayBuffer>, start: number): Decoded => {
  const cut = cutter(bytes, start, head.lengths)
  // Copies, in the order of the file: each array then has a buffer of its own, which threads can be handed.
  const model = {
    version: head.version,
    lambda: head.lambda,
    beta: head.beta,
    users: head.users,
    itemIds: new Int32Array(cut("itemIds")),
    popularity: new Float32Array(cut("popularity")),
    trained: new Int32Array(cut("trained")),
    weights: new Float32Array(cut("weights"))
  }
  const ratings = {
    userIds: new Int32Array(cut("userIds")),
    itemIds: new Int32Array(cut("ratedIds")),
    positives: { offsets: new Int32Array(cut("likedOffsets")), values: new Int32Array(cut("likedValues")) },
    seen: { offsets: new Int32Array(cut("seenOffsets")), values: new Int32Array(cut("seenValues")) }
  }
  const fault = faultOf({ model, ratings, movies: head.movies })
  return fault === undefined
    ? { _tag: "Whole", snapshot: { model, ratings, movies: head.movies } }
    : wrong("Malformed", fault)
}

const cutter = (bytes: Uint8Array<ArrayBuffer>, start: number, sizes: Readonly<Record<Name, number>>) => {
  let at = start
  return (name: Name): ArrayBuffer => {
    const from = at
    at += 4 * sizes[name]
    return bytes.slice(from, at).buffer
  }
}

/** A file can have the right checksum and still not fit together, if another program wrote it. */
const faultOf = ({ model, ratings }: Snapshot): string | undefined => {
  const items = model.itemIds.length
  if (model.popularity.length !== items) return "popularity does not match the items"
  if (model.weights.length !== model.trained.length ** 2) return "weights are not a square of the trained items"
  if (!within(model.trained, items)) return "a trained item does not exist"
  for (const { offsets, values } of [ratings.positives, ratings.seen]) {
    if (offsets.length !== ratings.userIds.length + 1) return "the offsets do not match the users"
    if (offsets.at(-1) !== values.length || offsets.some((x, k) => x < (offsets[k - 1] ?? 0)))
      return "the offsets are out of order"
    if (!within(values, ratings.itemIds.length)) return "a rated item does not exist"
  }
  return undefined
}

const within = (places: Int32Array, size: number): boolean => places.every((place) => place >= 0 && place < size)

const u32 = (value: number): Uint8Array => {
  const bytes = new Uint8Array(4)
  new DataView(bytes.buffer).setUint32(0, value, true)
  return bytes
}
