/**
 * A Kinesis in memory, on Effect's clock: the whole `KinesisClient`, without HTTP, for tests that must not wait.
 *
 * **Guarantees.** Deterministic: nothing is random, and time passes only as the `Clock` does, so that under `TestClock`
 * an iterator expires, a record is trimmed and a subscription ends when the test says so. What AWS counts (records,
 * bytes, hash keys, sequence numbers of 56 digits, shards that are split, merged and forgotten) is counted as AWS does.
 *
 * **Gotchas.** It answers at once unless a fault says otherwise. Limits per shard are off unless `limits` is given.
 * Records and resharding take effect at once where AWS takes its time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Limits from "./embeddedKinesis/Limits.ts"
import * as FakeControl from "./fakeKinesis/Control.ts"
import * as FanOut from "./fakeKinesis/FanOut.ts"
import * as Faults from "./fakeKinesis/Faults.ts"
import type * as Model from "./fakeKinesis/Model.ts"
import * as Reads from "./fakeKinesis/Reads.ts"
import * as Refusal from "./fakeKinesis/Refusal.ts"
import * as Streams from "./fakeKinesis/Streams.ts"
import type * as World from "./fakeKinesis/World.ts"
import * as Writes from "./fakeKinesis/Writes.ts"

export type { Control, Given, Shard } from "./fakeKinesis/Control.ts"
export type { Fault, Match, Operation } from "./fakeKinesis/Faults.ts"
export type { StreamOptions } from "./fakeKinesis/Streams.ts"
export type { Call } from "./fakeKinesis/World.ts"

/**
 * What there is at the start.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly streams?: ReadonlyArray<Streams.StreamOptions> | undefined
  /** What a shard takes and gives a second. Default: as much as one likes; `{}` is AWS. */
  readonly limits?: Limits.Limits | undefined
  /** Until a stream that `createStream` made is ACTIVE. Default 1 second. */
  readonly streamActivation?: Duration.Input | undefined
  /** Until a registered consumer is ACTIVE. Default 3 seconds. */
  readonly consumerActivation?: Duration.Input | undefined
  /** Default 20. */
  readonly consumersPerStream?: number | undefined
  /** How many shards a page of `ListShards` holds; every page is a call. Default 1000. */
  readonly shardsPerPage?: number | undefined
  /** Between pushes of a subscription that carry nothing. Default 5 seconds. */
  readonly heartbeat?: Duration.Input | undefined
  /**
   * What a position gets whose record is no longer retained: the `oldest` record that is, an error (`refused`), or empty
   * pages for ever (`stuck`). All three were seen of AWS. Default `oldest`.
   */
  readonly trimmedPositions?: "oldest" | "refused" | "stuck" | undefined
}

/**
 * The hand on the fake.
 *
 * @category services
 * @since 0.1.0
 */
export class FakeKinesis extends Context.Service<
  FakeKinesis,
  {
    readonly client: KinesisClient.KinesisClient["Service"]
    /** `client` as a layer, for a test that made the fake itself. */
    readonly layer: Layer.Layer<KinesisClient.KinesisClient>
    /** Every call that was made, in order; it grows. */
    readonly calls: ReadonlyArray<World.Call>
    readonly callsOf: (operation: Faults.Operation, shardId?: string) => ReadonlyArray<World.Call>
    /** The next calls that match go wrong, one fault each. */
    readonly fault: (match: Faults.Match, ...faults: ReadonlyArray<Faults.Fault>) => Effect.Effect<void>
    /** A stream by its name; it need not exist yet. */
    readonly stream: (name: string) => FakeControl.Control
  }
>()("@leat/transport-kinesis/testing/FakeKinesis") {}

/**
 * A fake.
 *
 * **Example** (An answer that is lost)
 *
 * ```ts
 * import * as Effect from "effect/Effect"
 * import * as FakeKinesis from "@leat/transport-kinesis/testing/FakeKinesis"
 *
 * const program = Effect.gen(function* () {
 *   const kinesis = yield* FakeKinesis.make({ streams: [{ name: "orders", shards: 2 }] })
 *   yield* kinesis.fault({ operation: "PutRecords" }, FakeKinesis.lose)
 *   const entry = { partitionKey: "ann", data: new TextEncoder().encode("hello") }
 *   yield* Effect.retry(kinesis.client.putRecords("orders", [entry]), { times: 1 })
 *   const shards = yield* kinesis.stream("orders").shards
 *   return shards.map(({ records }) => records.length)
 * })
 *
 * await Effect.runPromise(program) // => [2, 0]
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): Effect.Effect<FakeKinesis["Service"]> =>
  Effect.map(Clock.currentTimeMillis, (now) => makeUnsafe(options, now))

/**
 * A fake, outside of an effect; its streams were created at `now` (epoch milliseconds).
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeUnsafe = (options: Options = {}, now = 0): FakeKinesis["Service"] => {
  const world = worldOf(options, now)
  for (const stream of options.streams ?? []) Streams.create(world, stream, now)
  const client: KinesisClient.KinesisClient["Service"] = {
    putRecords: Writes.putRecords(world),
    getShardIterator: Reads.getShardIterator(world),
    getRecords: Reads.getRecords(world),
    ...Streams.calls(world),
    ...FanOut.calls(world)
  }
  return {
    client,
    layer: Layer.succeed(KinesisClient.KinesisClient, client),
    calls: world.calls,
    callsOf: (operation, shardId) =>
      world.calls.filter((call) => call.operation === operation && (shardId === undefined || call.shardId === shardId)),
    fault: (match, ...faults) => Effect.sync(() => world.faults.add(match, faults)),
    stream: (name) => FakeControl.make(world, name)
  }
}

const worldOf = (options: Options, now: number): World.World => {
  const limits = options.limits === undefined ? unlimited : Limits.withDefaults(options.limits)
  const world: World.World = {
    streams: new Map<string, Model.Stream>(),
    calls: [],
    faults: Faults.make(),
    throttle: Limits.make(limits, () => world.now),
    limits,
    options: {
      streamActivation: Duration.toMillis(options.streamActivation ?? "1 second"),
      consumerActivation: Duration.toMillis(options.consumerActivation ?? "3 seconds"),
      consumersPerStream: options.consumersPerStream ?? 20,
      shardsPerPage: options.shardsPerPage ?? 1000,
      heartbeat: Duration.toMillis(options.heartbeat ?? "5 seconds"),
      trimmedPositions: options.trimmedPositions ?? "oldest"
    },
    now,
    generation: 0
  }
  return world
}

const unlimited = Limits.withDefaults({
  recordsPerSecond: Infinity,
  bytesPerSecond: Infinity,
  readsPerSecond: Infinity,
  readBytesPerSecond: Infinity
})

/**
 * A fake and the client that speaks to it.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<FakeKinesis | KinesisClient.KinesisClient> =>
  Layer.effectContext(
    Effect.map(make(options), (fake) =>
      Context.make(FakeKinesis, fake).pipe(Context.add(KinesisClient.KinesisClient, fake.client))
    )
  )

/**
 * The call fails and was not done.
 *
 * @category faults
 * @since 0.1.0
 */
export const fail = (reason: KinesisError.Reason, message?: string): Faults.Fault => ({ _tag: "Fail", reason, message })

/**
 * The call is done, and its answer lost.
 *
 * @category faults
 * @since 0.1.0
 */
export const lose: Faults.Fault = { _tag: "Lose" }

/**
 * The call passes: the next fault of the script is for the next call.
 *
 * @category faults
 * @since 0.1.0
 */
export const pass: Faults.Fault = { _tag: "Pass" }

/**
 * The call is never answered.
 *
 * @category faults
 * @since 0.1.0
 */
export const hang: Faults.Fault = { _tag: "Hang" }

/**
 * `GetRecords` gives an empty page although there is more.
 *
 * @category faults
 * @since 0.1.0
 */
export const nothing: Faults.Fault = { _tag: "Nothing" }

/**
 * The call takes a while.
 *
 * @category faults
 * @since 0.1.0
 */
export const delay = (by: Duration.Input): Faults.Fault => ({ _tag: "Delay", by })

/**
 * `PutRecords` refuses the entries that are chosen; the others are accepted.
 *
 * @category faults
 * @since 0.1.0
 */
export const reject = (
  entries: (entry: KinesisClient.Entry, index: number) => boolean,
  code = "ProvisionedThroughputExceededException"
): Faults.Fault => ({ _tag: "Reject", code, entries })

/**
 * A subscription goes silent after so many pushes, as over a half-open connection.
 *
 * @category faults
 * @since 0.1.0
 */
export const silence = (after = 0): Faults.Fault => ({ _tag: "Silence", after })

/**
 * A subscription fails after so many pushes.
 *
 * @category faults
 * @since 0.1.0
 */
export const breakAfter = (after: number, reason: KinesisError.Reason): Faults.Fault => ({
  _tag: "Break",
  after,
  reason
})

/**
 * A subscription ends after so many pushes, before its five minutes.
 *
 * @category faults
 * @since 0.1.0
 */
export const endAfter = (after: number): Faults.Fault => ({ _tag: "End", after })

/**
 * An error as the client gives it, for a test that answers in its place.
 *
 * @category constructors
 * @since 0.1.0
 */
export const error = (
  reason: KinesisError.Reason,
  operation: Faults.Operation = "GetRecords",
  message = "scripted"
): KinesisError.KinesisError => Refusal.error(reason, operation, message)
