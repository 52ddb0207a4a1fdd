/**
 * Looks for shards, gives each its first checkpoint, and offers to run those that may be read.
 *
 * Every process of an application looks for itself; what one has done the others see in the checkpoints.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Queue from "effect/Queue"
import * as Scope from "effect/Scope"

import type * as Checkpoint from "../Checkpoint.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as Shard from "../Shard.ts"
import type * as ShardAssignment from "../ShardAssignment.ts"
import type * as ShardPosition from "../ShardPosition.ts"
import type { ConsumerEvent } from "./ConsumerEvent.ts"

/**
 * What discovery needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options<R> {
  readonly listShards: Effect.Effect<ReadonlyArray<KinesisClient.Shard>, KinesisError.KinesisError>
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly group: Checkpoint.Group
  readonly assignment: ShardAssignment.ShardAssignment["Service"]
  /** Where an application begins that never ran. */
  readonly start: ShardPosition.ShardPosition
  /** Milliseconds between looks; the end of a shard looks at once. */
  readonly interval: number
  /** Runs a shard as long as it is this process's; `look` asks for a look at once. */
  readonly run: (shard: KinesisClient.Shard, look: Effect.Effect<void>) => Effect.Effect<void, never, R>
  readonly emit: (event: ConsumerEvent) => void
}

type Failure = KinesisError.KinesisError | Checkpoint.CheckpointError

/**
 * Runs until it is interrupted; fails with what a repetition does not mend. Then it looks no more, and the shards that run
 * are given back, all of them at once.
 *
 * @category running
 * @since 0.1.0
 */
export const run = <R>(options: Options<R>): Effect.Effect<never, Failure, R> =>
  // No worker asks for this scope: `Exclude<R, Scope>` is R, which the compiler can't see for a generic R.
  Effect.scoped(looking(options)) as Effect.Effect<never, Failure, R>

const looking = Effect.fnUntraced(function* <R>(options: Options<R>) {
  const wanted = yield* Queue.sliding<void>(1)
  const offers = yield* makeOffers(options, Effect.asVoid(Queue.offer(wanted, undefined)))
  const told = new Set<string>()
  const look = Effect.gen(function* () {
    // Rows before shards: a row without a shard is then one that the stream forgot, not one that was born in between.
    const { begin, rows } = yield* rowsOf(options)
    const plan = Shard.plan(yield* options.listShards, rows, begin)
    if (plan.births.length > 0) yield* options.store.create(options.group, plan.births)
    if (plan.forgotten.length > 0) yield* options.store.remove(options.group, plan.forgotten)
    tellLost(options, plan, told)
    yield* offers.replace(plan.ready)
  })
  return yield* Effect.forever(
    Effect.andThen(persistently(options, look), Effect.timeoutOption(Queue.take(wanted), options.interval))
  )
})

/** The rows, with that of the start: the first process to come decides, the others read what it wrote. */
const rowsOf = Effect.fnUntraced(function* <R>({ group, start, store }: Options<R>) {
  const rows = yield* store.list(group)
  const begin = startIn(rows)
  if (begin !== undefined) return { rows, begin }
  yield* store.create(group, [{ shardId: Shard.start, position: start }])
  const again = yield* store.list(group)
  return { rows: again, begin: startIn(again) ?? start }
})

const startIn = (rows: ReadonlyArray<Checkpoint.Checkpoint>): ShardPosition.ShardPosition | undefined =>
  rows.find((row) => row.shardId === Shard.start)?.position

const persistently = <R, A, R2>(
  options: Options<R>,
  self: Effect.Effect<A, Failure, R2>
): Effect.Effect<A, Failure, R2> =>
  Effect.catch(self, (error) => {
    if (!error.retryable) return Effect.fail(error)
    options.emit({ _tag: "DiscoveryFailed", error })
    return Effect.andThen(
      Effect.sleep("1 second"),
      Effect.suspend(() => persistently(options, self))
    )
  })

const tellLost = <R>(options: Options<R>, { lost }: Shard.Plan, told: Set<string>): void => {
  for (const { position, shardId } of lost) {
    if (told.has(shardId)) continue
    told.add(shardId)
    options.emit({ _tag: "ShardLost", shardId, position })
  }
}

/** The offers of this process: one a shard that may be read, each with a scope of its own. */
const makeOffers = Effect.fnUntraced(function* <R>(options: Options<R>, look: Effect.Effect<void>) {
  const scopes = new Map<string, Scope.Closeable>()
  const withdraw = (shardId: string, scope: Scope.Closeable) => {
    scopes.delete(shardId)
    return Scope.close(scope, Exit.void)
  }
  const withdrawAll = Effect.suspend(() =>
    Effect.forEach([...scopes], ([shardId, scope]) => withdraw(shardId, scope), {
      concurrency: "unbounded",
      discard: true
    })
  )
  yield* Effect.addFinalizer(() => withdrawAll)
  const { application, stream } = options.group

  const offer = (shard: KinesisClient.Shard) =>
    Effect.uninterruptible(
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        scopes.set(shard.shardId, scope)
        const name = `${application}/${stream}/${shard.shardId}`
        yield* Scope.provide(options.assignment.offer(name, options.run(shard, look)), scope)
      })
    )

  return {
    replace: (ready: ReadonlyArray<KinesisClient.Shard>) =>
      Effect.gen(function* () {
        const wanted = new Set(ready.map((shard) => shard.shardId))
        const over = [...scopes].filter(([shardId]) => !wanted.has(shardId))
        yield* Effect.forEach(over, ([shardId, scope]) => withdraw(shardId, scope), {
          concurrency: "unbounded",
          discard: true
        })
        yield* Effect.forEach(
          ready.filter((shard) => !scopes.has(shard.shardId)),
          offer,
          { discard: true }
        )
      })
  }
})
