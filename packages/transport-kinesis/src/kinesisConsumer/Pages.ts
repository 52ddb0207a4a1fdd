/**
 * The pages of one shard, taken from its fetcher into the window.
 *
 * @since 0.1.0
 */
import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Pull from "effect/Pull"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import type * as Fetcher from "../Fetcher.ts"
import * as Deliveries from "../internal/deliveries.ts"
import * as Monotonic from "../internal/monotonic.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as ShardPosition from "../ShardPosition.ts"
import { noteProgress } from "./Ownership.ts"
import type { Ownership } from "./Ownership.ts"
import * as Resume from "./Resume.ts"

/**
 * The reading of one shard.
 *
 * @category models
 * @since 0.1.0
 */
export interface Pages {
  /** Whether the last page was taken. */
  readonly ended: () => boolean
  readonly millisBehindLatest: () => number
  /** Takes the page that has come, and asks for the next when there is room and nothing left to hand out. */
  readonly advance: Effect.Effect<void, KinesisError.KinesisError, Scope.Scope>
  /** Until a page has come, a lane or a checkpoint is due, or the shard is to be given back. */
  readonly wait: Effect.Effect<void>
}

type Pulled = Arr.NonEmptyReadonlyArray<Fetcher.Page>

/**
 * Opens a shard at the position of its checkpoint. Reading ahead is the fetcher's: one pull is open at a time.
 *
 * @category constructors
 * @since 0.1.0
 */
export const open = Effect.fnUntraced(function* <R>(
  ownership: Ownership<R>
): Effect.fn.Return<Pages, never, Scope.Scope> {
  const { position, room, shard, window } = ownership
  const { shardId } = shard
  const pull = yield* Stream.toPull(
    room.fetcher.read({ stream: room.stream, shardId, from: Resume.from(position), onEvent: room.emit })
  )
  let reading: Fiber.Fiber<Pulled, KinesisError.KinesisError | Cause.Done> | undefined
  let ended = false
  let behind = 0
  let first = true

  const begin = Effect.gen(function* () {
    if (ended || reading !== undefined || window.hasFresh || !window.hasRoom(room.settings.bounds)) return
    reading = yield* Effect.forkScoped(pull)
  })
  const collect = Effect.gen(function* () {
    const exit = reading?.pollUnsafe()
    if (exit === undefined) return
    reading = undefined
    const pages = yield* Pull.catchDone(exit, () => Effect.succeed(undefined))
    const now = yield* Monotonic.millis
    if (pages === undefined) ended = true
    for (const page of pages ?? []) {
      behind = page.millisBehindLatest
      room.lag.note(shardId, behind, now)
      if (page.records.length === 0) continue
      offer(ownership, page.records, first)
      first = false
    }
    // A page of which nothing is delivered moves the watermark too, and no batch follows that would note it.
    noteProgress(ownership, 0, now)
  })
  return {
    ended: () => ended,
    millisBehindLatest: () => behind,
    advance: Effect.andThen(collect, begin),
    wait: Effect.suspend(() => wait(ownership, reading))
  }
})

const wait = Effect.fnUntraced(function* <R>(
  { checkpointer, stop, window }: Ownership<R>,
  reading: Fiber.Fiber<unknown, unknown> | undefined
) {
  const due = Math.min(window.nextDue, checkpointer.due()) - (yield* Monotonic.millis)
  const causes: Array<Effect.Effect<unknown>> = [Deferred.await(stop)]
  if (reading !== undefined) causes.push(Fiber.await(reading))
  if (due < Infinity) causes.push(Effect.sleep(Math.max(0, due)))
  yield* Effect.raceAllFirst(causes)
})

const offer = <R>(ownership: Ownership<R>, page: ReadonlyArray<KinesisClient.Record>, first: boolean): void => {
  const { position, room, shard, window } = ownership
  const { shardId } = shard
  const gap = first ? Resume.gap(position, page) : undefined
  if (gap !== undefined) {
    room.emit({ _tag: "RecordsTrimmed", shardId, position: ShardPosition.encode(position), resumed: gap })
  }
  const deliveries = Deliveries.fromRecords(room.partition(shardId), first ? Resume.rest(position, page) : page, {
    hashRange: { policy: room.settings.hashRangePolicy, range: shard.hashRange },
    from: position,
    onOutOfRange: ({ count, dropped }) => room.emit({ _tag: "OutOfRange", shardId, records: count, dropped })
  })
  window.offer(deliveries, page.at(-1)?.sequenceNumber)
}
