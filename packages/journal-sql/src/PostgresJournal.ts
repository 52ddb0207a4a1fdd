/**
 * The journal in PostgreSQL 14 or later: for programs on several machines.
 *
 * **Guarantees.** A commit is one transaction and one round trip. Positions are given in the order of the commits, so a
 * reader never passes over an entry of a transaction that ends late. Two commits never wait for each other in a circle. The
 * server's clock says when an entry was committed and until when the outbox is held.
 *
 * **Limits.** Commits of one namespace wait for each other's disk: with 1 ms a flush about 1,000 commits, of 100 entries or
 * more each, a second. Where that is too few, namespaces share nothing but the server.
 *
 * @since 0.1.0
 */
import type * as PgPool from "@effect/sql-pg/PgPool"
import { Journal } from "@leat/core/Journal"
import type { JournalError } from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as View from "@leat/core/View"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

import * as Bell from "./internal/bell.ts"
import * as EscapedText from "./internal/escapedText.ts"
import * as Fault from "./internal/fault.ts"
import * as Pages from "./internal/pages.ts"
import * as Commit from "./internal/postgres/commit.ts"
import * as Connection from "./internal/postgres/Connection.ts"
import * as Entries from "./internal/postgres/entries.ts"
import * as Listener from "./internal/postgres/listener.ts"
import * as Migrations from "./internal/postgres/migrations.ts"
import * as Open from "./internal/postgres/open.ts"
import * as Outbox from "./internal/postgres/outbox.ts"
import * as Prune from "./internal/postgres/prune.ts"
import type { Store } from "./internal/postgres/Store.ts"
import * as Views from "./internal/postgres/views.ts"

/**
 * Where the database is and how many connections there may be.
 *
 * @category models
 * @since 0.1.0
 */
export interface PostgresOptions {
  /** `postgres://user:password@host:port/database`, with `?sslmode=require` for TLS. It is never printed. */
  readonly url: Redacted.Redacted
  /** Keeps tenants apart that share a database: streams, positions and views. Default `"default"`. */
  readonly namespace?: string | undefined
  /** Most connections; a subscriber has one more. Default 10; one is enough for a Lambda function. */
  readonly maxConnections?: number | undefined
  /** How long a connection may take. Default 5 s. */
  readonly connectTimeout?: Duration.Input | undefined
  /** How long a statement may take before the journal counts as unavailable. Default 10 s. */
  readonly timeout?: Duration.Input | undefined
  /** How often subscribers look in case a notification was lost. Default 1 s. */
  readonly poll?: Duration.Input | undefined
  /** Name in `pg_stat_activity`. Default `"leat"`. */
  readonly applicationName?: string | undefined
}

/**
 * The journal in a database.
 *
 * **Details**
 *
 * The tables, whose names begin with `leat_`, are made in the schema that the user's `search_path` begins with. Fails as
 * `Unavailable` where the server can't be reached, as `Refused` where it doesn't let the user in or the URL is wrong, as
 * `Incompatible` where a newer program wrote the tables.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: PostgresOptions): Layer.Layer<Journal, JournalError> =>
  Layer.effect(
    Journal,
    Effect.gen(function* () {
      const store = yield* openStore(options)
      const moved = yield* Listener.make(store, Duration.toMillis(options.poll ?? "1 second"))
      const journal = make(store, moved)
      for (const projection of store.inline) {
        yield* Effect.provideService(View.catchUp(projection), Journal, journal)
      }
      return journal
    })
  )

const openStore = (options: PostgresOptions): Effect.Effect<Store, JournalError, Scope.Scope> =>
  Effect.gen(function* () {
    const timeout = Duration.toMillis(options.timeout ?? "10 seconds")
    const connection = yield* Connection.make(configOf(options), yield* addressOf(options.url), timeout)
    yield* Migrations.migrate(connection)
    const namespace = yield* namespaceNumber(connection, options.namespace ?? "default")
    return { connection, namespace, bell: Bell.make(), inline: yield* Projection.Inline }
  })

const configOf = ({
  applicationName = "leat",
  connectTimeout,
  maxConnections,
  url
}: PostgresOptions): PgPool.Config => ({
  url,
  applicationName,
  connectTimeout,
  maxConnections,
  keepAlive: "10 seconds",
  maxMessageSize: largestMessage
})

/** One row of the largest event that a transport brings (10 MiB), with as much again as it emitted, and room. */
const largestMessage = 128 * 1024 * 1024

/** For messages. Only what can't hold a password, and only of a URL that is one. */
const addressOf = (secret: Redacted.Redacted): Effect.Effect<string, JournalError> => {
  const url = URL.parse(Redacted.value(secret))
  return url === null || !/^postgres(ql)?:$/.test(url.protocol)
    ? Effect.fail(
        Fault.fault("connect", "Refused", "the URL of PostgreSQL is not postgres://user:password@host:port/database")
      )
    : Effect.succeed(`${url.hostname || "localhost"}:${url.port || "5432"}${url.pathname}`)
}

const namespaceNumber = (connection: Connection.Connection, namespace: string): Effect.Effect<number, JournalError> =>
  Effect.gen(function* () {
    const name = EscapedText.encode(namespace)
    const find = connection.query<{ readonly id: number }>(
      "connect",
      "SELECT id FROM leat_namespaces WHERE name = $1",
      [name]
    )
    const [found] = yield* find
    if (found !== undefined) return found.id
    yield* connection.query("connect", "INSERT INTO leat_namespaces (name) VALUES ($1) ON CONFLICT DO NOTHING", [name])
    const [begun] = yield* find
    return begun === undefined ? yield* Effect.die("a namespace that was just written is gone") : begun.id
  })

const make = (store: Store, moved: Pages.Pages["moved"]): Journal["Service"] => {
  const pages: Pages.Pages = {
    last: Entries.last(store),
    page: (from, to, filter) => Entries.page(store, from, to, filter),
    moved
  }
  return {
    durable: true,
    open: (worker, lanes) => Open.open(store, worker, lanes),
    commit: (worker, lanes) => Commit.commit(store, worker, lanes),
    read: (from, filter) => Pages.read(pages, from, filter),
    subscribe: (from, filter) => Pages.subscribe(pages, from, filter),
    parked: (worker, filter) => Entries.parked(store, worker, filter),
    outbox: {
      claim: (worker, limit = 100) => Outbox.claim(store, worker, limit),
      settle: (worker, { published, returned }) => Outbox.settle(store, worker, published, returned)
    },
    views: Views.make(store),
    prune: (cutoffs) => Prune.prune(store, cutoffs)
  }
}
