import * as Fs from "node:fs/promises"
import * as Os from "node:os"
import * as Path from "node:path"
import { crc32 } from "node:zlib"

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as Catalog from "../../src/engine/Catalog.ts"
import * as Engine from "../../src/engine/Engine.ts"
import * as Snapshot from "../../src/engine/Snapshot.ts"
import { train } from "../../src/engine/train.ts"

const catalog = Catalog.make({ seed: 5, users: 40, items: 90 })
const ratings = Catalog.ratings(catalog)
const snapshot: Snapshot.Snapshot = { model: train(ratings), ratings, movies: catalog.movies }

const folder = Effect.acquireRelease(
  Effect.promise(() => Fs.mkdtemp(Path.join(Os.tmpdir(), "leat-snapshot-"))),
  (path) => Effect.promise(() => Fs.rm(path, { recursive: true }))
)

/** Writes a good file, lets `spoil` change its bytes, and answers with the reason it is then refused for. */
const refusal = Effect.fnUntraced(function* (spoil: (bytes: Buffer) => Uint8Array) {
  const path = Path.join(yield* folder, "model.leat")
  yield* Snapshot.write(path, snapshot)
  const bytes = yield* Effect.promise(() => Fs.readFile(path))
  yield* Effect.promise(() => Fs.writeFile(path, spoil(bytes)))
  const error = yield* Effect.flip(Snapshot.read(path))
  assert.strictEqual(error.path, path)
  return error.reason
})

const withChecksum = (bytes: Buffer): Buffer => {
  bytes.writeUInt32LE(crc32(bytes.subarray(0, -4)), bytes.length - 4)
  return bytes
}

describe("a snapshot", () => {
  it.effect("comes back as it was, and recommends the same", () =>
    Effect.gen(function* () {
      const path = Path.join(yield* folder, "model.leat")
      yield* Snapshot.write(path, snapshot)
      const read = yield* Snapshot.read(path)
      assert.deepStrictEqual(read, snapshot)
      const [before, after] = [Engine.make(snapshot), Engine.make(read)]
      for (let userId = 0; userId < 42; userId++) {
        assert.deepStrictEqual(after.recommend(userId, 20), before.recommend(userId, 20))
      }
    })
  )

  it.effect("replaces the one before and leaves nothing beside it", () =>
    Effect.gen(function* () {
      const home = yield* folder
      const path = Path.join(home, "model.leat")
      yield* Snapshot.write(path, snapshot)
      yield* Snapshot.write(path, { ...snapshot, movies: [] })
      assert.deepStrictEqual((yield* Snapshot.read(path)).movies, [])
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(home)), ["model.leat"])
    })
  )

  it.effect("that can't be written leaves the one before as it was", () =>
    Effect.gen(function* () {
      const home = yield* folder
      const path = Path.join(home, "taken")
      yield* Effect.promise(() => Fs.mkdir(Path.join(path, "by-a-folder"), { recursive: true }))
      const error = yield* Effect.flip(Snapshot.write(path, snapshot))
      assert.strictEqual(error.reason, "Unwritable")
      assert.deepStrictEqual(yield* Effect.promise(() => Fs.readdir(home)), ["taken"])
    })
  )

  it.effect("that isn't there is unreadable", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(Snapshot.read(Path.join(yield* folder, "nothing")))
      assert.strictEqual(error.reason, "Unreadable")
    })
  )

  it.effect("of another program is refused", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* refusal((bytes) => (bytes.write("GIF89a"), bytes)), "WrongMagic")
    })
  )

  it.effect("of a newer format is refused", () =>
    Effect.gen(function* () {
      const reason = yield* refusal((bytes) => (bytes.writeUInt32LE(2, 8), withChecksum(bytes)))
      assert.strictEqual(reason, "WrongVersion")
    })
  )

  it.effect("that is cut short anywhere is refused", () =>
    Effect.gen(function* () {
      for (const length of [0, 5, 12, 19, 100]) {
        assert.strictEqual(yield* refusal((bytes) => bytes.subarray(0, length)), "Truncated", `${length} bytes`)
      }
      assert.strictEqual(yield* refusal((bytes) => bytes.subarray(0, -1)), "Truncated")
      assert.strictEqual(yield* refusal((bytes) => bytes.subarray(0, bytes.length / 2)), "Truncated")
    })
  )

  it.effect("with one bit changed in head, body or checksum is refused", () =>
    Effect.gen(function* () {
      for (const at of [25, 4000, 0.5, -5, -1]) {
        const reason = yield* refusal((bytes) => {
          const place = at < 0 ? bytes.length + at : at < 1 ? Math.floor(bytes.length * at) : at
          bytes[place] = (bytes[place] ?? 0) ^ 1
          return bytes
        })
        assert.strictEqual(reason, "WrongChecksum", `byte ${at}`)
      }
    })
  )

  it.effect("with a right checksum and a wrong content is refused", () =>
    Effect.gen(function* () {
      const fraud = { ...snapshot, model: { ...snapshot.model, trained: snapshot.model.trained.map((x) => x + 90) } }
      const path = Path.join(yield* folder, "model.leat")
      yield* Snapshot.write(path, fraud)
      assert.strictEqual((yield* Effect.flip(Snapshot.read(path))).reason, "Malformed")
      const longer = yield* refusal((bytes) => withChecksum(Buffer.concat([bytes, Buffer.alloc(8)])))
      assert.strictEqual(longer, "Malformed")
      const head = yield* refusal((bytes) => (bytes.write("[", 16), withChecksum(bytes)))
      assert.strictEqual(head, "Malformed")
    })
  )
})
