/**
 * How to reach the queue or the bucket of an on-failure destination: the settings of an AWS client.
 *
 * @since 0.1.0
 */
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"

import * as AwsConfig from "../internal/awsConfig.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import { fromThrown, late } from "./FailureDestinationError.ts"
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
export const configOf = (options: Options) => ({
  ...AwsConfig.of(options),
  // A breach of the timeout is only logged unless it is to throw.
  requestHandler: new NodeHttpHandler({ requestTimeout: requestTimeoutOf(options), throwOnRequestTimeout: true })
})

const requestTimeoutOf = ({ requestTimeout = "10 seconds" }: Options): number => Duration.toMillis(requestTimeout)

/**
 * Makes calls with a client: interruptible, with a typed error, and each with an end.
 *
 * @category models
 * @since 0.1.0
 */
export type Call<Client> = <A>(
  operation: string,
  run: (client: Client, settings: RunSettings) => Promise<A>,
  more?: {
    /** Milliseconds that the service is asked to wait before it answers. */
    readonly wait?: number
    /** Whether a body is fetched that comes after the answer. */
    readonly body?: boolean
  }
) => Effect.Effect<A, FailureDestinationError>

/**
 * What the SDK is told of one call.
 *
 * @category models
 * @since 0.1.0
 */
export interface RunSettings {
  readonly abortSignal: AbortSignal
  /** Milliseconds. */
  readonly requestTimeout: number
}

/** The SDK tries three times, with hardly a pause; a body comes after that. */
const tries = 3

/**
 * Calls with a client that is destroyed with its scope.
 *
 * **Details**
 *
 * A try may take `requestTimeout` until it is answered. All of a call may take three times as long, six times where it
 * fetches a body: a timeout of the SDK's begins anew with each byte.
 *
 * @category constructors
 * @since 0.1.0
 */
export const scoped = <Client extends { readonly destroy: () => void }>(
  options: Options,
  make: () => Client
): Effect.Effect<Call<Client>, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(Effect.sync(make), (client) => Effect.sync(() => client.destroy())),
    (client): Call<Client> =>
      (operation, run, { body = false, wait = 0 } = {}) => {
        const requestTimeout = requestTimeoutOf(options) + wait
        const within = requestTimeout * (body ? 2 * tries : tries)
        return Effect.tryPromise({
          try: (abortSignal) => run(client, { abortSignal, requestTimeout }),
          catch: (cause) => fromThrown(operation, cause)
        }).pipe(Effect.timeoutOrElse({ duration: within, orElse: () => Effect.fail(late(operation, within)) }))
      }
  )
