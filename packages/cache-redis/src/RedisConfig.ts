/**
 * Where Redis is, from the environment.
 *
 * | variable         | default  |                                                                                |
 * | ---------------- | -------- | ------------------------------------------------------------------------------ |
 * | `REDIS_ENDPOINT` | required | `host`, `host:port`, or a URL `redis://` or `rediss://` (TLS) with user and password |
 * | `REDIS_PORT`     | 6379     | must agree with a port in the endpoint                                         |
 * | `REDIS_USERNAME` | none     |                                                                                |
 * | `REDIS_PASSWORD` | none     | beats one in the endpoint                                                      |
 * | `REDIS_TLS`      | false    | true with `rediss://`                                                          |
 * | `REDIS_TIMEOUT`  | 100 ms   | longest a batch may take, as `"50 millis"`                                     |
 *
 * @since 0.1.0
 */
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Redacted from "effect/Redacted"
import * as Schema from "effect/Schema"

/**
 * What the environment says of Redis.
 *
 * @category models
 * @since 0.1.0
 */
export interface RedisConfig {
  readonly host: string
  readonly port: number
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly database: number
  readonly tls: boolean
  readonly timeout: Duration.Duration
}

/** An endpoint without a scheme is a host. */
const toUrl = (endpoint: string): string => (endpoint.includes("://") ? endpoint : `redis://${endpoint}`)

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
const Endpoint = Schema.String.check(
  Schema.makeFilter((endpoint: string) =>
    isEndpoint(endpoint) ? undefined : "expected host, host:port, redis://[user:password@]host:port or rediss://…"
  )
)

const portOf = (inEndpoint: number | undefined): Config.Config<number> =>
  Config.schema(
    Schema.Int.check(
      Schema.isBetween({ minimum: 1, maximum: 65_535 }),
      Schema.makeFilter((port: number) =>
        inEndpoint === undefined || port === inEndpoint ? undefined : "contradicts the port in REDIS_ENDPOINT"
      )
    ),
    "REDIS_PORT"
  ).pipe(Config.withDefault(inEndpoint ?? 6379))

const redacted = (text: string | undefined): Redacted.Redacted | undefined =>
  text === undefined ? undefined : Redacted.make(text)

const orUndefined = <A>(config: Config.Config<A>): Config.Config<A | undefined> => Config.withDefault(config, undefined)

/**
 * Reads the variables above.
 *
 * @category configs
 * @since 0.1.0
 */
export const redis: Config.Config<RedisConfig> = Config.flatMap(
  Config.schema(Endpoint, "REDIS_ENDPOINT"),
  (endpoint) => {
    const url = new URL(toUrl(endpoint))
    return Config.all({
      port: portOf(url.port === "" ? undefined : Number(url.port)),
      username: orUndefined(Config.String("REDIS_USERNAME")),
      password: orUndefined(Config.Redacted("REDIS_PASSWORD")),
      tls: Config.withDefault(Config.Boolean("REDIS_TLS"), url.protocol === "rediss:"),
      timeout: Config.withDefault(Config.Duration("REDIS_TIMEOUT"), Duration.millis(100))
    }).pipe(
      Config.map(({ port, username, password, tls, timeout }) => ({
        host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
        port,
        username: unlessEmpty(username) ?? unlessEmpty(decoded(url.username)),
        password: password ?? redacted(unlessEmpty(decoded(url.password))),
        database: Number(url.pathname.slice(1)),
        tls,
        timeout
      }))
    )
  }
)
