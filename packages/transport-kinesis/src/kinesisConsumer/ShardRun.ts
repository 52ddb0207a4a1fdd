/**
 * One shard, from its checkpoint to its end or until it is taken away.
 *
 * **Guarantees.** One batch at a time. What failed is tried again before anything that follows on its key. When the run is
 * interrupted, the batch in hand is finished as far as the time allows, and the last checkpoint is written.
 *
 * @since 0.1.0
 */
import * as Deadline from "@leat/core/Deadline"
import type { Journal, JournalError } from "@leat/core/Journal"
import * as Outcome from "@leat/core/Outcome"
import type { Worker } from "@leat/core/Worker"
import type * as Arr from "effect/Array"
import type * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Option from "effect/Option"
import * as Pull from "effect/Pull"
import * as Random from "effect/Random"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import type * as Aggregation from "../Aggregation.ts"
import type * as Checkpoint from "../Checkpoint.ts"
import type * as Fetcher from "../Fetcher.ts"
import * as Deliveries from "../internal/deliveries.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import type * as KinesisError from "../KinesisError.ts"
import * as ShardPosition from "../ShardPosition.ts"
import * as Checkpointer from "./Checkpointer.ts"
import type { ConsumerEvent } from "./ConsumerEvent.ts"
import * as Resume from "./Resume.ts"
import * as Window from "./Window.ts"

/**
 * What the shards of one consumer share.
 *
 * @category models
 * @since 0.1.0
 */
export interface Room<R> {
  readonly worker: Worker<R>
  readonly stream: string
  readonly partition: (shardId: string) => string
  readonly group: Checkpoint.Group
  readonly owner: string
  readonly store: Checkpoint.CheckpointStore["Service"]
  readonly fetcher: Fetcher.Fetcher["Service"]
  readonly emit: (event: ConsumerEvent) => void
  readonly settings: Settings
}

/**
 * Bounds and times, in milliseconds.
 *
 * @category models
 * @since 0.1.0
 */
export interface Settings {
  readonly batchSize: number
  readonly batchTimeout: number
  readonly bounds: Window.Bounds
  readonly checkpointInterval: number
  readonly checkpointEvery: number
  readonly shutdownTimeout: number
  /** Before the n-th try, n from 2; the caller's jitter lies on top. */
  readonly backoff: (attempt: number) => number
  readonly hashRangePolicy: Aggregation.HashRangePolicy
}

type Failure = KinesisError.KinesisError | Checkpoint.CheckpointError | JournalError

/**
 * Takes a shard over and runs it. Completes at its end, or when it is fenced or ended before; fails with what a
 * repetition does not mend.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* <R>(room: Room<R>, shard: KinesisClient.Shard) {
  const owned = yield* acquire(room, shard.shardId)
  if (owned === undefined) return
  const { position, shardId, token } = owned
  if (position._tag === "End") return
  room.emit({ _tag: "ShardStarted", shardId, position, token })
  const { checkpointEvery: every, checkpointInterval: interval } = room.settings
  const checkpointer = Checkpointer.make({ ...room, shardId, token, every, interval })
  const stop = Deferred.makeUnsafe<void>()
  const ownership: Ownership<R> = { room, shard, position, token, checkpointer, stop, window: new Window.Window() }
  // No worker asks for the loop's own scope: `Exclude<R, Scope>` is R, which the compiler can't see for a generic R.
  const scoped = Effect.scoped(loop(ownership)) as Effect.Effect<Ending, Failure, R | Journal>
  yield* gracefully(ownership, scoped)
})

/** One shard in the hands of this process. */
interface Ownership<R> {
  readonly room: Room<R>
  readonly shard: KinesisClient.Shard
  readonly position: Resume.Resumable
  readonly token: number
  readonly checkpointer: Checkpointer.Checkpointer
  readonly window: Window.Window
  /** Done when the shard is to be given back. */
  readonly stop: Deferred.Deferred<void>
}

const acquire = <R>(
  room: Room<R>,
  shardId: string
): Effect.Effect<Checkpoint.Checkpoint | undefined, Checkpoint.CheckpointError> =>
  Effect.catchTag(room.store.acquire(room.group, shardId, room.owner), "CheckpointError", (error) => {
    if (!error.retryable) return Effect.fail(error)
    room.emit({ _tag: "CheckpointFailed", shardId, error })
    return Effect.andThen(
      Effect.sleep(1_000),
      Effect.suspend(() => acquire(room, shardId))
    )
  })

type Ending = "Ended" | "Fenced" | "Stopped"

/** An interruption asks the loop to stop, and waits for it; what takes too long is cut. */
const gracefully = <R>(
  ownership: Ownership<R>,
  self: Effect.Effect<Ending, Failure, R | Journal>
): Effect.Effect<void, Failure, R | Journal> =>
  Effect.uninterruptibleMask((restore) =>
    Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(Effect.interruptible(self))
      const joined = yield* Effect.exit(restore(Fiber.join(fiber)))
      if (Exit.hasInterrupts(joined)) yield* halt(ownership, fiber)
      const ending = Exit.isSuccess(joined) ? joined.value : "Stopped"
      if (ending === "Stopped") yield* release(ownership)
      if (Exit.isFailure(joined)) return yield* Effect.failCause(joined.cause)
      return undefined
    })
  )

const halt = <R>({ room, stop }: Ownership<R>, fiber: Fiber.Fiber<Ending, Failure>) =>
  Effect.gen(function* () {
    yield* Deferred.succeed(stop, undefined)
    const ended = yield* Effect.timeoutOption(Fiber.await(fiber), room.settings.shutdownTimeout)
    if (Option.isNone(ended)) yield* Fiber.interrupt(fiber)
  })

/** The last checkpoint: tried until it is written, or somebody else's, or the time is up. */
const release = <R>(ownership: Ownership<R>): Effect.Effect<void> => {
  const { checkpointer, room, shard, window } = ownership
  const last = Effect.gen(function* () {
    noteProgress(ownership, 0, yield* Clock.currentTimeMillis)
    const write = Effect.catchTag(checkpointer.write, "CheckpointError", (error) => {
      room.emit({ _tag: "CheckpointFailed", shardId: shard.shardId, error })
      return Effect.succeed<Checkpointer.Verdict>("Fenced")
    })
    for (let verdict = yield* write; verdict === "Kept"; verdict = yield* write) yield* Effect.sleep(200)
  })
  return Effect.andThen(
    Effect.timeoutOption(last, room.settings.shutdownTimeout),
    Effect.sync(() => room.emit({ _tag: "ShardReleased", shardId: shard.shardId, settled: window.isEmpty }))
  )
}

type Pages = Arr.NonEmptyReadonlyArray<Fetcher.Page>
type Reading = Fiber.Fiber<Pages, KinesisError.KinesisError | Cause.Done>

const loop: <R>(ownership: Ownership<R>) => Effect.Effect<Ending, Failure, R | Journal | Scope.Scope> =
  Effect.fnUntraced(function* <R>(ownership: Ownership<R>) {
    const { room, shard, stop, window } = ownership
    const { shardId } = shard
    const pull = yield* Stream.toPull(
      room.fetcher.read({ stream: room.stream, shardId, from: Resume.from(ownership.position), onEvent: room.emit })
    )
    const pages = reader(ownership, pull)
    while (!Deferred.isDoneUnsafe(stop)) {
      yield* pages.advance
      if (pages.ended() && window.isEmpty) return yield* finish(ownership)
      const batch = yield* nextBatch(ownership)
      if (batch.length > 0) yield* process(ownership, batch, pages.millisBehindLatest())
      else if (!window.hasFresh) yield* pages.wait
      if ((yield* checkpointIfDue(ownership)) === "Fenced") return "Fenced"
    }
    return "Stopped"
  })

/** Takes a page when all of the last one is handed out, and none while the window is full: reading ahead is the fetcher's. */
const reader = <R>(ownership: Ownership<R>, pull: Pull.Pull<Pages, KinesisError.KinesisError>) => {
  const { room, window } = ownership
  let reading: Reading | undefined
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
    if (pages === undefined) ended = true
    for (const page of pages ?? []) {
      behind = page.millisBehindLatest
      if (page.records.length === 0) continue
      offer(ownership, page.records, first)
      first = false
    }
  })
  return {
    ended: () => ended,
    millisBehindLatest: () => behind,
    advance: Effect.andThen(collect, begin),
    /** Until a page has come, a lane or a checkpoint is due, or the shard is to be given back. */
    wait: Effect.suspend(() =>
      Effect.flatMap(Clock.currentTimeMillis, (now) => {
        const due = Math.min(window.nextDue, ownership.checkpointer.due()) - now
        const causes: Array<Effect.Effect<unknown>> = [Deferred.await(ownership.stop)]
        if (reading !== undefined) causes.push(Fiber.await(reading))
        if (due < Infinity) causes.push(Effect.sleep(Math.max(0, due)))
        return Effect.raceAllFirst(causes)
      })
    )
  }
}

const offer = <R>(ownership: Ownership<R>, page: ReadonlyArray<KinesisClient.Record>, first: boolean): void => {
  const { position, room, shard, window } = ownership
  const { shardId } = shard
  const gap = first ? Resume.gap(position, page) : undefined
  if (gap !== undefined) {
    room.emit({ _tag: "RecordsTrimmed", shardId, position: ShardPosition.encode(position), resumed: gap })
  }
  const records = first ? Resume.rest(position, page) : page
  const deliveries = Deliveries.fromRecords(room.partition(shardId), records, {
    hashRange: { policy: room.settings.hashRangePolicy, range: shard.hashRange },
    from: position,
    onOutOfRange: ({ count, dropped }) => room.emit({ _tag: "OutOfRange", shardId, records: count, dropped })
  })
  window.offer(deliveries, page.at(-1)?.sequenceNumber)
}

const nextBatch = Effect.fnUntraced(function* <R>({ room, window }: Ownership<R>) {
  const { batchSize } = room.settings
  // Reading a delivery for its lane alone costs as much as handling it: only while a lane waits.
  if (window.isHolding) yield* locate(room, window.fresh(batchSize))
  return window.take(yield* Clock.currentTimeMillis, batchSize)
})

const locate = <R>(room: Room<R>, entries: ReadonlyArray<Window.Entry>): Effect.Effect<void> =>
  Effect.forEach(
    entries,
    (entry) =>
      entry.lane !== undefined || entry.delivery === undefined
        ? Effect.void
        : Effect.map(room.worker.locate(entry.delivery), ({ key }) => void (entry.lane = key)),
    { discard: true }
  )

const process = Effect.fnUntraced(function* <R>(
  ownership: Ownership<R>,
  batch: ReadonlyArray<Window.Entry>,
  millisBehindLatest: number
) {
  const { room, shard, window } = ownership
  const started = yield* Clock.currentTimeMillis
  const last = batch.at(-1)?.delivery?.arrival ?? started
  const result = yield* untilJournaled(ownership, batch)
  const outcomes = result?.outcomes ?? []
  yield* locate(room, openOf(batch, outcomes))
  const draw = yield* Random.next
  const now = yield* Clock.currentTimeMillis
  tellHeld(ownership, batch, outcomes)
  // Half of the pause is jitter: shards that failed together do not come back together.
  window.settle(batch, outcomes, now, (attempt) => (0.5 + draw / 2) * room.settings.backoff(attempt))
  const settled = outcomes.filter((outcome) => Outcome.isSettled(outcome)).length
  noteProgress(ownership, settled, now)
  room.emit({
    _tag: "BatchProcessed",
    shardId: shard.shardId,
    deliveries: batch.length,
    settled,
    duration: now - started,
    iteratorAge: Math.max(0, now - last),
    millisBehindLatest
  })
})

const openOf = (
  batch: ReadonlyArray<Window.Entry>,
  outcomes: ReadonlyArray<Outcome.Outcome>
): ReadonlyArray<Window.Entry> => batch.filter((_, index) => !Outcome.isSettled(outcomes[index] ?? Outcome.unstarted))

const noteProgress = <R>({ checkpointer, window }: Ownership<R>, settled: number, now: number): void => {
  const { watermark } = window
  const position = watermark === undefined ? undefined : ShardPosition.decode(watermark)
  if (position !== undefined) checkpointer.reached(position, settled, now)
}

/** One line a lane: what failed, not what stands behind it. */
const tellHeld = <R>(
  { room, shard }: Ownership<R>,
  batch: ReadonlyArray<Window.Entry>,
  outcomes: ReadonlyArray<Outcome.Outcome>
): void => {
  for (const [index, outcome] of outcomes.entries()) {
    const entry = batch[index]
    if (outcome._tag !== "Failed" || entry?.delivery === undefined) continue
    room.emit({
      _tag: "LaneHeld",
      shardId: shard.shardId,
      key: entry.lane ?? "",
      position: entry.position,
      attempt: entry.delivery.attempt,
      reason: Outcome.reason(outcome) ?? "",
      retryable: outcome.retryable
    })
  }
}

/** A journal that can't be reached holds the shard: without it nothing can be settled. */
const untilJournaled = Effect.fnUntraced(function* <R>(ownership: Ownership<R>, batch: ReadonlyArray<Window.Entry>) {
  const { room, shard, stop } = ownership
  const deliveries = batch.flatMap(({ delivery }) => (delivery === undefined ? [] : [delivery]))
  for (let attempt = 1; !Deferred.isDoneUnsafe(stop); attempt++) {
    const tried = yield* room.worker
      .process(deliveries)
      .pipe(Deadline.within(room.settings.batchTimeout), Effect.result)
    if (tried._tag === "Success") return tried.success
    if (!tried.failure.retryable) return yield* tried.failure
    room.emit({ _tag: "JournalFailed", shardId: shard.shardId, error: tried.failure })
    yield* Effect.raceFirst(Effect.sleep(room.settings.backoff(attempt)), Deferred.await(stop))
  }
  return undefined
})

const checkpointIfDue = Effect.fnUntraced(function* <R>({ checkpointer, room, shard, token }: Ownership<R>) {
  if (checkpointer.due() > (yield* Clock.currentTimeMillis)) return "Written" as const
  const verdict = yield* checkpointer.write
  if (verdict === "Fenced") room.emit({ _tag: "ShardFenced", shardId: shard.shardId, token })
  return verdict
})

/** Everything is settled: only now may the children begin. */
const finish = Effect.fnUntraced(function* <R>(ownership: Ownership<R>) {
  const { checkpointer, room, shard, stop, token } = ownership
  const { shardId } = shard
  checkpointer.reached(ShardPosition.end, 0, yield* Clock.currentTimeMillis)
  for (;;) {
    const verdict = yield* checkpointer.write
    if (verdict === "Written") {
      room.emit({ _tag: "ShardEnded", shardId })
      return "Ended" as const
    }
    if (verdict === "Fenced") {
      room.emit({ _tag: "ShardFenced", shardId, token })
      return "Fenced" as const
    }
    if (Deferred.isDoneUnsafe(stop)) return "Stopped" as const
    yield* Effect.raceFirst(Effect.sleep(1_000), Deferred.await(stop))
  }
})
