import { CacheStoreError } from "@leat/core/CacheStore"

/**
 * What ioredis rejects with, as an error of ours. The original is never its cause: a `ReplyError` carries the command
 * with its arguments, which for HELLO is the password.
 */
export const fault = (error: unknown): CacheStoreError => {
  if (!(error instanceof Error)) return new CacheStoreError({ reason: "Closed", message: "unknown" })
  if (credentials.test(error.message)) {
    return new CacheStoreError({ reason: "Auth", message: "the server refused the credentials" })
  }
  const reason = error.name === "ReplyError" ? "Server" : "Closed"
  return new CacheStoreError({ reason, message: textOf(error) })
}

const credentials = /^(WRONGPASS|NOAUTH|NOPERM|ERR invalid password|ERR AUTH|ERR Client sent AUTH)/i

const textOf = (error: Error): string => {
  // Several addresses of a name, none of which could be reached, come as an AggregateError without a message.
  const [first] = error instanceof AggregateError ? error.errors : [error]
  const text = first instanceof Error ? first.message : error.name
  // Redis repeats the arguments of a command it doesn't know.
  return (text.split(", with args beginning")[0] ?? "").slice(0, 200)
}
