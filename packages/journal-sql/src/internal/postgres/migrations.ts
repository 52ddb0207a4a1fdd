/**
 * The tables and functions, step by step: a step that was released is never changed, the next one is added. Functions
 * carry their version in their name, so that programs of two releases can share a database while one takes over.
 */
import type { JournalError } from "@leat/core/Journal"
import * as Effect from "effect/Effect"

import * as Fault from "../fault.ts"
import { claimFunction, settleFunction } from "./claimFunction.ts"
import { commitFunction } from "./commitFunction.ts"
import type { Connection, Session } from "./Connection.ts"
import { openFunction } from "./openFunction.ts"
import { pruneFunction } from "./pruneFunction.ts"

/** Text is compared byte by byte ("C"): fast, and the same order of locks on every server. */
const tables: ReadonlyArray<string> = [
  `CREATE TABLE leat_namespaces (
    id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text COLLATE "C" NOT NULL UNIQUE,
    position bigint NOT NULL DEFAULT 0
  ) WITH (fillfactor = 10)`,
  `CREATE TABLE leat_streams (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace int NOT NULL,
    worker text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    long_key text,
    version bigint NOT NULL DEFAULT 0,
    parked int NOT NULL DEFAULT 0,
    unpublished int NOT NULL DEFAULT 0,
    UNIQUE (namespace, worker, key)
  ) WITH (fillfactor = 70)`,
  `CREATE INDEX leat_streams_parked ON leat_streams (namespace, worker) WHERE parked > 0`,
  `CREATE TABLE leat_entries (
    namespace int NOT NULL,
    position bigint NOT NULL,
    stream bigint NOT NULL,
    version bigint NOT NULL,
    digest bigint NOT NULL,
    at bigint NOT NULL,
    resolves bigint,
    arrival double precision NOT NULL,
    duration double precision NOT NULL,
    attempts int NOT NULL,
    compacted boolean NOT NULL DEFAULT false,
    type text COLLATE "C" NOT NULL,
    event_id text COLLATE "C" NOT NULL,
    outcome text NOT NULL,
    worker_version text,
    event_version int,
    fault text,
    partition text NOT NULL,
    source_position text NOT NULL,
    partition_key text NOT NULL,
    detail text,
    steps text,
    bytes bytea,
    PRIMARY KEY (namespace, position)
  )`,
  `CREATE INDEX leat_entries_delivery ON leat_entries (stream, digest)`,
  `CREATE TABLE leat_parked (stream bigint NOT NULL, position bigint NOT NULL, PRIMARY KEY (stream, position))`,
  `CREATE TABLE leat_outbox (
    namespace int NOT NULL,
    position bigint NOT NULL,
    worker text COLLATE "C" NOT NULL,
    stream bigint NOT NULL,
    held_until bigint NOT NULL,
    PRIMARY KEY (namespace, worker, position)
  )`,
  `CREATE INDEX leat_outbox_held ON leat_outbox (stream, held_until)`,
  `CREATE TABLE leat_views (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    namespace int NOT NULL,
    name text COLLATE "C" NOT NULL,
    version int NOT NULL,
    generation int NOT NULL,
    worker text COLLATE "C",
    position bigint NOT NULL DEFAULT 0,
    serves boolean NOT NULL,
    UNIQUE (namespace, name, version, generation)
  )`,
  `CREATE TABLE leat_view_states (
    view bigint NOT NULL,
    key text COLLATE "C" NOT NULL,
    state text NOT NULL,
    PRIMARY KEY (view, key)
  )`
]

const steps: ReadonlyArray<ReadonlyArray<string>> = [
  [...tables, openFunction, commitFunction, claimFunction, settleFunction, pruneFunction]
]

/** Version of the tables that this program writes. */
export const current = steps.length

/** Any number will do that no other program on the server is likely to lock: "leat" in ASCII. */
const lock = 0x6c656174

/** Brings the tables to the current version. Many may start at once: they wait for each other. */
export const migrate = (connection: Connection): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    if ((yield* exists(connection)) && (yield* recorded(connection)) === current) return
    yield* connection.transaction("connect", (session) =>
      Effect.gen(function* () {
        yield* session.query("connect", "SELECT pg_advisory_xact_lock($1)", [lock])
        // Not asked whether it exists: a session may remember that it did not before it waited for the lock.
        yield* session.query("connect", createMigrations)
        const from = yield* recorded(session)
        return yield* from > current ? Fault.incompatible(from, current) : take(session, from)
      })
    )
  })

const createMigrations = `CREATE TABLE IF NOT EXISTS leat_migrations (
  version int PRIMARY KEY, at timestamptz NOT NULL DEFAULT now()
)`

const take = (session: Session, from: number): Effect.Effect<void, JournalError> =>
  Effect.gen(function* () {
    for (const [index, statements] of steps.entries()) {
      if (index < from) continue
      for (const statement of statements) yield* session.query("connect", statement)
      yield* session.query("connect", "INSERT INTO leat_migrations (version) VALUES ($1)", [index + 1])
    }
  })

const exists = (session: Session): Effect.Effect<boolean, JournalError> =>
  Effect.map(
    session.query<{ readonly found: boolean }>("connect", "SELECT to_regclass('leat_migrations') IS NOT NULL AS found"),
    ([table]) => table?.found === true
  )

const recorded = (session: Session): Effect.Effect<number, JournalError> =>
  Effect.map(
    session.query<{ readonly version: number | null }>(
      "connect",
      "SELECT max(version) AS version FROM leat_migrations"
    ),
    ([last]) => last?.version ?? 0
  )
