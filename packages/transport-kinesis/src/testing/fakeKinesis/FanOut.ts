/**
 * Enhanced fan-out of a fake: consumers, and subscriptions that push.
 *
 * @see https://docs.aws.amazon.com/kinesis/latest/APIReference/API_SubscribeToShard.html
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

import type * as KinesisClient from "../../KinesisClient.ts"
import type * as KinesisError from "../../KinesisError.ts"
import type * as Faults from "./Faults.ts"
import * as Model from "./Model.ts"
import * as Reads from "./Reads.ts"
import * as Refusal from "./Refusal.ts"
import * as World from "./World.ts"

type Service = KinesisClient.KinesisClient["Service"]

const subscriptionLife = 5 * 60_000
const exclusive = 5000

/** The last one of a consumer and a shard pushes; those before it were taken over. */
interface Subscription {
  readonly begun: number
  readonly number: number
}

/**
 * The calls of enhanced fan-out.
 *
 * @category calls
 * @since 0.1.0
 */
export const calls = (
  world: World.World
): Pick<Service, "registerConsumer" | "describeConsumer" | "deregisterConsumer" | "subscribeToShard"> => ({
  registerConsumer: (arn, name) => consumerCall(world, "RegisterStreamConsumer", arn, name, register(world, name)),
  describeConsumer: (arn, name) =>
    consumerCall(world, "DescribeStreamConsumer", arn, name, (stream) =>
      Effect.map(consumerOf(stream, "DescribeStreamConsumer", name), (consumer) => shown(world, consumer))
    ),
  deregisterConsumer: (arn, name) =>
    consumerCall(world, "DeregisterStreamConsumer", arn, name, (stream) =>
      Effect.map(consumerOf(stream, "DeregisterStreamConsumer", name), () => {
        stream.consumers.delete(name)
        Model.changed(stream)
      })
    ),
  subscribeToShard: subscribeToShard(world, new Map())
})

const consumerCall = <A>(
  world: World.World,
  operation: Faults.Operation,
  streamArn: string,
  name: string,
  body: (stream: Model.Stream) => Effect.Effect<A, KinesisError.KinesisError>
): Effect.Effect<A, KinesisError.KinesisError> =>
  World.call(world, { operation, stream: streamArn, asked: name }, () =>
    Effect.flatMap(World.activeStream(world, operation, streamArn), body)
  )

const register = (world: World.World, name: string) => (stream: Model.Stream) => {
  if (stream.consumers.has(name)) {
    return Refusal.refuse("InUse", "RegisterStreamConsumer", `Consumer ${name} already exists.`)
  }
  if (stream.consumers.size >= world.options.consumersPerStream) {
    const message = `${world.options.consumersPerStream} consumers are registered already: LimitExceededException`
    return Refusal.refuse("Throttled", "RegisterStreamConsumer", message)
  }
  const consumer: Model.Consumer = {
    // AWS appends the second of the registration: a consumer made anew has another ARN.
    arn: `${stream.arn}/consumer/${name}:${Math.floor(world.now / 1000)}`,
    name,
    activeAt: world.now + world.options.consumerActivation
  }
  stream.consumers.set(name, consumer)
  return Effect.succeed(shown(world, consumer))
}

const shown = (world: World.World, { activeAt, arn, name }: Model.Consumer): KinesisClient.StreamConsumer => ({
  arn,
  name,
  status: world.now < activeAt ? "CREATING" : "ACTIVE"
})

const consumerOf = (
  stream: Model.Stream,
  operation: string,
  name: string
): Effect.Effect<Model.Consumer, KinesisError.KinesisError> => {
  const consumer = stream.consumers.get(name)
  return consumer === undefined
    ? Refusal.refuse("NotFound", operation, `Consumer ${name} of stream ${stream.name} not found.`)
    : Effect.succeed(consumer)
}

const subscribeToShard =
  (world: World.World, current: Map<string, Subscription>): Service["subscribeToShard"] =>
  (consumerArn, shardId, position) => {
    const subject = { operation: "SubscribeToShard", stream: consumerArn, shardId, asked: position } as const
    return Stream.unwrap(
      World.call(world, subject, (now, fault) =>
        Effect.gen(function* () {
          const stream = yield* World.activeStream(world, "SubscribeToShard", consumerArn)
          yield* activeConsumer(world, stream, consumerArn)
          const shard = yield* World.shardOf(stream, "SubscribeToShard", shardId)
          const from = yield* Reads.resolve(world, "SubscribeToShard", stream, shard, position)
          const key = `${consumerArn}/${shardId}`
          const before = current.get(key)
          if (before !== undefined && now - before.begun < exclusive) {
            const message = `Another active subscription exists for this consumer: ${key}`
            return yield* Refusal.refuse("InUse", "SubscribeToShard", message)
          }
          const own: Subscription = { begun: now, number: (before?.number ?? 0) + 1 }
          current.set(key, own)
          // A later subscription takes over: this one hears of it.
          Model.changed(stream)
          return pushes({ world, stream, shard, consumerArn, fault, own, holder: () => current.get(key), from })
        })
      )
    )
  }

const activeConsumer = (
  world: World.World,
  stream: Model.Stream,
  arn: string
): Effect.Effect<void, KinesisError.KinesisError> => {
  const consumer = [...stream.consumers.values()].find((candidate) => candidate.arn === arn)
  if (consumer === undefined) return Refusal.refuse("NotFound", "SubscribeToShard", `Consumer ${arn} not found.`)
  return world.now < consumer.activeAt
    ? Refusal.refuse("InUse", "SubscribeToShard", `Consumer ${arn} is CREATING.`)
    : Effect.void
}

interface Pushing {
  readonly world: World.World
  readonly stream: Model.Stream
  readonly shard: Model.Shard
  readonly consumerArn: string
  readonly fault: Faults.Fault
  readonly own: Subscription
  readonly holder: () => Subscription | undefined
  readonly from: bigint
}

type Next =
  | { readonly _tag: "Push"; readonly push: KinesisClient.Push }
  | { readonly _tag: "Wait"; readonly until: number }
  | { readonly _tag: "End" }
  | { readonly _tag: "Fail"; readonly error: KinesisError.KinesisError }
  | { readonly _tag: "Silent" }

const pushes = (options: Pushing): Stream.Stream<KinesisClient.Push, KinesisError.KinesisError> =>
  Stream.fromPull(
    Effect.sync(() => {
      const state = { from: options.from, pushed: 0, last: options.own.begun, ended: false }
      const pull: Effect.Effect<readonly [KinesisClient.Push], KinesisError.KinesisError | Cause.Done<void>> =
        Effect.gen(function* () {
          for (;;) {
            yield* World.tick(options.world)
            const next = decide(options, state)
            if (next._tag === "Push") return [next.push]
            if (next._tag === "Fail") return yield* Effect.fail(next.error)
            if (next._tag === "End") return yield* Cause.done()
            if (next._tag === "Silent") return yield* Effect.never
            yield* changedOr(options.stream, next.until)
          }
        })
      return pull
    })
  )

interface State {
  from: bigint
  pushed: number
  last: number
  ended: boolean
}

const decide = (options: Pushing, state: State): Next => {
  const { own, world } = options
  const { now } = world
  const scripted = script(options.fault, state.pushed)
  if (scripted !== undefined) return scripted
  if (state.ended || now - own.begun >= subscriptionLife) return { _tag: "End" }
  const stopped = stop(options)
  if (stopped !== undefined) return { _tag: "Fail", error: stopped }
  const push = nextPush(options, state)
  if (push !== undefined) {
    state.pushed += 1
    state.last = now
    return { _tag: "Push", push }
  }
  return { _tag: "Wait", until: Math.min(own.begun + subscriptionLife, state.last + world.options.heartbeat) }
}

const script = (fault: Faults.Fault, pushed: number): Next | undefined => {
  if (fault._tag === "Silence" && pushed >= fault.after) return { _tag: "Silent" }
  if (fault._tag === "End" && pushed >= fault.after) return { _tag: "End" }
  if (fault._tag === "Break" && pushed >= fault.after) {
    return { _tag: "Fail", error: Refusal.error(fault.reason, "SubscribeToShard", "scripted, in the midst of it") }
  }
  return undefined
}

/** What ends a subscription from outside. */
const stop = ({ consumerArn, holder, own, stream, world }: Pushing): KinesisError.KinesisError | undefined => {
  if (holder() !== own) return Refusal.error("InUse", "SubscribeToShard", "another subscription took over")
  if (world.streams.get(stream.name) !== stream) {
    return Refusal.error("NotFound", "SubscribeToShard", `Stream ${stream.name} not found.`)
  }
  const registered = [...stream.consumers.values()].some(({ arn }) => arn === consumerArn)
  return registered ? undefined : Refusal.error("NotFound", "SubscribeToShard", `Consumer ${consumerArn} not found.`)
}

const nextPush = ({ shard, stream, world }: Pushing, state: State): KinesisClient.Push | undefined => {
  const page = Reads.cut(world, stream, shard, state.from)
  const idle = page.records.length === 0 && page.next !== undefined
  if (idle && world.now - state.last < world.options.heartbeat) return undefined
  state.ended = page.next === undefined
  state.from = page.next ?? state.from
  const { children, millisBehindLatest, records } = page
  // Progress counts also where nothing lies: AWS names the last place that it looked at.
  const seen = records.at(-1)?.sequenceNumber ?? Model.orderOf(stream, shard, stream.counter).toString()
  return { records, millisBehindLatest, children, continuation: state.ended ? undefined : seen }
}

/** Waits until the stream changes, or a time. */
const changedOr = (stream: Model.Stream, until: number): Effect.Effect<void> => {
  const change = Effect.callback<void>((resume) => {
    const wake = () => resume(Effect.void)
    stream.waiting.add(wake)
    return Effect.sync(() => void stream.waiting.delete(wake))
  })
  const due = Effect.flatMap(Clock.currentTimeMillis, (now) => Effect.sleep(Math.max(0, until - now)))
  return Effect.raceFirst(change, due)
}
