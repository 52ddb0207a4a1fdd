/** A connection to Redis on which scripts are run: each in one step on the server, each bounded in time. */
import * as Effect from "effect/Effect"
import type * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"
import type { Redis } from "ioredis"

import { bounded } from "./Bounded.ts"
import * as RedisUrl from "./RedisUrl.ts"

/** Why Redis did not do what it was asked. */
export interface RedisFault {
  readonly reason: "Unavailable" | "Refused"
  readonly message: string
}

export interface RedisLink {
  /** Host and port, for messages. */
  readonly name: string
  readonly run: (
    script: string,
    keys: ReadonlyArray<string>,
    args: ReadonlyArray<string | number>
  ) => Effect.Effect<unknown, RedisFault>
  /** What `INFO` says, by field; nothing where we may not ask. */
  readonly info: Effect.Effect<ReadonlyMap<string, string>>
}

/** Fails where the first attempt to connect does; later losses are the calls' failures, and mend themselves. */
export const open = (url: Redacted.Redacted, timeout: number): Effect.Effect<RedisLink, RedisFault, Scope.Scope> =>
  Effect.gen(function* () {
    const address = RedisUrl.parse(url)
    if (address === undefined) return yield* refusal(`the URL of Redis is not ${RedisUrl.expected}`)
    const { client, trouble } = yield* Effect.acquireRelease(
      Effect.sync(() => make(address, timeout)),
      ({ client }) => Effect.sync(() => hangUp(client))
    )
    const ask = <A>(send: () => Promise<A>) =>
      Effect.tryPromise({ try: send, catch: (error) => toFault(address.name, trouble() ?? error) }).pipe(
        bounded(timeout, () => unavailable(`Redis at ${address.name} did not answer within ${timeout} ms`))
      )
    yield* ask(() => client.connect())
    return {
      name: address.name,
      run: (script, keys, args) => ask(() => client.eval(script, keys.length, ...keys, ...args)),
      info: Effect.map(
        Effect.orElseSucceed(
          ask(() => client.info()),
          () => ""
        ),
        fieldsOf
      )
    }
  })

/** `trouble`: why there is no connection. A call that meets its absence is only told that it is closed. */
const make = (
  address: RedisUrl.RedisAddress,
  timeout: number
): { readonly client: Redis; readonly trouble: () => unknown } => {
  let trouble: unknown
  const client = RedisUrl.client(address, timeout)
  client.on("error", (error) => (trouble = error))
  client.on("ready", () => (trouble = undefined))
  return { client, trouble: () => trouble }
}

const hangUp = (client: Redis): void => {
  client.disconnect()
  // `disconnect` waits for the server to hang up too, which a frozen one does not. Before the first attempt there is no
  // stream, whatever its type says.
  const stream: Redis["stream"] | undefined = client.stream
  stream?.destroy()
}

const unavailable = (message: string): RedisFault => ({ reason: "Unavailable", message })

const refusal = (message: string): Effect.Effect<never, RedisFault> => Effect.fail({ reason: "Refused", message })

const toFault = (name: string, error: unknown): RedisFault => {
  const { message, refused } = RedisUrl.why(error)
  return { reason: refused ? "Refused" : "Unavailable", message: `Redis at ${name}: ${message}` }
}

const fieldsOf = (info: string): ReadonlyMap<string, string> =>
  new Map(
    info.split("\r\n").flatMap((line) => {
      const colon = line.indexOf(":")
      return colon === -1 ? [] : [[line.slice(0, colon), line.slice(colon + 1)] as const]
    })
  )
