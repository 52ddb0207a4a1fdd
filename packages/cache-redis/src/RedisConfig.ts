/**
 * Where Redis is, from the environment.
 *
 * | variable                  | default      |                                                                          |
 * | ------------------------- | ------------ | ------------------------------------------------------------------------ |
 * | `REDIS_ENDPOINT`          | required     | `host`, `host:port`, or a URL `redis://` or `rediss://` (TLS) with user and password; several with commas between, of a cluster or of sentinels |
 * | `REDIS_PORT`              | 6379         | for endpoints without a port (of sentinels 26379); must agree with one that has it |
 * | `REDIS_MODE`              | `standalone` | `standalone`, `cluster` or `sentinel`                                    |
 * | `REDIS_USERNAME`          | none         |                                                                          |
 * | `REDIS_PASSWORD`          | none         | beats one in the endpoint                                                |
 * | `REDIS_SENTINEL_MASTER`   | none         | what the sentinels call the primary; required with `sentinel`            |
 * | `REDIS_SENTINEL_USERNAME` | none         | of the sentinels themselves                                              |
 * | `REDIS_SENTINEL_PASSWORD` | none         |                                                                          |
 * | `REDIS_TLS`               | false        | true with `rediss://`                                                    |
 * | `REDIS_TLS_CA`            | the system's | path of a PEM file with the certificates of authorities to trust         |
 * | `REDIS_IAM_CACHE`         | none         | the name of the ElastiCache replication group or serverless cache: authenticates `REDIS_USERNAME` with IAM, over TLS |
 * | `REDIS_IAM_SERVERLESS`    | false        | whether it is a serverless cache                                         |
 * | `AWS_REGION`              | none         | required with `REDIS_IAM_CACHE`; Lambda and ECS set it                   |
 * | `REDIS_TIMEOUT`           | 100 ms       | longest a batch may take, as `"50 millis"`                               |
 *
 * @since 0.1.0
 */
import { readFileSync } from "node:fs"

import * as Config from "effect/Config"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

import type { Options } from "./RedisStore.ts"

/**
 * What the environment says of Redis.
 *
 * @category models
 * @since 0.1.0
 */
export type RedisConfig = Options

/** An endpoint without a scheme is a host. */
const toUrl = (endpoint: string): string => (endpoint.includes("://") ? endpoint : `redis://${endpoint}`)

const parts = (endpoints: string): ReadonlyArray<string> => endpoints.split(",").map((endpoint) => endpoint.trim())

const isEndpoint = (endpoint: string): boolean => {
  const url = URL.parse(toUrl(endpoint))
  if (url === null || url.hostname === "" || !/^rediss?:$/.test(url.protocol)) return false
  const known = decoded(url.username) !== undefined && decoded(url.password) !== undefined
  return known && /^\/?\d{0,4}$/.test(url.pathname) && url.search === "" && url.hash === ""
}

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** An empty variable is one that is not set, as compose files have them. */
const unlessEmpty = (text: string | undefined): string | undefined => (text === "" ? undefined : text)

// The faults must not repeat the endpoint: it may hold a password.
const Endpoints = Schema.String.check(
  Schema.makeFilter((endpoints: string) =>
    parts(endpoints).every(isEndpoint)
      ? undefined
      : "expected host, host:port, redis://[user:password@]host:port or rediss://…, several with commas between"
  )
)

const portOf = (urls: ReadonlyArray<URL>, otherwise: number): Config.Config<number> => {
  const said = urls.flatMap(({ port }) => (port === "" ? [] : [Number(port)]))
  return Config.schema(
    Schema.Int.check(
      Schema.isBetween({ minimum: 1, maximum: 65_535 }),
      Schema.makeFilter((port: number) =>
        said.every((one) => one === port) ? undefined : "contradicts the port in REDIS_ENDPOINT"
      )
    ),
    "REDIS_PORT"
  ).pipe(Config.withDefault(otherwise))
}

const redacted = (text: string | undefined): Redacted.Redacted | undefined =>
  text === undefined ? undefined : Redacted.make(text)

const orUndefined = <A>(config: Config.Config<A>): Config.Config<A | undefined> => Config.withDefault(config, undefined)

const text = (name: string): Config.Config<string | undefined> =>
  Config.map(orUndefined(Config.String(name)), unlessEmpty)

const fault = (message: string): Config.ConfigError =>
  new Config.ConfigError(new ConfigProvider.SourceError({ message }))

const authorities = Config.mapEffect(text("REDIS_TLS_CA"), (path) =>
  path === undefined
    ? Effect.succeed(undefined)
    : Effect.try({
        try: () => readFileSync(path, "utf8"),
        catch: () => fault("REDIS_TLS_CA names a file that can't be read")
      })
)

/**
 * Reads the variables above.
 *
 * @category configs
 * @since 0.1.0
 */
export const redis: Config.Config<RedisConfig> = Config.flatMap(
  Config.all({
    endpoints: Config.schema(Endpoints, "REDIS_ENDPOINT"),
    mode: Config.schema(Schema.Literals(["standalone", "cluster", "sentinel"]), "REDIS_MODE").pipe(
      Config.withDefault("standalone" as const)
    )
  }),
  ({ endpoints, mode }) => {
    const urls = parts(endpoints).map((endpoint) => new URL(toUrl(endpoint)))
    const [first] = urls
    return Config.all({
      port: portOf(urls, mode === "sentinel" ? 26_379 : 6_379),
      username: text("REDIS_USERNAME"),
      password: orUndefined(Config.Redacted("REDIS_PASSWORD")),
      tls: Config.withDefault(
        Config.Boolean("REDIS_TLS"),
        urls.some(({ protocol }) => protocol === "rediss:")
      ),
      ca: authorities,
      master: text("REDIS_SENTINEL_MASTER"),
      sentinelUsername: text("REDIS_SENTINEL_USERNAME"),
      sentinelPassword: orUndefined(Config.Redacted("REDIS_SENTINEL_PASSWORD")),
      cacheName: text("REDIS_IAM_CACHE"),
      serverless: Config.withDefault(Config.Boolean("REDIS_IAM_SERVERLESS"), false),
      region: text("AWS_REGION"),
      timeout: Config.withDefault(Config.Duration("REDIS_TIMEOUT"), Duration.millis(100))
    }).pipe(
      Config.map(
        ({ cacheName, master, port, region, sentinelPassword, sentinelUsername, serverless, ...found }): Read => ({
          mode,
          endpoints: urls.map((url) => ({
            host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
            port: url.port === "" ? port : Number(url.port)
          })),
          username: found.username ?? unlessEmpty(decoded(first?.username ?? "")),
          password: found.password ?? redacted(unlessEmpty(decoded(first?.password ?? ""))),
          database: Number(first?.pathname.slice(1) ?? 0),
          tls: found.tls,
          ca: found.ca,
          timeout: found.timeout,
          sentinel:
            master === undefined ? undefined : { master, username: sentinelUsername, password: sentinelPassword },
          iam: cacheName === undefined ? undefined : { cacheName, serverless, region }
        })
      ),
      Config.mapEffect(checked)
    )
  }
)

/** What was read, before what contradicts itself is refused. */
interface Read extends Omit<Options, "iam" | "endpoints" | "username"> {
  readonly mode: NonNullable<Options["mode"]>
  readonly endpoints: NonNullable<Options["endpoints"]>
  readonly username: string | undefined
  readonly iam:
    | { readonly cacheName: string; readonly serverless: boolean; readonly region: string | undefined }
    | undefined
}

const checked = ({ iam, ...read }: Read): Effect.Effect<Options, Config.ConfigError> => {
  const { endpoints, mode, sentinel } = read
  if (mode === "standalone" && endpoints.length > 1) {
    return Effect.fail(fault("REDIS_ENDPOINT names several servers: set REDIS_MODE to cluster or sentinel"))
  }
  if (mode === "sentinel" && sentinel === undefined) {
    return Effect.fail(fault("REDIS_SENTINEL_MASTER is missing: what the sentinels call the primary"))
  }
  if (mode !== "sentinel" && sentinel !== undefined) {
    return Effect.fail(fault("REDIS_SENTINEL_MASTER contradicts REDIS_MODE: set that to sentinel"))
  }
  if (mode === "cluster" && read.database !== 0) {
    return Effect.fail(fault("REDIS_ENDPOINT names a database, and REDIS_MODE a cluster, which has none"))
  }
  if (iam === undefined) return Effect.succeed(read)
  const { cacheName, region, serverless } = iam
  if (read.username === undefined)
    return Effect.fail(fault("REDIS_USERNAME is missing: whom REDIS_IAM_CACHE authenticates"))
  if (read.password !== undefined) return Effect.fail(fault("REDIS_PASSWORD contradicts REDIS_IAM_CACHE: set one"))
  if (read.tls !== true)
    return Effect.fail(fault("REDIS_TLS must be true with REDIS_IAM_CACHE: AWS takes tokens over TLS alone"))
  if (region === undefined) return Effect.fail(fault("AWS_REGION is missing: where REDIS_IAM_CACHE is"))
  return Effect.succeed({ ...read, iam: { cacheName, region, serverless } })
}
