/**
 * Leases in PostgreSQL 14 or later: a row a machine and a row a slot, by the server's clock. No session is held, so a
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
  IF to_regclass('leat_leases') IS NULL OR to_regclass('leat_machines') IS NULL THEN
    PERFORM pg_advisory_xact_lock(${lock}, 2);
    CREATE TABLE IF NOT EXISTS leat_machines (
      namespace text COLLATE "C" NOT NULL,
      machine text COLLATE "C" NOT NULL,
      ends_at timestamptz NOT NULL,
      PRIMARY KEY (namespace, machine)
    ) WITH (fillfactor = 50);
    CREATE TABLE IF NOT EXISTS leat_leases (
      namespace text COLLATE "C" NOT NULL,
      slot int NOT NULL,
      machine text COLLATE "C" NOT NULL,
      ends_at timestamptz NOT NULL,
      PRIMARY KEY (namespace, slot)
    ) WITH (fillfactor = 50);
  END IF;
END $$`

/** Not the time at which the transaction began: a statement may have waited for a row since. */
const now = "clock_timestamp()"
const end = `${now} + $3::double precision * interval '1 millisecond'`

/** Who is long dead is forgotten on the way. */
const join = `WITH buried AS (
    DELETE FROM leat_machines WHERE namespace = $1 AND ends_at < ${now} - interval '1 day' AND machine <> $2
  )
  INSERT INTO leat_machines (namespace, machine, ends_at) VALUES ($1, $2, ${end})
  ON CONFLICT (namespace, machine) DO UPDATE SET ends_at = excluded.ends_at`

const machines = `SELECT machine FROM leat_machines WHERE namespace = $1 AND ends_at > ${now}`

/** Chosen in the order given and written in the order of slots, so that two machines never wait in a circle. */
const take = `WITH free AS (
    SELECT asked.slot FROM unnest($4::int[]) WITH ORDINALITY AS asked (slot, place)
     WHERE NOT EXISTS (SELECT FROM leat_leases held
       WHERE held.namespace = $1 AND held.slot = asked.slot AND held.machine <> $2 AND held.ends_at > ${now})
     ORDER BY asked.place LIMIT $5::int
  )
  INSERT INTO leat_leases (namespace, slot, machine, ends_at)
  SELECT $1, slot, $2, ${end} FROM free ORDER BY slot
  ON CONFLICT (namespace, slot) DO UPDATE SET machine = excluded.machine, ends_at = excluded.ends_at
   WHERE leat_leases.machine = excluded.machine OR leat_leases.ends_at <= ${now}
  RETURNING slot`

const keep = `WITH alive AS (
    INSERT INTO leat_machines (namespace, machine, ends_at) VALUES ($1, $2, ${end})
    ON CONFLICT (namespace, machine) DO UPDATE SET ends_at = excluded.ends_at
  ), mine AS (
    SELECT slot FROM leat_leases WHERE namespace = $1 AND machine = $2 AND slot = ANY ($4::int[])
     ORDER BY slot FOR UPDATE
  )
  UPDATE leat_leases held SET ends_at = ${end} FROM mine
   WHERE held.namespace = $1 AND held.slot = mine.slot AND held.machine = $2 RETURNING held.slot`

const free = `DELETE FROM leat_leases WHERE namespace = $1 AND machine = $2 AND slot IN (
    SELECT slot FROM leat_leases WHERE namespace = $1 AND machine = $2 AND slot = ANY ($3::int[]) ORDER BY slot FOR UPDATE
  )`

const leave = `DELETE FROM leat_machines WHERE namespace = $1 AND machine = $2`

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
  const slotsOf = (call: ReturnType<typeof query<{ readonly slot: number }>>) =>
    Effect.map(call, (rows) => rows.map(({ slot }) => slot))

  return {
    join: (machine, lease) => Effect.asVoid(query("join", join, machine, lease)),
    machines: Effect.map(query<{ readonly machine: string }>("machines", machines), (rows) =>
      rows.map(({ machine }) => machine)
    ),
    take: (machine, slots, most, lease) => slotsOf(query("take", take, machine, lease, ints(slots), most)),
    keep: (machine, slots, lease) => slotsOf(query("keep", keep, machine, lease, ints(slots))),
    free: (machine, slots) => Effect.asVoid(query("free", free, machine, ints(slots))),
    leave: (machine) => Effect.asVoid(query("leave", leave, machine))
  }
}

const ints = (values: ReadonlyArray<number>): PgTypes.Parameter =>
  Result.getOrThrow(PgTypes.array(values, PgTypes.OID.int4))
