/**
 * The cache store on Redis.
 *
 * **Guarantees.** A batch is one command, and never takes longer than `timeout`. A Redis that is not there, hangs or
 * refuses us is an error of the store within that time, and without any delay once it is known to be down; commands are
 * not kept for later, so nothing is replayed when it is back, and it is back by itself. Building the layer never fails
 * and waits at most 300 ms. Values stand under their own keys as plain strings that other programs may read and write;
 * fences stand under keys of their own.
 *
 * **Gotchas.** An invalidation is compared with the start of a load, so the clocks of the machines that write should
 * agree to within a few milliseconds.
 *
 * @since 0.1.0
 */
import * as CacheStore from "@leat/core/CacheStore"
import * as Deadline from "@leat/core/Deadline"
import * as Clock from "effect/Clock"
import type * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Command } from "ioredis"

import { Connection } from "./internal/connection.ts"
import type { Change, Surroundings } from "./internal/connection.ts"
import { CommandEncoder, EncodedCommand } from "./internal/encodedCommand.ts"
import * as FencedWrite from "./internal/fencedWrite.ts"
import * as RedisConfig from "./RedisConfig.ts"

/**
 * Where Redis is and how long it may take.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default `127.0.0.1`. */
  readonly host?: string | undefined
  /** Default 6379. */
  readonly port?: number | undefined
  readonly username?: string | undefined
  readonly password?: Redacted.Redacted | undefined
  /** Default 0. */
  readonly database?: number | undefined
  /** Whether to speak TLS, with a certificate valid for `host`. Default false. */
  readonly tls?: boolean | undefined
  /** Longest a batch may take. Default 100 ms; a nearer {@link Deadline.Deadline} shortens it. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * A store on its own connection, which ends with the scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = Effect.fnUntraced(function* (
  options: Options = {}
): Effect.fn.Return<CacheStore.CacheStore["Service"], never, Scope.Scope> {
  const timeout = Duration.toMillis(options.timeout ?? 100)
  const random = yield* Random.Random
  const redis = clientOptions(options, timeout, () => random.nextDoubleUnsafe())
  const log = Effect.runForkWith(yield* Effect.context())
  const connection = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Connection({
          redis,
          timeout,
          random: () => random.nextDoubleUnsafe(),
          onChange: (change) => log(logChange(`${redis.host}:${redis.port}`, change))
        })
    ),
    (opened) => opened.close()
  )
  yield* Effect.timeoutOption(connection.attempted.await, longestBuild)
  return storeOn(connection, timeout)
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

const storeOn = (connection: Connection, timeout: number): CacheStore.CacheStore["Service"] => {
  const request = (
    batch: () => ReadonlyArray<Command>
  ): Effect.Effect<ReadonlyArray<unknown>, CacheStore.CacheStoreError> =>
    Effect.withFiber((fiber) => {
      const deadline = fiber.getRef(Deadline.Deadline)
      if (deadline === Infinity) return connection.request(batch, timeout)
      const left = deadline - fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      return left > 0 ? connection.request(batch, Math.min(timeout, left)) : outOfTime
    })

  /** A server that was restarted has forgotten its scripts: it gets them whole, once. */
  const run = (
    batch: (naming: FencedWrite.Naming) => ReadonlyArray<Command>
  ): Effect.Effect<void, CacheStore.CacheStoreError> =>
    Effect.asVoid(
      Effect.catch(
        request(() => batch("EVALSHA")),
        (error) => (error.message.startsWith("NOSCRIPT") ? request(() => batch("EVAL")) : Effect.fail(error))
      )
    )

  return CacheStore.CacheStore.of({
    name: "redis",
    getMany: (keys) =>
      keys.length === 0
        ? nothing
        : Effect.map(
            request(() => reads(keys)),
            valuesOf
          ),
    setMany: (entries) => (entries.length === 0 ? Effect.void : run((naming) => FencedWrite.writes(entries, naming))),
    invalidate: (keys, at) =>
      keys.length === 0 ? Effect.void : run((naming) => FencedWrite.invalidations(keys, at, naming)),
    ready: (within) => connection.ready(Duration.toMillis(within))
  })
}

const nothing = Effect.succeed<ReadonlyArray<Uint8Array | undefined>>([])

const outOfTime = Effect.suspend(() =>
  Effect.fail(new CacheStore.CacheStoreError({ reason: "Timeout", message: "the deadline has passed" }))
)

const reads = (keys: ReadonlyArray<string>): ReadonlyArray<Command> => {
  const commands: Array<Command> = []
  for (let from = 0; from < keys.length; from += FencedWrite.maxKeys) {
    commands.push(read(keys.length <= FencedWrite.maxKeys ? keys : keys.slice(from, from + FencedWrite.maxKeys)))
  }
  return commands
}

/** Without a `replyEncoding` ioredis gives the bytes, not text. */
const read = (keys: ReadonlyArray<string>): EncodedCommand => {
  let size = 32
  for (const key of keys) size += key.length + 24
  const encoder = new CommandEncoder(1 + keys.length, size)
  encoder.text("MGET")
  for (const key of keys) encoder.text(key)
  return new EncodedCommand("mget", encoder.finish())
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

/**
 * Settings that survive a Redis that refuses, dies, freezes or fails over; each was measured with a real server. ioredis'
 * own would keep commands while offline and make a GET wait for 73 s.
 */
const clientOptions = (options: Options, timeout: number, random: () => number): Surroundings["redis"] => ({
  host: options.host ?? "127.0.0.1",
  port: options.port ?? 6379,
  db: options.database ?? 0,
  ...(options.username === undefined ? {} : { username: options.username }),
  ...(options.password === undefined ? {} : { password: Redacted.value(options.password) }),
  ...(options.tls === true ? { tls: {} } : {}),
  lazyConnect: true,
  connectTimeout: 500,
  // Armed while a reply is awaited, in a handshake too, where a batch's own time doesn't apply. Longer than the timeouts
  // that open the breaker, which knows more.
  socketTimeout: Math.max(300, 4 * timeout),
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  maxLoadingRetryTime: 1_000,
  keepAlive: 10_000,
  disableClientInfo: true,
  // At once, for most losses are idle connections cut; then with full jitter, for all clients lost it together.
  // https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
  retryStrategy: (attempt) => (attempt === 1 ? 0 : random() * Math.min(2_000, 50 * 2 ** attempt)),
  // After a failover the old primary is a replica: the name leads to the new one.
  reconnectOnError: (error) => (error.message.includes("READONLY") ? 1 : false)
})

const logChange = (address: string, change: Change): Effect.Effect<void> => {
  if (change._tag === "Up") return Effect.logInfo(`Redis at ${address} answers again`)
  const { reason, message } = change.error
  const text = `Redis at ${address} is no cache for now (${reason}: ${message}); it comes back by itself`
  return reason === "Auth" ? Effect.logError(text) : Effect.logWarning(text)
}
