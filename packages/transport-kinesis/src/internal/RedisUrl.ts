/** A Redis by URL, with settings under which a call fails soon and loudly, and comes back by itself. */
import * as Redacted from "effect/Redacted"
import { Redis } from "ioredis"
import type { RedisOptions } from "ioredis"

export interface RedisAddress {
  readonly options: RedisOptions & { readonly replyMapping?: "legacy" }
  /** Host and port, for messages: what can't hold a password. */
  readonly name: string
}

/** `undefined` when the URL is not `redis://` or `rediss://` with a host. */
export const parse = (secret: Redacted.Redacted): RedisAddress | undefined => {
  const url = URL.parse(Redacted.value(secret))
  if (url === null || !/^rediss?:$/.test(url.protocol) || url.hostname === "") return undefined
  if (!/^\/?\d{0,4}$/.test(url.pathname)) return undefined
  const host = url.hostname.replace(/^\[(.*)\]$/, "$1")
  const port = Number(url.port || "6379")
  const [username, password] = [decoded(url.username), decoded(url.password)]
  if (username === undefined || password === undefined) return undefined
  return {
    name: `${url.hostname}:${port}`,
    options: {
      host,
      port,
      db: Number(url.pathname.slice(1)),
      ...(username === "" ? {} : { username }),
      ...(password === "" ? {} : { password }),
      ...(url.protocol === "rediss:" ? { tls: {} } : {})
    }
  }
}

export const expected = "redis://[user:password@]host:port[/database], or rediss:// for TLS"

const decoded = (text: string): string | undefined => {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/**
 * Commands are not kept while the server is away: nobody knows for how long, and a caller retries with its own patience.
 * Nor are they sent twice: what a lost connection left open is the caller's to repeat.
 */
export const client = ({ options }: RedisAddress, timeout: number): Redis =>
  new Redis({
    ...options,
    lazyConnect: true,
    connectTimeout: timeout,
    // A frozen server leaves a connection half open: it is given up, and a new one is tried.
    socketTimeout: timeout,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    maxLoadingRetryTime: 1_000,
    keepAlive: 10_000,
    disableClientInfo: true,
    // At once, for most losses are idle connections cut; then up to every second.
    retryStrategy: (attempt) => (attempt === 1 ? 0 : Math.min(1_000, 50 * 2 ** Math.min(attempt, 10))),
    // After a failover the old primary is a replica: the name leads to the new one.
    reconnectOnError: (error) => (error.message.includes("READONLY") ? 1 : false)
  })

/** Why a call failed: `refused` will be refused again. The error itself would carry the arguments, a password too. */
export const why = (error: unknown): { readonly refused: boolean; readonly message: string } => {
  if (!(error instanceof Error)) return { refused: false, message: "no reason given" }
  const [first] = error instanceof AggregateError ? error.errors : [error]
  const text = first instanceof Error ? first.message || first.name : error.name
  const message = (text.split(", with args beginning")[0] ?? "").slice(0, 200)
  return { refused: error.name === "ReplyError" && !passing.test(message), message }
}

/** It loads its data, is a replica for a moment, has no primary, is full, or runs somebody's long script. */
const passing = /^(LOADING|READONLY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|BUSY|OOM|MISCONF|NOREPLICAS|UNBLOCKED)/
