/**
 * Finds the shards of a stream and runs one poller for each, as `Shard.ts` plans it: parents before children, each from
 * where its row in the checkpoint store says.
 *
 * @since 0.1.0
 */
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as FiberSet from "effect/FiberSet"
import * as Queue from "effect/Queue"
import * as Schedule from "effect/Schedule"

import type * as Checkpoint from "../Checkpoint.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Shard from "../Shard.ts"
import * as ShardPosition from "../ShardPosition.ts"
import * as Committer from "./Committer.ts"
import type * as MappingEvent from "./MappingEvent.ts"
import type * as Poller from "./Poller.ts"

/**
 * What a supervisor needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly listShards: Effect.Effect<ReadonlyArray<KinesisClient.Shard>, KinesisError.KinesisError>
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly group: Checkpoint.Group
  /** Written into the rows, for a person to read. */
  readonly owner: string
  /** Where shards begin that have neither a row nor a parent that has one, on the first start of the application. */
  readonly begin: ShardPosition.ShardPosition
  readonly discovery: Duration.Input
  readonly poll: (
    shardId: string,
    from: KinesisClient.Position,
    commit: Committer.Committer
  ) => Effect.Effect<void, Poller.Failure>
  readonly onStart: (shardId: string, position: ShardPosition.ShardPosition) => void
  readonly onEnd: (shardId: string) => void
  readonly emit: (event: MappingEvent.MappingEvent) => void
}

/**
 * Runs for ever; fails with the first poller that fails.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* (options: Options): Effect.fn.Return<never, Poller.Failure, never> {
  return yield* Effect.scoped(
    Effect.gen(function* () {
      const pollers = yield* FiberSet.make<void, Poller.Failure>()
      const ends = yield* Queue.unbounded<string>()
      const room: Room = { options, pollers, ends, started: new Set(), call: caller(options) }
      return yield* Effect.raceFirst(supervise(room), Effect.andThen(FiberSet.join(pollers), Effect.never))
    })
  )
})

interface Room {
  readonly options: Options
  readonly pollers: FiberSet.FiberSet<void, Poller.Failure>
  readonly ends: Queue.Queue<string>
  readonly started: Set<string>
  readonly call: <A>(call: Effect.Effect<A, Checkpoint.CheckpointError>) => Effect.Effect<A, Checkpoint.CheckpointError>
}

const caller =
  ({ emit }: Options): Room["call"] =>
  (call) =>
    Committer.persistent(call, (error) => emit({ _tag: "CheckpointFailed", shardId: undefined, error }))

const supervise = Effect.fnUntraced(function* (room: Room): Effect.fn.Return<never, Poller.Failure, never> {
  const { ends, options } = room
  const begin = yield* beginning(room)
  yield* look(room, begin)
  while (true) {
    const next = yield* Effect.timeoutOption(Queue.take(ends), options.discovery)
    yield* look(room, begin)
    // Only now: between the end of a parent and the start of its children nothing may look drained.
    if (next._tag === "Some") options.onEnd(next.value)
  }
})

/** The first start of the application decides for all that follow. */
const beginning = Effect.fnUntraced(function* ({ call, options }: Room) {
  const { begin, group, store } = options
  yield* call(store.create(group, [{ shardId: Shard.start, position: begin }]))
  const rows = yield* call(store.list(group))
  return rows.find((row) => row.shardId === Shard.start)?.position ?? begin
})

const look = Effect.fnUntraced(function* (room: Room, begin: ShardPosition.ShardPosition) {
  const { call, options, started } = room
  const { emit, group, store } = options
  const shards = yield* Effect.retry(options.listShards, {
    while: (error) => error.retryable,
    schedule: Schedule.spaced("1 second")
  })
  const plan = Shard.plan(shards, yield* call(store.list(group)), begin)
  if (plan.births.length > 0) yield* call(store.create(group, plan.births))
  for (const { position, shardId } of plan.lost) {
    if (!started.has(shardId)) emit({ _tag: "ShardLost", shardId, position })
  }
  const gone = [...plan.forgotten, ...plan.lost.map((row) => row.shardId).filter((shardId) => !started.has(shardId))]
  if (gone.length > 0) yield* call(store.remove(group, gone))
  const ready = plan.ready.filter(({ shardId }) => !started.has(shardId))
  const polls = yield* Effect.forEach(ready, ({ shardId }) => prepare(room, shardId))
  // Not before all are known: the first must not look like all that there is.
  for (const poll of polls) yield* FiberSet.run(room.pollers, poll)
})

const prepare = Effect.fnUntraced(function* ({ call, ends, options, started }: Room, shardId: string) {
  const { emit, group, owner, store } = options
  const row = yield* call(store.acquire(group, shardId, owner))
  // Removed by a hand or by a mapping beside this one: the next look writes it anew.
  if (row === undefined) return Effect.void
  const { position } = row
  started.add(shardId)
  options.onStart(shardId, position)
  const commit = Committer.make({
    store,
    group,
    row,
    onError: (error) => emit({ _tag: "CheckpointFailed", shardId, error })
  })
  const poll = position._tag === "End" ? Effect.void : options.poll(shardId, ShardPosition.toStart(position), commit)
  const end = commit(() => ShardPosition.end)
  return Effect.asVoid(poll.pipe(Effect.andThen(end), Effect.andThen(Queue.offer(ends, shardId))))
})
