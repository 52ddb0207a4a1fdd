/**
 * Reads shards with enhanced fan-out: AWS pushes over HTTP/2, with 2 MiB a second of each shard for this application alone.
 *
 * **Guarantees.** Those of `Fetcher`. A subscription lasts five minutes; the next one goes on where the last push said,
 * with no repeat and no gap. One that is silent or breaks is made anew, five seconds after the last at the earliest. Where
 * enhanced fan-out is not possible the shard is polled, and an event says why.
 *
 * **Gotchas.** A stream has room for 20 consumers, and each costs money by the hour and the gigabyte. So an application
 * has one, which its processes share, and which stays registered when they stop.
 *
 * @since 0.1.0
 */
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

import * as Fetcher from "../Fetcher.ts"
import * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Polling from "./Polling.ts"
import * as ReadAhead from "./ReadAhead.ts"
import * as Registration from "./Registration.ts"
import * as Subscription from "./Subscription.ts"

/**
 * How to read with enhanced fan-out.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The application's name, 1 to 128 of `a-z A-Z 0-9 _ . -`. Processes that share shards share it. */
  readonly consumerName: string
  /** How long a subscription may be silent. AWS pushes every few seconds, records or not. Default 30 seconds. */
  readonly idleTimeout?: Duration.Input | undefined
  /** How long a new consumer may take to be ACTIVE. Default 1 minute. */
  readonly activationTimeout?: Duration.Input | undefined
  /** What may be read ahead of a slow consumer. */
  readonly readAhead?: ReadAhead.Bounds | undefined
  /** How to poll where enhanced fan-out is not possible; `false`: fail instead. Default: as `Polling` does. */
  readonly fallback?: Polling.Options | false | undefined
  /** Whether the consumer is deregistered when the layer closes. For tests; other processes lose it too. Default false. */
  readonly deregister?: boolean | undefined
}

/**
 * Reads with enhanced fan-out.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options): Layer.Layer<Fetcher.Fetcher, never, KinesisClient.KinesisClient> =>
  Layer.effect(
    Fetcher.Fetcher,
    Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const registration = Registration.make({
        client,
        consumerName: options.consumerName,
        activationTimeout: Duration.toMillis(options.activationTimeout ?? "1 minute")
      })
      if (options.deregister === true) yield* Effect.addFinalizer(() => registration.deregister)
      return make(client, registration, options)
    })
  )

const make = (
  client: KinesisClient.KinesisClient["Service"],
  registration: Registration.Registration,
  options: Options
): Fetcher.Fetcher["Service"] => {
  const polling = options.fallback === false ? undefined : Polling.make(client, options.fallback)
  const idleTimeout = Duration.toMillis(options.idleTimeout ?? "30 seconds")
  return {
    name: "enhanced fan-out",
    read: (request): Stream.Stream<Fetcher.Page, KinesisError.KinesisError> =>
      Stream.unwrap(
        Effect.map(Subscription.make({ client, registration, idleTimeout }, request), (next) =>
          Stream.catchTag(
            ReadAhead.make(options.readAhead, () => next),
            "Impossible",
            fallBack(polling, request)
          )
        )
      )
  }
}

const fallBack =
  (polling: Fetcher.Fetcher["Service"] | undefined, request: Fetcher.Request) =>
  ({ error, from }: Subscription.Impossible): Stream.Stream<Fetcher.Page, KinesisError.KinesisError> => {
    if (polling === undefined) return Stream.fail(error)
    request.onEvent({ _tag: "FellBack", shardId: request.shardId, error })
    return polling.read({ ...request, from })
  }
