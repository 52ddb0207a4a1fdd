/**
 * The tables, step by step: a step that was released is never changed, the next one is added.
 *
 * `leat_entries` has the one index that every batch looks into, and no more: each costs a page written per entry. That
 * versions are unique, and that a delivery is recorded once, is seen to by the commit, which writes alone.
 */
import * as Fault from "../fault.ts"
import type { Database } from "./Database.ts"

const steps: ReadonlyArray<string> = [
  `
  CREATE TABLE leat_namespaces (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    position INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE leat_streams (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    worker TEXT NOT NULL,
    key TEXT NOT NULL,
    version INTEGER NOT NULL,
    parked INTEGER NOT NULL,
    unpublished INTEGER NOT NULL,
    UNIQUE (namespace, worker, key)
  ) STRICT;
  CREATE INDEX leat_streams_parked ON leat_streams (namespace, worker, parked) WHERE parked > 0;

  -- place: namespace × 2^40 + position. The large columns stand last: what is filtered is read without them.
  CREATE TABLE leat_entries (
    place INTEGER PRIMARY KEY,
    stream INTEGER NOT NULL,
    version INTEGER NOT NULL,
    -- Of type and event_id.
    digest INTEGER NOT NULL,
    at INTEGER NOT NULL,
    compacted INTEGER NOT NULL DEFAULT 0,
    resolves INTEGER,
    type TEXT NOT NULL,
    event_id TEXT NOT NULL,
    outcome TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    duration REAL NOT NULL,
    worker_version TEXT,
    event_version INTEGER,
    fault TEXT,
    partition TEXT NOT NULL,
    source_position TEXT NOT NULL,
    partition_key TEXT NOT NULL,
    arrival REAL NOT NULL,
    detail TEXT,
    steps TEXT,
    bytes BLOB
  ) STRICT;
  CREATE INDEX leat_entries_delivery ON leat_entries (stream, digest);

  CREATE TABLE leat_parked (
    stream INTEGER NOT NULL,
    place INTEGER NOT NULL,
    PRIMARY KEY (stream, place)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE leat_outbox (
    place INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    worker TEXT NOT NULL,
    stream INTEGER NOT NULL,
    held_until INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX leat_outbox_held ON leat_outbox (namespace, worker, held_until);
  CREATE INDEX leat_outbox_stream ON leat_outbox (stream, held_until);

  CREATE TABLE leat_views (
    id INTEGER PRIMARY KEY,
    namespace INTEGER NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    worker TEXT,
    position INTEGER NOT NULL,
    serves INTEGER NOT NULL,
    UNIQUE (namespace, name, version, generation)
  ) STRICT;

  CREATE TABLE leat_view_states (
    view INTEGER NOT NULL,
    key TEXT NOT NULL,
    state TEXT NOT NULL,
    PRIMARY KEY (view, key)
  ) STRICT, WITHOUT ROWID;
  `
]

/** Version of the tables that this program writes. */
export const current = steps.length

/** Brings the tables to the current version. Several may start at once: they wait for each other. */
export const migrate = (db: Database, now: number): void => {
  if (recorded(db) === current) return
  db.write(() => {
    const from = recorded(db)
    if (from > current) throw Fault.incompatible(from, current)
    db.exec("CREATE TABLE IF NOT EXISTS leat_migrations (version INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT")
    for (const [index, step] of steps.entries()) {
      if (index < from) continue
      db.exec(step)
      db.run("INSERT INTO leat_migrations (version, at) VALUES (?, ?)", index + 1, now)
    }
  })
}

const recorded = (db: Database): number => {
  const table = db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'leat_migrations'")
  if (table === undefined) return 0
  return (
    db.get<{ readonly version: number | null }>("SELECT max(version) AS version FROM leat_migrations")?.version ?? 0
  )
}
