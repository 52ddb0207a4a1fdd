/**
 * The consumer of enhanced fan-out, of which an application has one: registered by whoever comes first.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_RegisterStreamConsumer.html
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"
import * as Semaphore from "effect/Semaphore"

import type * as KinesisClient from "../KinesisClient.ts"
import * as KinesisError from "../KinesisError.ts"
import * as Pace from "./Pace.ts"

/**
 * What is needed to register.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly client: KinesisClient.KinesisClient["Service"]
  readonly consumerName: string
  /** Milliseconds. */
  readonly activationTimeout: number
}

/**
 * Registers, once a stream.
 *
 * @category models
 * @since 0.1.0
 */
export interface Registration {
  /** The ARN of the ACTIVE consumer. Who asks meanwhile waits for the same answer; a failure is given for ten minutes. */
  readonly arn: (
    stream: string,
    onFailure: (error: KinesisError.KinesisError) => void
  ) => Effect.Effect<string, KinesisError.KinesisError>
  /** Forgets an ARN that does not work. */
  readonly forget: (stream: string, arn: string) => Effect.Effect<void>
  /** Deregisters what was asked for. */
  readonly deregister: Effect.Effect<void>
}

interface Known {
  readonly exit: Exit.Exit<string, KinesisError.KinesisError>
  readonly at: number
}

// A hundred shards are not to ask a hundred times for what was refused.
const failureLife = 10 * 60_000

/**
 * A registration of one consumer name.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options): Registration => {
  const known = new Map<string, Known>()
  const one = Semaphore.makeUnsafe(1)
  const holds = ({ at, exit }: Known, now: number): boolean => Exit.isSuccess(exit) || now - at < failureLife
  return {
    arn: (stream, onFailure) =>
      one.withPermit(
        Effect.gen(function* () {
          const now = yield* Clock.currentTimeMillis
          const before = known.get(stream)
          if (before !== undefined && holds(before, now)) return yield* before.exit
          const result = yield* Effect.result(activeArn(options, stream, onFailure))
          const exit = result._tag === "Success" ? Exit.succeed(result.success) : Exit.fail(result.failure)
          known.set(stream, { exit, at: yield* Clock.currentTimeMillis })
          return yield* exit
        })
      ),
    forget: (stream, arn) =>
      Effect.sync(() => {
        const before = known.get(stream)
        if (before !== undefined && Exit.isSuccess(before.exit) && before.exit.value === arn) known.delete(stream)
      }),
    deregister: Effect.suspend(() => Effect.forEach(known.keys(), deregister(options), { discard: true }))
  }
}

const deregister =
  ({ client, consumerName }: Options) =>
  (stream: string): Effect.Effect<void> =>
    arnOf(client, stream).pipe(
      Effect.flatMap((arn) => client.deregisterConsumer(arn, consumerName)),
      Effect.catchTag("KinesisError", (error) =>
        Effect.logWarning(`the consumer ${consumerName} of ${stream} stays registered: ${error.message}`)
      )
    )

const arnOf = (client: Options["client"], stream: string): Effect.Effect<string, KinesisError.KinesisError> =>
  stream.startsWith("arn:")
    ? Effect.succeed(stream)
    : Effect.map(client.describeStreamSummary(stream), ({ streamArn }) => streamArn)

/** Tries until the consumer is there, or until it is clear that it won't be. */
const activeArn = Effect.fnUntraced(function* (
  options: Options,
  stream: string,
  onFailure: (error: KinesisError.KinesisError) => void
) {
  // Counts from when AWS says that it is on its way: while AWS is out of reach nothing is.
  let until: number | undefined
  for (let failures = 0; ;) {
    const result = yield* Effect.result(consumerOf(options, stream))
    if (result._tag === "Success") {
      failures = 0
      if (result.success.status === "ACTIVE") return result.success.arn
      const now = yield* Clock.currentTimeMillis
      until ??= now + options.activationTimeout
      if (now >= until) return yield* late(options, result.success)
      yield* Effect.sleep("1 second")
    } else {
      failures += 1
      if (!goesOn(result.failure, failures)) return yield* result.failure
      onFailure(result.failure)
      yield* Effect.sleep(Pace.rest(result.failure.reason, failures, yield* Random.next))
    }
  }
})

/**
 * A throttled registration may mean that five are being registered at once, which passes, or that twenty are registered
 * already, which does not.
 */
const goesOn = (error: KinesisError.KinesisError, failures: number): boolean =>
  error.retryable && (error.reason !== "Throttled" || failures < 5)

const late = (options: Options, { status }: KinesisClient.StreamConsumer) =>
  new KinesisError.KinesisError({
    reason: "Unavailable",
    operation: "DescribeStreamConsumer",
    message: `the consumer ${options.consumerName} is still ${status} after ${options.activationTimeout} ms`,
    retryable: true
  })

/** Registered if need be. One that is being deleted is gone after a while, and then registered anew. */
const consumerOf = Effect.fnUntraced(function* ({ client, consumerName }: Options, stream: string) {
  const arn = yield* arnOf(client, stream)
  const describe = client.describeConsumer(arn, consumerName)
  const register = Effect.catchTag(client.registerConsumer(arn, consumerName), "KinesisError", (error) =>
    // Another process was first.
    error.reason === "InUse" ? describe : Effect.fail(error)
  )
  return yield* Effect.catchTag(describe, "KinesisError", (error) =>
    error.reason === "NotFound" ? register : Effect.fail(error)
  )
})
