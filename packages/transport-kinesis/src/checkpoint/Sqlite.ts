/**
 * Checkpoints in a SQLite file: one machine, nothing to install.
 *
 * **Guarantees.** A checkpoint is on disk before it is acknowledged (WAL, `synchronous = FULL`). Processes may share a
 * file: they write one after the other, and what a killed one wrote half is not there.
 *
 * **Gotchas.** SQLite is synchronous: a write keeps the thread as long as the disk takes, and up to `timeout` where
 * another process holds the file. The file must lie on a local disk, not on a network share.
 *
 * @see https://www.sqlite.org/wal.html
 * @since 0.1.0
 */
import { mkdirSync } from "node:fs"
import { dirname } from "node:path"
import { DatabaseSync } from "node:sqlite"

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { CheckpointStore } from "../Checkpoint.ts"
import type { Checkpoint, CheckpointError, Group } from "../Checkpoint.ts"
import * as CheckpointRow from "../internal/CheckpointRow.ts"
import * as ShardPosition from "../ShardPosition.ts"

/**
 * Where the file lies.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Path of the file; it and its folder are made where they don't exist. `":memory:"` for one that nobody shares. */
  readonly file: string
  /** How long a call may wait for another process's transaction. Default 5 s. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * Checkpoints in the file given. Fails as `Refused` where it can't be opened.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<CheckpointStore, CheckpointError> =>
  Layer.effect(
    CheckpointStore,
    Effect.map(
      Effect.acquireRelease(
        attempt(options.file, "open", () => open(options)),
        (db) => Effect.sync(() => db.close())
      ),
      (db) => make(db, options.file)
    )
  )

const table = `CREATE TABLE IF NOT EXISTS leat_checkpoints (
  application TEXT NOT NULL,
  stream TEXT NOT NULL,
  shard_id TEXT NOT NULL,
  position TEXT NOT NULL,
  token INTEGER NOT NULL,
  revision INTEGER NOT NULL,
  owner TEXT NOT NULL,
  updated_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
  PRIMARY KEY (application, stream, shard_id)
) WITHOUT ROWID`

const open = ({ file, timeout }: Options): DatabaseSync => {
  if (file !== ":memory:") mkdirSync(dirname(file), { recursive: true })
  const db = new DatabaseSync(file, { timeout: Duration.toMillis(timeout ?? "5 seconds") })
  try {
    patiently(() => db.exec("PRAGMA journal_mode = WAL"), Duration.toMillis(timeout ?? "5 seconds"))
    db.exec(`PRAGMA synchronous = FULL; ${table}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/** Changing to WAL doesn't wait for others, whatever the timeout says; so this does, in the same way. */
const patiently = (change: () => void, timeout: number): void => {
  for (let waited = 0; ; waited += pause) {
    try {
      return change()
    } catch (error) {
      if (codeOf(error) !== busy || waited >= timeout) throw error
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pause)
    }
  }
}

const pause = 10

const ofGroup = "application = ? AND stream = ?"
const ofShard = `${ofGroup} AND shard_id = ?`
const columns = "shard_id AS shardId, position, token, owner"

const make = (db: DatabaseSync, file: string): CheckpointStore["Service"] => {
  const rows = db.prepare(`SELECT ${columns} FROM leat_checkpoints WHERE ${ofGroup} ORDER BY shard_id`)
  const insert = db.prepare(
    `INSERT INTO leat_checkpoints (application, stream, shard_id, position, token, revision, owner)
      VALUES (?, ?, ?, ?, 0, 0, '') ON CONFLICT DO NOTHING`
  )
  const take = db.prepare(
    `UPDATE leat_checkpoints SET token = token + 1, revision = 0, owner = ?, updated_at = CURRENT_TIMESTAMP
      WHERE ${ofShard} RETURNING ${columns}`
  )
  // One statement decides both whose the row is and whether it moves: the number of rows is the answer.
  const move = db.prepare(
    `UPDATE leat_checkpoints
        SET position = CASE WHEN revision < ? THEN ? ELSE position END, revision = max(revision, ?),
            updated_at = CURRENT_TIMESTAMP
      WHERE ${ofShard} AND token = ?`
  )
  const forget = db.prepare(`DELETE FROM leat_checkpoints WHERE ${ofShard}`)
  const on = <A>(operation: CheckpointRow.Operation, work: () => A) => attempt(file, operation, work)

  return {
    list: (group) =>
      Effect.flatMap(
        on("list", () => rows.all(...keyOf(group))),
        (found) => CheckpointRow.readAll("list", found.map(toStored))
      ),
    create: (group, births) =>
      on("create", () =>
        allOrNothing(db, () => {
          for (const { position, shardId } of births)
            insert.run(...keyOf(group, shardId), ShardPosition.encode(position))
        })
      ),
    acquire: (group, shardId, owner) =>
      Effect.flatMap(
        on("acquire", () => take.get(CheckpointRow.encodeName(owner), ...keyOf(group, shardId))),
        (row): Effect.Effect<Checkpoint | undefined, CheckpointError> =>
          row === undefined ? Effect.undefined : CheckpointRow.read("acquire", toStored(row))
      ),
    advance: (group, { position, revision, shardId, token }) =>
      on("advance", () => {
        const text = ShardPosition.encode(position)
        return move.run(revision, text, revision, ...keyOf(group, shardId), token).changes === 1
      }),
    remove: (group, shardIds) =>
      on("remove", () =>
        allOrNothing(db, () => {
          for (const shardId of shardIds) forget.run(...keyOf(group, shardId))
        })
      )
  }
}

const keyOf = ({ application, stream }: Group, ...shardId: ReadonlyArray<string>): ReadonlyArray<string> =>
  [application, stream, ...shardId].map(CheckpointRow.encodeName)

const toStored = (row: { readonly [column: string]: unknown }): CheckpointRow.Stored => ({
  shardId: String(row["shardId"]),
  position: String(row["position"]),
  token: Number(row["token"]),
  owner: String(row["owner"])
})

const allOrNothing = (db: DatabaseSync, body: () => void): void => {
  db.exec("BEGIN IMMEDIATE")
  try {
    body()
    db.exec("COMMIT")
  } catch (error) {
    // A full disk has ended the transaction already.
    if (db.isTransaction) db.exec("ROLLBACK")
    throw error
  }
}

/** What SQLite or the file system throws becomes the error; anything else is a defect. */
const attempt = <A>(
  file: string,
  operation: CheckpointRow.Operation,
  work: () => A
): Effect.Effect<A, CheckpointError> =>
  Effect.suspend(() => {
    try {
      return Effect.succeed(work())
    } catch (thrown) {
      return toError(file, operation, thrown) ?? Effect.die(thrown)
    }
  })

const toError = (file: string, operation: CheckpointRow.Operation, thrown: unknown): CheckpointError | undefined => {
  if (!(thrown instanceof Error)) return undefined
  const code = codeOf(thrown)
  if (code !== undefined) {
    const why = code === busy || code === locked ? "another process keeps it locked" : thrown.message
    return CheckpointRow.fault(operation, reasons.get(code) ?? "Refused", `${file}: ${why}`, thrown)
  }
  return "syscall" in thrown
    ? CheckpointRow.fault(operation, "Refused", `${file}: ${thrown.message}`, thrown)
    : undefined
}

/** @see https://www.sqlite.org/rescode.html the low byte is the primary code */
const codeOf = (error: unknown): number | undefined =>
  error instanceof Error && "errcode" in error && typeof error.errcode === "number" ? error.errcode & 0xff : undefined

const busy = 5
const locked = 6

/** Busy, locked, an I/O error and a full disk may pass. */
const reasons = new Map<number, CheckpointError["reason"]>([
  [busy, "Unavailable"],
  [locked, "Unavailable"],
  [10, "Unavailable"],
  [13, "Unavailable"],
  [11, "Corrupt"]
])
