/**
 * A model, its ratings and its films in one file, and back.
 *
 * **Guarantees**
 *
 * The file is written beside its place, flushed and renamed: a reader, or a crash, meets the old file or the new one,
 * never half of one. A file that is foreign, newer, cut short or changed in any byte is refused with the reason.
 *
 * **Details**
 *
 * All numbers little-endian: magic `LEATRECO`, format (u32), length of the head (u32), the head (JSON: settings, films,
 * and the type and length of each array), the arrays one after the other, CRC-32 of everything before it (u32).
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"
import { createReadStream, createWriteStream } from "node:fs"
import * as Fs from "node:fs/promises"
import { pipeline } from "node:stream/promises"

import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type { Model } from "./Model.ts"
import type { Movie } from "./Movie.ts"
import type { Ratings } from "./Ratings.ts"
import * as Format from "./snapshot/Format.ts"

/**
 * What a snapshot holds: all that an engine is made of.
 *
 * @category models
 * @since 0.1.0
 */
export interface Snapshot {
  readonly model: Model
  readonly ratings: Ratings
  readonly movies: ReadonlyArray<Movie>
}

/**
 * Why a snapshot could not be written or read.
 *
 * **Details**
 *
 * - `Unreadable`, `Unwritable`: the file system said no; the cause is its error.
 * - `WrongMagic`: not a snapshot. `WrongVersion`: a snapshot of another format. `Truncated`: cut short.
 * - `WrongChecksum`: changed since it was written. `Malformed`: the checksum is right, the content is not.
 *
 * @category errors
 * @since 0.1.0
 */
export class SnapshotError extends Schema.TaggedError<SnapshotError>()("@leat/recommender/engine/SnapshotError", {
  reason: Schema.Literals([
    "Unreadable",
    "Unwritable",
    "WrongMagic",
    "WrongVersion",
    "Truncated",
    "WrongChecksum",
    "Malformed"
  ]),
  message: Schema.String,
  path: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

// Between two pieces the event loop turns, so that writing 64 MB beside a running service delays no request.
const PIECE = 1 << 20

/**
 * Writes a snapshot; replaces the file if there is one.
 *
 * @category combinators
 * @since 0.1.0
 */
export const write: (path: string, snapshot: Snapshot) => Effect.Effect<void, SnapshotError> = Effect.fn(
  "Snapshot.write"
)(function* (path, snapshot) {
  const draft = `${path}.${randomUUID()}.tmp`
  const fail = (cause: unknown) =>
    new SnapshotError({ reason: "Unwritable", message: `can't write ${path}`, path, retryable: true, cause })
  yield* Effect.tryPromise({
    try: async (signal) => {
      await writeDraft(draft, snapshot, signal)
      await Fs.rename(draft, path)
    },
    catch: fail
  }).pipe(Effect.ensuring(Effect.promise(() => Fs.rm(draft, { force: true }))))
})

const writeDraft = (draft: string, snapshot: Snapshot, signal: AbortSignal): Promise<void> =>
  pipeline(pieces(Format.encode(snapshot)), createWriteStream(draft, { flags: "wx", flush: true }), { signal })

function* pieces(parts: ReadonlyArray<Uint8Array>): Iterable<Uint8Array> {
  const checksum = new Format.Checksum()
  for (const part of parts) {
    for (let at = 0; at < part.length; at += PIECE) {
      const piece = part.subarray(at, at + PIECE)
      checksum.add(piece)
      yield piece
    }
  }
  yield checksum.bytes()
}

/**
 * Reads a snapshot.
 *
 * @category combinators
 * @since 0.1.0
 */
export const read: (path: string) => Effect.Effect<Snapshot, SnapshotError> = Effect.fn("Snapshot.read")(
  function* (path) {
    const { bytes, sum } = yield* Effect.tryPromise({
      try: (signal) => readAll(path, signal),
      catch: (cause) =>
        new SnapshotError({ reason: "Unreadable", message: `can't read ${path}`, path, retryable: true, cause })
    })
    const decoded = Format.decode(bytes, sum)
    if (decoded._tag === "Whole") return decoded.snapshot
    const { message, reason } = decoded
    return yield* new SnapshotError({ reason, message: `${path}: ${message}`, path, retryable: false })
  }
)

/** The whole file, and the checksum of all but its last four bytes. */
const readAll = async (path: string, signal: AbortSignal): Promise<{ bytes: Uint8Array<ArrayBuffer>; sum: number }> => {
  const bytes = new Uint8Array((await Fs.stat(path)).size)
  const end = bytes.length - Format.CHECKSUM_BYTES
  const checksum = new Format.Checksum()
  let at = 0
  for await (const chunk of createReadStream(path, {
    end: Math.max(0, bytes.length - 1),
    highWaterMark: PIECE,
    signal
  })) {
    const piece: Uint8Array = chunk
    bytes.set(piece, at)
    checksum.add(piece.subarray(0, Math.max(0, end - at)))
    at += piece.length
  }
  return { bytes: bytes.subarray(0, at), sum: checksum.value }
}
