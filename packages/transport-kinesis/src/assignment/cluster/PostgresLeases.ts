/**
 * Leases in PostgreSQL 14 or later: a row a machine and a row a name, by the server's clock. No session is held, so a
 * pooler may stand in between.
 *
 * @since 0.1.0
 */
import * as PgTypes from "@effect/sql-pg/PgTypes"
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import * as Result from "effect/Result"
import type * as Scope from "effect/Scope"

import * as PostgresLink from "../../internal/PostgresLink.ts"
import * as LeaseStore from "./LeaseStore.ts"

/** "leat" in ASCII: a number that no other program is likely to lock. */
const lock = 0x6c656174

/** The lock keeps programs that start at once from making the tables at once, which one of them would be refused for. */
const tables = `DO $$ BEGIN
  IF to_regclass('leat_shard_leases') IS NULL OR to_regclass('leat_shard_machines') IS NULL THEN
    PERFORM pg_advisory_xact_lock(${lock}, 2);
    CREATE TABLE IF NOT EXISTS leat_shard_machines (
      namespace text COLLATE "C" NOT NULL,
      machine text COLLATE "C" NOT NULL,
      offers text NOT NULL,
      ends_at timestamptz NOT NULL,
      PRIMARY KEY (namespace, machine)
    ) WITH (fillfactor = 50);
    CREATE TABLE IF NOT EXISTS leat_shard_leases (
      namespace text COLLATE "C" NOT NULL,
      name text COLLATE "C" NOT NULL,
      machine text COLLATE "C" NOT NULL,
      ends_at timestamptz NOT NULL,
      PRIMARY KEY (namespace, name)
    ) WITH (fillfactor = 50);
  END IF;
END $$`

/** Not the time at which the transaction began: a statement may have waited for a row since. */
const now = "clock_timestamp()"
const end = `${now} + $3::double precision * interval '1 millisecond'`

const live = `INSERT INTO leat_shard_machines (namespace, machine, ends_at, offers) VALUES ($1, $2, ${end}, $4)
  ON CONFLICT (namespace, machine) DO UPDATE SET ends_at = excluded.ends_at, offers = excluded.offers`

/** Who is long dead is forgotten on the way, and what nobody holds any more, as shards that ended. */
const join = `WITH buried AS (
    DELETE FROM leat_shard_machines WHERE namespace = $1 AND ends_at < ${now} - interval '1 day' AND machine <> $2
  ), ended AS (
    DELETE FROM leat_shard_leases WHERE namespace = $1 AND name IN (
      SELECT name FROM leat_shard_leases WHERE namespace = $1 AND ends_at < ${now} - interval '1 day'
       FOR UPDATE SKIP LOCKED)
  ) ${live}`

const machines = `SELECT machine, offers FROM leat_shard_machines WHERE namespace = $1 AND ends_at > ${now}`

/** Chosen in the order given and written in the order of names, so that two machines never wait in a circle. */
const take = `WITH free AS (
    SELECT asked.name FROM unnest($4::text[]) WITH ORDINALITY AS asked (name, place)
     WHERE NOT EXISTS (SELECT FROM leat_shard_leases held
       WHERE held.namespace = $1 AND held.name = asked.name AND held.machine <> $2 AND held.ends_at > ${now})
     ORDER BY asked.place LIMIT $5::int
  )
  INSERT INTO leat_shard_leases (namespace, name, machine, ends_at)
  SELECT $1, name, $2, ${end} FROM free ORDER BY name COLLATE "C"
  ON CONFLICT (namespace, name) DO UPDATE SET machine = excluded.machine, ends_at = excluded.ends_at
   WHERE leat_shard_leases.machine = excluded.machine OR leat_shard_leases.ends_at <= ${now}
  RETURNING name`

const keep = `WITH alive AS (${live}), mine AS (
    SELECT name FROM leat_shard_leases WHERE namespace = $1 AND machine = $2 AND name = ANY ($5::text[])
     ORDER BY name FOR UPDATE
  )
  UPDATE leat_shard_leases held SET ends_at = ${end} FROM mine
   WHERE held.namespace = $1 AND held.name = mine.name AND held.machine = $2 RETURNING held.name`

const unheld = `SELECT asked.name FROM unnest($2::text[]) AS asked (name)
  WHERE NOT EXISTS (SELECT FROM leat_shard_leases held
    WHERE held.namespace = $1 AND held.name = asked.name AND held.ends_at > ${now})`

const free = `DELETE FROM leat_shard_leases WHERE namespace = $1 AND machine = $2 AND name IN (
    SELECT name FROM leat_shard_leases WHERE namespace = $1 AND machine = $2 AND name = ANY ($3::text[])
     ORDER BY name FOR UPDATE
  )`

const leave = `DELETE FROM leat_shard_machines WHERE namespace = $1 AND machine = $2`

/**
 * Leases on the database given, each call bounded by `timeout` milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = (
  url: Redacted.Redacted,
  namespace: string,
  timeout: number
): Effect.Effect<LeaseStore.LeaseStore, LeaseStore.ShardAssignmentError, Scope.Scope> =>
  Effect.gen(function* () {
    const config = { url, applicationName: "leat", maxConnections: 3, keepAlive: "10 seconds" } as const
    const link = yield* PostgresLink.open(config, timeout)
    yield* link.query(tables)
    return make(link, namespace)
  }).pipe(Effect.mapError((fault) => LeaseStore.fault("open", fault)))

const make = (link: PostgresLink.PostgresLink, namespace: string): LeaseStore.LeaseStore => {
  const query = <Row>(operation: string, sql: string, ...values: ReadonlyArray<unknown>) =>
    Effect.mapError(link.query<Row>(sql, [namespace, ...values]), (fault) => LeaseStore.fault(operation, fault))
  const namesOf = (call: ReturnType<typeof query<{ readonly name: string }>>) =>
    Effect.map(call, (rows) => rows.map(({ name }) => name))

  return {
    join: (machine, offers, lease) => Effect.asVoid(query("join", join, machine, lease, offers)),
    machines: query<LeaseStore.Machine>("machines", machines),
    take: (machine, names, most, lease) => namesOf(query("take", take, machine, lease, texts(names), most)),
    keep: (machine, names, offers, lease) => namesOf(query("keep", keep, machine, lease, offers, texts(names))),
    unheld: (names) => namesOf(query("unheld", unheld, texts(names))),
    free: (machine, names) => Effect.asVoid(query("free", free, machine, texts(names))),
    leave: (machine) => Effect.asVoid(query("leave", leave, machine))
  }
}

const texts = (values: ReadonlyArray<string>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.text))
