/**
 * The cache store on Redis: one server, a primary that sentinels watch, or a cluster.
 *
 * **Guarantees.** A batch is one command (in a cluster one write to each node), and never takes longer than `timeout`. A Redis
 * that is not there, hangs or refuses us is an error of the store within that time, and without any delay once it is known to
 * be down; commands are not kept for later, so nothing is replayed when it is back, and it is back by itself. In a cluster a
 * node that is down costs its own keys alone. Building the layer never fails and waits at most 300 ms. Values stand under
 * their own keys as plain strings that other programs may read and write; fences stand under keys of their own.
 *
 * **Gotchas.** An invalidation is compared with the start of a load, so the clocks of the machines that write should
 * agree to within a few milliseconds.
 *
 * @since 0.1.0
 */
import * as CacheStore from "@leat/core/CacheStore"
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Command } from "ioredis"

import { Cluster } from "./internal/cluster/cluster.ts"
import * as clusterStore from "./internal/cluster/store.ts"
import type { Connection } from "./internal/connection.ts"
import * as FencedWrite from "./internal/fencedWrite.ts"
import { readCommand } from "./internal/read.ts"
import * as wires from "./internal/wires.ts"
import { within } from "./internal/within.ts"
import type { Within } from "./internal/within.ts"
import * as RedisConfig from "./RedisConfig.ts"

/**
 * Where Redis is and how long it may take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** One server; a cluster, of which the endpoints are some nodes; or a primary that sentinels know. Default `standalone`. */
  readonly mode?: "standalone" | "cluster" | "sentinel" | undefined
  /** Of the server, of nodes of the cluster, or of sentinels. Default: {@link host} and {@link port}. */
  readonly endpoints?: ReadonlyArray<{ readonly host: string; readonly port: number }> | undefined
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 6379. */
  readonly port?: number | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  /** Default 0. */
  readonly database?: number | undefined
  /** Whether to speak TLS, with a certificate valid for the host. Default false. */
  readonly tls?: boolean | undefined
  /** The certificates of authorities to trust, as PEM. Default: the system's. */
  readonly ca?: string | undefined
  /** What the sentinels call the primary, and who one must be to ask them. */
  readonly sentinel?:
    | {
        readonly master: string
        readonly username?: string | undefined
        readonly password?: Redacted.Redacted | undefined
      }
    | undefined
  /** Authenticates {@link username} at ElastiCache with tokens of IAM instead of a password. */
  readonly iam?: Iam | undefined
  /** Longest a batch may take. Default 100 ms; a nearer deadline shortens it. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * An ElastiCache with IAM authentication. It needs the packages `@smithy/signature-v4` and, unless credentials are given,
 * `@aws-sdk/credential-provider-node`, which are loaded for it alone.
 *
 * @category models
 * @since 0.1.0
 */
export interface Iam {
  /** The name of the replication group or of the serverless cache. */
  readonly cacheName: string
  readonly region: string
  /** Default false. */
  readonly serverless?: boolean | undefined
  /** Default: those of the environment, as every AWS SDK finds them. */
  readonly credentials?:
    | (() => Promise<{
        readonly accessKeyId: string
        readonly secretAccessKey: string
        readonly sessionToken?: string | undefined
      }>)
    | undefined
}

/**
 * A store on connections of its own, which end with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<CacheStore.CacheStore["Service"], never, Scope.Scope> {
  const { connect, settings } = yield* wires.make(options)
  const { timeout } = settings
  if (settings.mode === "cluster") {
    const seeds = settings.endpoints
    const cluster = yield* Effect.acquireRelease(
      Effect.sync(() => new Cluster({ seeds, timeout, connect })),
      (opened) => opened.close()
    )
    yield* cluster.attempted(longestBuild)
    return clusterStore.storeOn(cluster, within(timeout))
  }
  const connection = yield* Effect.acquireRelease(
    Effect.sync(() => connect()),
    (opened) => opened.close()
  )
  yield* Effect.timeoutOption(connection.attempted.await, longestBuild)
  return storeOn(connection, within(timeout))
})

/**
 * The store on the Redis given.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<CacheStore.CacheStore> =>
  Layer.effect(CacheStore.CacheStore, make(options))

/**
 * The store on the Redis of the environment: see {@link "./RedisConfig.ts"} for the variables.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<CacheStore.CacheStore, Config.ConfigError> = Layer.effect(
  CacheStore.CacheStore,
  Effect.flatMap(RedisConfig.redis, make)
)

/** So short that a Lambda's cold start doesn't suffer from a Redis that is down. */
const longestBuild = 300

const storeOn = (connection: Connection, inTime: Within): CacheStore.CacheStore["Service"] => {
  /** A server that was restarted has forgotten its scripts: it gets them whole, once. */
  const run = (
    batch: (naming: FencedWrite.Naming) => ReadonlyArray<Command>
  ): Effect.Effect<void, CacheStore.CacheStoreError> =>
    Effect.asVoid(
      Effect.catch(
        inTime((millis) => connection.request(() => batch("EVALSHA"), millis)),
        (error) =>
          error.message.startsWith("NOSCRIPT")
            ? inTime((millis) => connection.request(() => batch("EVAL"), millis))
            : Effect.fail(error)
      )
    )

  return CacheStore.CacheStore.of({
    name: "redis",
    getMany: (keys) =>
      keys.length === 0
        ? nothing
        : Effect.map(
            inTime((millis) => connection.request(() => reads(keys), millis)),
            valuesOf
          ),
    setMany: (entries) => (entries.length === 0 ? Effect.void : run((naming) => FencedWrite.writes(entries, naming))),
    invalidate: (keys, at) =>
      keys.length === 0 ? Effect.void : run((naming) => FencedWrite.invalidations(keys, at, naming)),
    ready: (time) => connection.ready(Duration.toMillis(time))
  })
}

const nothing = Effect.succeed<ReadonlyArray<Uint8Array | undefined>>([])

const reads = (keys: ReadonlyArray<string>): ReadonlyArray<Command> => {
  if (keys.length <= FencedWrite.maxKeys) return [readCommand(keys)]
  const commands: Array<Command> = []
  for (let from = 0; from < keys.length; from += FencedWrite.maxKeys) {
    commands.push(readCommand(keys.slice(from, from + FencedWrite.maxKeys)))
  }
  return commands
}

const valuesOf = (replies: ReadonlyArray<unknown>): ReadonlyArray<Uint8Array | undefined> => {
  const values: Array<Uint8Array | undefined> = []
  for (const reply of replies) {
    if (!Array.isArray(reply)) continue
    // An MGET answers bytes or null, whatever is stored.
    for (const value of reply as ReadonlyArray<Uint8Array | null>) values.push(value ?? undefined)
  }
  return values
}
