import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

import type { Options } from "../RedisStore.ts"
import type { Settings } from "./clientOptions.ts"
import * as clientOptions from "./clientOptions.ts"
import type { Endpoint } from "./cluster/slots.ts"
import { Connection } from "./connection.ts"
import type { Change } from "./connection.ts"
import * as iam from "./iam.ts"
import { IamTokens } from "./iam.ts"
import { Subscriber } from "./subscriber.ts"
import type { Listener } from "./subscriber.ts"

/** What opens connections to one Redis, in whatever form it is. */
export interface Wires {
  readonly settings: Settings
  /** To a node; by default to the server, the primary, or the first node that is named. */
  readonly connect: (endpoint?: Endpoint) => Connection
  readonly listen: (channel: string, listener: Listener) => Subscriber
  readonly log: (line: Effect.Effect<void>) => void
}

/** Opens nothing yet. */
export const make = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<Wires> {
  const settings = settingsOf(options)
  const tokens = tokensOf(options, yield* Clock.Clock)
  const generator = yield* Random.Random
  const random = () => generator.nextDoubleUnsafe()
  const run = Effect.runForkWith(yield* Effect.context())
  const log = (line: Effect.Effect<void>): void => void run(line)
  const [first = defaultEndpoint] = settings.endpoints
  const optionsOf = (endpoint: Endpoint) =>
    settings.mode === "sentinel"
      ? clientOptions.toPrimary(settings, random)
      : clientOptions.toServer(settings, endpoint, random)
  return {
    settings,
    log,
    connect: (endpoint = first) => {
      const name =
        settings.sentinel === undefined ? `${endpoint.host}:${endpoint.port}` : `${settings.sentinel.master} (sentinel)`
      const onChange = (change: Change): void => log(logChange(name, change))
      return new Connection({ redis: optionsOf(endpoint), timeout: settings.timeout, random, tokens, onChange })
    },
    listen: (channel, listener) => {
      const nodes = settings.mode === "cluster" ? settings.endpoints : [first]
      return new Subscriber({ redis: optionsOf(first), nodes, channel, tokens, listener })
    }
  }
})

const defaultEndpoint: Endpoint = { host: "127.0.0.1", port: 6379 }

/** The options with their defaults. */
const settingsOf = (options: Options): Settings => ({
  mode: options.mode ?? "standalone",
  endpoints: options.endpoints ?? [
    { host: options.host ?? defaultEndpoint.host, port: options.port ?? defaultEndpoint.port }
  ],
  username: options.username,
  password: options.password,
  database: options.database ?? 0,
  tls: options.tls === true || options.iam !== undefined ? { ca: options.ca } : undefined,
  sentinel: options.sentinel && {
    master: options.sentinel.master,
    username: options.sentinel.username,
    password: options.sentinel.password
  },
  timeout: Duration.toMillis(options.timeout ?? 100)
})

const tokensOf = ({ iam: wanted, username = "default" }: Options, clock: Clock.Clock): IamTokens | undefined => {
  if (wanted === undefined) return undefined
  const { cacheName, credentials, region, serverless = false } = wanted
  return new IamTokens({ cacheName, region, serverless, username }, credentials ?? iam.defaultCredentials, () =>
    clock.currentTimeMillisUnsafe()
  )
}

const logChange = (address: string, change: Change): Effect.Effect<void> => {
  if (change._tag === "Up") return Effect.logInfo(`Redis at ${address} answers again`)
  const { reason, message } = change.error
  const text = `Redis at ${address} is no cache for now (${reason}: ${message}); it comes back by itself`
  return reason === "Auth" ? Effect.logError(text) : Effect.logWarning(text)
}
