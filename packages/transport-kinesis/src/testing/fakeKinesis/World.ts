/**
 * A fake Kinesis as its calls see it: the streams, the clock, the faults and the log.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

import type * as KinesisError from "../../KinesisError.ts"
import type * as Limits from "../embeddedKinesis/Limits.ts"
import type * as Faults from "./Faults.ts"
import * as Model from "./Model.ts"
import * as Refusal from "./Refusal.ts"

/**
 * A call that was made.
 *
 * @category models
 * @since 0.1.0
 */
export interface Call {
  readonly operation: Faults.Operation
  /** Its name, or "" where the call names none that exists. */
  readonly stream: string
  readonly shardId: string | undefined
  /** Epoch milliseconds of the clock. */
  readonly at: number
  /** What was asked: a position, a number of entries, a consumer's name. */
  readonly asked: unknown
  /** `Open` until it is answered, then `Done`, or the reason of its failure. */
  readonly outcome: "Open" | "Done" | KinesisError.Reason
}

/**
 * All there is.
 *
 * @category models
 * @since 0.1.0
 */
export interface World {
  readonly streams: Map<string, Model.Stream>
  readonly calls: Array<Call>
  readonly faults: Faults.Faults
  readonly throttle: Limits.Throttle
  readonly limits: { readonly pageBytes: number; readonly requestBytes: number }
  readonly options: Options
  now: number
  generation: number
}

/**
 * How the fake behaves where AWS leaves it open.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Milliseconds until a stream is ACTIVE. */
  readonly streamActivation: number
  /** Milliseconds until a consumer is ACTIVE. */
  readonly consumerActivation: number
  readonly consumersPerStream: number
  readonly shardsPerPage: number
  /** Milliseconds between pushes that carry nothing. */
  readonly heartbeat: number
  readonly trimmedPositions: "oldest" | "refused" | "stuck"
}

/**
 * What a call is about.
 *
 * @category models
 * @since 0.1.0
 */
export interface Subject {
  readonly operation: Faults.Operation
  /** Name or ARN. */
  readonly stream: string
  readonly shardId?: string | undefined
  readonly asked?: unknown
}

/**
 * The clock's time, with everything let go that is past its retention.
 *
 * @category clock
 * @since 0.1.0
 */
export const tick = (world: World): Effect.Effect<number> =>
  Effect.map(Clock.currentTimeMillis, (now) => {
    world.now = now
    for (const stream of world.streams.values()) Model.expire(stream, now)
    return now
  })

/**
 * One call: logged, then as its fault says.
 *
 * @category calls
 * @since 0.1.0
 */
export const call = Effect.fnUntraced(function* <A>(
  world: World,
  subject: Subject,
  body: (now: number, fault: Faults.Fault) => Effect.Effect<A, KinesisError.KinesisError>
) {
  const { operation, shardId } = subject
  const stream = nameOf(subject.stream)
  const fault = world.faults.take({ operation, stream, shardId })
  const index = world.calls.length
  world.calls.push({ operation, stream, shardId, at: yield* tick(world), asked: subject.asked, outcome: "Open" })
  const settle = (outcome: Call["outcome"]) =>
    Effect.sync(() => {
      const entry = world.calls[index]
      if (entry !== undefined) world.calls[index] = { ...entry, outcome }
    })
  return yield* performed(world, operation, fault, body).pipe(
    Effect.tap(() => settle("Done")),
    Effect.tapError((error) => settle(error.reason))
  )
})

const performed = <A>(
  world: World,
  operation: Faults.Operation,
  fault: Faults.Fault,
  body: (now: number, fault: Faults.Fault) => Effect.Effect<A, KinesisError.KinesisError>
): Effect.Effect<A, KinesisError.KinesisError> => {
  const run = Effect.flatMap(tick(world), (now) => body(now, fault))
  if (fault._tag === "Fail") return Refusal.refuse(fault.reason, operation, fault.message ?? "scripted")
  if (fault._tag === "Hang") return Effect.never
  if (fault._tag === "Delay") return Effect.andThen(Effect.sleep(fault.by), run)
  if (fault._tag === "Lose") return Effect.andThen(run, Refusal.refuse("Unavailable", operation, "no answer came"))
  return run
}

/**
 * A stream by its name or ARN.
 *
 * @category getters
 * @since 0.1.0
 */
export const streamOf = (
  world: World,
  operation: string,
  nameOrArn: string
): Effect.Effect<Model.Stream, KinesisError.KinesisError> => {
  const stream = world.streams.get(nameOf(nameOrArn))
  return stream === undefined
    ? Refusal.refuse("NotFound", operation, `Stream ${nameOf(nameOrArn)} under account 000000000000 not found.`)
    : Effect.succeed(stream)
}

/**
 * A stream that is ACTIVE.
 *
 * @category getters
 * @since 0.1.0
 */
export const activeStream = (
  world: World,
  operation: string,
  nameOrArn: string
): Effect.Effect<Model.Stream, KinesisError.KinesisError> =>
  Effect.flatMap(streamOf(world, operation, nameOrArn), (stream) =>
    world.now < stream.activeAt
      ? Refusal.refuse("NotFound", operation, `Stream ${stream.name} is CREATING.`)
      : Effect.succeed(stream)
  )

/**
 * A shard that the stream still lists.
 *
 * @category getters
 * @since 0.1.0
 */
export const shardOf = (
  stream: Model.Stream,
  operation: string,
  shardId: string
): Effect.Effect<Model.Shard, KinesisError.KinesisError> => {
  const shard = stream.shards.find((candidate) => candidate.shardId === shardId)
  return shard === undefined
    ? Refusal.refuse("NotFound", operation, `Shard ${shardId} in stream ${stream.name} does not exist.`)
    : Effect.succeed(shard)
}

const nameOf = (nameOrArn: string): string =>
  nameOrArn.startsWith("arn:") ? (/:stream\/([^/]+)/.exec(nameOrArn)?.[1] ?? nameOrArn) : nameOrArn
