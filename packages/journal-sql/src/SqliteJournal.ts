/**
 * The journal in a SQLite file: embedded, with nothing to install and no server.
 *
 * **Guarantees.** A commit is one transaction, on disk before it is acknowledged (`synchronous: "full"`). Processes and
 * threads may share a file: they write one after the other, and a process that was killed in the middle of a commit has
 * written nothing of it. The clock is the process's own.
 *
 * **Limits.** SQLite is synchronous: a commit keeps the thread for as long as the disk takes (about 0.1 to 5 ms), and up to
 * 5 s where another process holds the file; then it fails as `Unavailable`. The file must lie on a local disk, not on a
 * network share. A file has room for 8,191 namespaces.
 *
 * @see https://www.sqlite.org/wal.html
 * @since 0.1.0
 */
import { Journal } from "@leat/core/Journal"
import type { JournalError } from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as View from "@leat/core/View"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

import * as Bell from "./internal/bell.ts"
import * as EscapedText from "./internal/escapedText.ts"
import * as Fault from "./internal/fault.ts"
import * as Pages from "./internal/pages.ts"
import * as Commit from "./internal/sqlite/commit.ts"
import { Database } from "./internal/sqlite/Database.ts"
import * as Entries from "./internal/sqlite/entries.ts"
import * as Migrations from "./internal/sqlite/migrations.ts"
import * as Open from "./internal/sqlite/open.ts"
import * as Outbox from "./internal/sqlite/outbox.ts"
import * as Prune from "./internal/sqlite/prune.ts"
import { attempt, maxNamespaces, placesOf } from "./internal/sqlite/Store.ts"
import type { Store } from "./internal/sqlite/Store.ts"
import * as Views from "./internal/sqlite/views.ts"

/**
 * Where the journal lies and how it is written.
 *
 * @category models
 * @since 0.1.0
 */
export interface SqliteOptions {
  /** Path of the file; it and its folder are made where they don't exist. `":memory:"` for one that nobody shares. */
  readonly file: string
  /** Keeps tenants apart that share a file: streams, positions and views. Default `"default"`. */
  readonly namespace?: string | undefined
  /**
   * `"full"`: a commit is on disk before it is acknowledged. `"normal"`: a crash of the machine (not of the process) may
   * lose the last commits, whole; faster where the disk is slow. Default `"full"`.
   */
  readonly synchronous?: "full" | "normal" | undefined
  /** How often subscribers look for what other processes commit. Default 100 ms. */
  readonly poll?: Duration.Input | undefined
}

/**
 * The journal in a file.
 *
 * **Details**
 *
 * Fails as `Refused` where the file can't be opened, as `Incompatible` where a newer program wrote it.
 *
 * **Example** (A journal of the program's own)
 *
 * ```ts
 * import { Journal } from "@leat/core/Journal"
 * import * as SqliteJournal from "@leat/journal-sql/SqliteJournal"
 * import * as Effect from "effect/Effect"
 *
 * const program = Effect.gen(function* () {
 *   const journal = yield* Journal
 *   return yield* journal.open("recommendations", [{ key: "user-1", deliveries: [] }])
 * })
 *
 * const { heads } = await Effect.runPromise(Effect.provide(program, SqliteJournal.layer({ file: ":memory:" })))
 * heads[0]?.version // => 0
 * ```
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: SqliteOptions): Layer.Layer<Journal, JournalError> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const store = yield* openStore(options)
      const journal = make(store, Duration.toMillis(options.poll ?? 100))
      for (const projection of store.inline) {
        yield* Effect.provideService(View.catchUp(projection), Journal, journal)
      }
      return journal
    })
  )

const openStore = (options: SqliteOptions): Effect.Effect<Store, JournalError, Scope.Scope> =>
  Effect.gen(function* () {
    const { file, namespace = "default", synchronous = "full" } = options
    const clock = yield* Clock.Clock
    const now = () => clock.currentTimeMillisUnsafe()
    const db = yield* Effect.acquireRelease(
      attempt(options, "connect", () => new Database({ file, synchronous })),
      (db) => Effect.sync(() => db.close())
    )
    const number = yield* attempt(options, "connect", () => {
      Migrations.migrate(db, now())
      return namespaceNumber(db, namespace)
    })
    if (number > maxNamespaces) {
      return yield* Fault.fault("connect", "Refused", `${file} has no room for more than ${maxNamespaces} namespaces`)
    }
    const inline = yield* Projection.Inline
    return { db, file, namespace: number, base: number * placesOf, now, bell: Bell.make(), inline }
  })

const namespaceNumber = (db: Database, name: string): number => {
  const find = () =>
    db.get<{ readonly id: number }>("SELECT id FROM leat_namespaces WHERE name = ?", EscapedText.encode(name))?.id
  const begin = () => {
    db.run("INSERT INTO leat_namespaces (name) VALUES (?) ON CONFLICT DO NOTHING", EscapedText.encode(name))
    return find() ?? Infinity
  }
  return find() ?? db.write(begin)
}

const make = (store: Store, poll: number): Journal["Service"] => {
  const last = attempt(store, "read", () => Entries.last(store))
  const pages: Pages.Pages = {
    last,
    page: (from, to, filter) => attempt(store, "read", () => Entries.page(store, from, to, filter)),
    moved: (position) => Bell.moved(store.bell, last, position, poll)
  }
  return {
    durable: true,
    open: (worker, lanes) => attempt(store, "open", () => Open.open(store, worker, lanes)),
    commit: (worker, lanes) => attempt(store, "commit", () => Commit.commit(store, worker, lanes)),
    read: (from, filter) => Pages.read(pages, from, filter),
    subscribe: (from, filter) => Pages.subscribe(pages, from, filter),
    parked: (worker, filter) => attempt(store, "parked", () => Entries.parked(store, worker, filter)),
    outbox: {
      claim: (worker, limit = 100) => attempt(store, "outbox", () => Outbox.claim(store, worker, limit)),
      settle: (worker, { published, returned }) =>
        attempt(store, "outbox", () => Outbox.settle(store, worker, published, returned))
    },
    views: Views.make(store),
    prune: (cutoffs) => Prune.prune(store, cutoffs)
  }
}
