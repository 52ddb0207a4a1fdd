import * as Redacted from "effect/Redacted"
import type { RedisOptions } from "ioredis"

import type { Endpoint } from "./cluster/slots.ts"

/** Where Redis is and how it is spoken to, with defaults. */
export interface Settings {
  readonly mode: "standalone" | "cluster" | "sentinel"
  /** Of the server, of nodes of the cluster, or of sentinels. */
  readonly endpoints: ReadonlyArray<Endpoint>
  readonly username: string | undefined
  readonly password: Redacted.Redacted | undefined
  readonly database: number
  /** With which authority's certificate; `undefined`: no TLS. */
  readonly tls: { readonly ca: string | undefined } | undefined
  readonly sentinel:
    | {
        readonly master: string
        readonly username: string | undefined
        readonly password: Redacted.Redacted | undefined
      }
    | undefined
  /** Milliseconds a batch may take. */
  readonly timeout: number
}

/** Without the mapping of replies that ioredis has for RESP3, which is not wanted. */
export type ClientOptions = RedisOptions & { readonly replyMapping?: "legacy" }

/** Options for the server at an endpoint. */
export const toServer = (settings: Settings, { host, port }: Endpoint, random: () => number): ClientOptions => ({
  ...common(settings, random),
  host,
  port
})

/** Options for the primary that the sentinels name. */
export const toPrimary = (settings: Settings, random: () => number): ClientOptions => {
  const { sentinel, tls } = settings
  return {
    ...common(settings, random),
    sentinels: settings.endpoints.map(({ host, port }) => ({ host, port })),
    name: sentinel?.master ?? "",
    ...(sentinel?.username === undefined ? {} : { sentinelUsername: sentinel.username }),
    ...(sentinel?.password === undefined ? {} : { sentinelPassword: Redacted.value(sentinel.password) }),
    ...(tls === undefined ? {} : { enableTLSForSentinelMode: true, sentinelTLS: tlsOf(tls) }),
    sentinelCommandTimeout: 500,
    // All of them were asked in vain: a failover takes a while.
    sentinelRetryStrategy: (attempt) => pause(attempt, random)
  }
}

const tlsOf = ({ ca }: { readonly ca: string | undefined }): { readonly ca?: string } =>
  ca === undefined ? {} : { ca }

/** Full jitter, for all clients lost it together. https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/ */
const pause = (attempt: number, random: () => number): number => random() * Math.min(2_000, 50 * 2 ** attempt)

/**
 * Settings that survive a Redis that refuses, dies, freezes or fails over; each was measured with a real server. ioredis'
 * own would keep commands while offline and make a GET wait for 73 s.
 */
const common = (settings: Settings, random: () => number): ClientOptions => ({
  // A cluster has one database.
  db: settings.mode === "cluster" ? 0 : settings.database,
  ...(settings.username === undefined ? {} : { username: settings.username }),
  ...(settings.password === undefined ? {} : { password: Redacted.value(settings.password) }),
  ...(settings.tls === undefined ? {} : { tls: tlsOf(settings.tls) }),
  lazyConnect: true,
  connectTimeout: 500,
  // Armed while a reply is awaited, in a handshake too, where a batch's own time doesn't apply. Longer than the timeouts
  // that open the breaker, which knows more.
  socketTimeout: Math.max(300, 4 * settings.timeout),
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  maxRetriesPerRequest: 0,
  maxLoadingRetryTime: 1_000,
  keepAlive: 10_000,
  disableClientInfo: true,
  // At once, for most losses are idle connections cut.
  retryStrategy: (attempt) => (attempt === 1 ? 0 : pause(attempt, random)),
  // After a failover the old primary is a replica: the name leads to the new one.
  reconnectOnError: (error) => (error.message.includes("READONLY") ? 1 : false)
})
