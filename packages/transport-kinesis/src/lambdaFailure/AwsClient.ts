/**
 * How to reach the queue or the bucket of an on-failure destination: the settings of an AWS client.
 *
 * @since 0.1.0
 */
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"
import type * as Scope from "effect/Scope"

import * as KinesisClient from "../KinesisClient.ts"
import { fromThrown } from "./FailureDestinationError.ts"
import type { FailureDestinationError } from "./FailureDestinationError.ts"

/**
 * As for Kinesis: AWS and the SDK's chain of credentials, and on a loopback `http://` endpoint made-up ones.
 *
 * @category models
 * @since 0.1.0
 */
export type Options = KinesisClient.Options

/**
 * The SDK's configuration.
 *
 * @category conversions
 * @since 0.1.0
 */
export const configOf = (options: Options) => {
  const { credentials, endpoint, region } = options
  const loopback = endpoint !== undefined && KinesisClient.isLoopback(endpoint)
  const requestTimeout = Duration.toMillis(options.requestTimeout ?? "10 seconds")
  return {
    ...(endpoint === undefined ? {} : { endpoint }),
    ...(region === undefined ? (loopback ? { region: "us-east-1" } : {}) : { region }),
    ...(credentials === undefined ? (loopback ? { credentials: madeUp } : {}) : exposed(credentials)),
    // A breach of the timeout is only logged unless it is to throw.
    requestHandler: new NodeHttpHandler({ requestTimeout, throwOnRequestTimeout: true })
  }
}

const madeUp = { accessKeyId: "local", secretAccessKey: "local" }

const exposed = (credentials: NonNullable<Options["credentials"]>) => {
  if (credentials === "chain") return {}
  const { accessKeyId, secretAccessKey, sessionToken } = credentials
  return {
    credentials: {
      accessKeyId,
      secretAccessKey: Redacted.value(secretAccessKey),
      ...(sessionToken === undefined ? {} : { sessionToken: Redacted.value(sessionToken) })
    }
  }
}

/**
 * A call, interruptible, with a typed error.
 *
 * @category combinators
 * @since 0.1.0
 */
export const call = <A>(
  operation: string,
  run: (abort: { readonly abortSignal: AbortSignal }) => Promise<A>
): Effect.Effect<A, FailureDestinationError> =>
  Effect.tryPromise({
    try: (abortSignal) => run({ abortSignal }),
    catch: (cause) => fromThrown(operation, cause)
  })

/**
 * A client that is destroyed with its scope.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scoped = <Client extends { readonly destroy: () => void }>(
  make: () => Client
): Effect.Effect<Client, never, Scope.Scope> =>
  Effect.acquireRelease(Effect.sync(make), (client) => Effect.sync(() => client.destroy()))
