/**
 * Checkpoints in PostgreSQL 14 or later: one row a shard.
 *
 * **Guarantees.** Each call is one statement, so one transaction, and takes no longer than `timeout`, also where the server
 * stands still. A checkpoint is as durable as the server's commits are.
 *
 * **Gotchas.** The table `leat_checkpoints` is made in the schema that the user's `search_path` begins with. A write that
 * was given up may have been made; to repeat it is harmless.
 *
 * @since 0.1.0
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"

import { CheckpointStore } from "../Checkpoint.ts"
import type { Checkpoint, CheckpointError, Group } from "../Checkpoint.ts"
import * as CheckpointRow from "../internal/CheckpointRow.ts"
import * as PostgresLink from "../internal/PostgresLink.ts"
import * as ShardPosition from "../ShardPosition.ts"

/**
 * Where the database is.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** `postgres://user:password@host:port/database`, with `?sslmode=require` for TLS. It is never printed. */
  readonly url: Redacted.Redacted
  /** Most connections. Default 4. */
  readonly maxConnections?: number | undefined
  /** How long a call may take. Default 5 s. */
  readonly timeout?: Duration.Input | undefined
  /** Name in `pg_stat_activity`. Default `"leat"`. */
  readonly applicationName?: string | undefined
}

/**
 * Checkpoints in the database given. Fails as `Unavailable` where the server can't be reached, as `Refused` where it does
 * not let the user in or make the table.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<CheckpointStore, CheckpointError> =>
  Layer.effect(
    CheckpointStore,
    Effect.gen(function* () {
      const { applicationName = "leat", maxConnections = 4, url } = options
      const link = yield* PostgresLink.open(
        { url, applicationName, maxConnections, keepAlive: "10 seconds" },
        Duration.toMillis(options.timeout ?? "5 seconds")
      )
      yield* link.query(table)
      return make(link)
    }).pipe(Effect.mapError(toError("open")))
  )

/** "leat" in ASCII: a number that no other program is likely to lock. */
const lock = 0x6c656174

/**
 * The lock keeps two programs that start at once from making the table at once, which one of them would be refused for;
 * where the table is there, a user who may not make one is not asked to. Text is compared byte by byte.
 */
const table = `DO $$ BEGIN
  IF to_regclass('leat_checkpoints') IS NULL THEN
    PERFORM pg_advisory_xact_lock(${lock}, 1);
    CREATE TABLE IF NOT EXISTS leat_checkpoints (
      application text COLLATE "C" NOT NULL,
      stream text COLLATE "C" NOT NULL,
      shard_id text COLLATE "C" NOT NULL,
      position text NOT NULL,
      token bigint NOT NULL,
      revision bigint NOT NULL,
      owner text NOT NULL,
      updated_at timestamptz NOT NULL DEFAULT now(),
      PRIMARY KEY (application, stream, shard_id)
    ) WITH (fillfactor = 50);
  END IF;
END $$`

const ofGroup = "application = $1 AND stream = $2"
const ofShard = `${ofGroup} AND shard_id = $3`
/** Numbers are exact up to 2^53. */
const columns = `shard_id AS "shardId", position, token::double precision AS token, owner`

const listSql = `SELECT ${columns} FROM leat_checkpoints WHERE ${ofGroup} ORDER BY shard_id`

/** In order of shard, so that two programs never wait for each other in a circle. */
const createSql = `INSERT INTO leat_checkpoints (application, stream, shard_id, position, token, revision, owner)
  SELECT $1, $2, birth.shard, birth.position, 0, 0, '' FROM unnest($3::text[], $4::text[]) AS birth (shard, position)
   ORDER BY birth.shard COLLATE "C" ON CONFLICT DO NOTHING`

const acquireSql = `UPDATE leat_checkpoints SET token = token + 1, revision = 0, owner = $4, updated_at = now()
  WHERE ${ofShard} RETURNING ${columns}`

/** One statement decides both whose the row is and whether it moves: whether a row comes back is the answer. */
const advanceSql = `UPDATE leat_checkpoints
    SET position = CASE WHEN revision < $5::double precision THEN $4 ELSE position END,
        revision = greatest(revision, $5::double precision::bigint), updated_at = now()
  WHERE ${ofShard} AND token = $6::double precision RETURNING 1`

const removeSql = `DELETE FROM leat_checkpoints WHERE ${ofGroup} AND shard_id = ANY ($3::text[])`

const make = (link: PostgresLink.PostgresLink): CheckpointStore["Service"] => {
  const query = <Row>(operation: CheckpointRow.Operation, sql: string, values: ReadonlyArray<unknown>) =>
    Effect.mapError(link.query<Row>(sql, values), toError(operation))
  return {
    list: (group) =>
      Effect.flatMap(query<CheckpointRow.Stored>("list", listSql, keyOf(group)), (rows) =>
        CheckpointRow.readAll("list", rows)
      ),
    create: (group, births) => {
      const shardIds = births.map(({ shardId }) => CheckpointRow.encodeName(shardId))
      const positions = births.map(({ position }) => ShardPosition.encode(position))
      return Effect.asVoid(query("create", createSql, [...keyOf(group), texts(shardIds), texts(positions)]))
    },
    acquire: (group, shardId, owner) =>
      Effect.flatMap(
        query<CheckpointRow.Stored>("acquire", acquireSql, keyOf(group, shardId, owner)),
        ([row]): Effect.Effect<Checkpoint | undefined, CheckpointError> =>
          row === undefined ? Effect.undefined : CheckpointRow.read("acquire", row)
      ),
    advance: (group, { position, revision, shardId, token }) =>
      Effect.map(
        query("advance", advanceSql, [...keyOf(group, shardId), ShardPosition.encode(position), revision, token]),
        (rows) => rows.length === 1
      ),
    remove: (group, shardIds) =>
      Effect.asVoid(query("remove", removeSql, [...keyOf(group), texts(shardIds.map(CheckpointRow.encodeName))]))
  }
}

const keyOf = ({ application, stream }: Group, ...more: ReadonlyArray<string>): ReadonlyArray<string> =>
  [application, stream, ...more].map(CheckpointRow.encodeName)

const texts = (values: ReadonlyArray<string>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text))

const toError =
  (operation: CheckpointRow.Operation) =>
  ({ cause, message, reason }: PostgresLink.PostgresFault): CheckpointError =>
    CheckpointRow.fault(operation, reason, message, cause)
