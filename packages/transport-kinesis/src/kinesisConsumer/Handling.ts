/**
 * A batch of one shard through the worker, and what its outcomes do to the window.
 *
 * @since 0.1.0
 */
import * as Deadline from "@leat/core/Deadline"
import type { Delivery } from "@leat/core/Delivery"
import * as Outcome from "@leat/core/Outcome"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"

import * as FencingToken from "../FencingToken.ts"
import * as Monotonic from "../internal/monotonic.ts"
import { noteProgress } from "./Ownership.ts"
import type { Ownership, Room } from "./Ownership.ts"
import type * as Window from "./Window.ts"

/**
 * What the worker gets next; none when all that is open waits.
 *
 * @category getters
 * @since 0.1.0
 */
export const nextBatch = Effect.fnUntraced(function* <R>({ room, window }: Ownership<R>) {
  const { batchSize } = room.settings
  // Reading a delivery for its lane alone costs as much as handling it: only while a lane waits.
  if (window.isHolding) yield* locate(room, window.fresh(batchSize))
  return window.take(yield* Monotonic.millis, batchSize)
})

/**
 * Runs a batch. Fails only with a journal that a repetition does not mend.
 *
 * @category running
 * @since 0.1.0
 */
export const process = Effect.fnUntraced(function* <R>(
  ownership: Ownership<R>,
  batch: ReadonlyArray<Window.Entry>,
  millisBehindLatest: number
) {
  const { room, shard, window } = ownership
  const arrival = batch.at(-1)?.delivery?.arrival
  const started = yield* Monotonic.millis
  const outcomes = yield* untilJournaled(ownership, batch)
  const settled = outcomes.reduce((count, outcome) => (Outcome.isSettled(outcome) ? count + 1 : count), 0)
  if (settled < batch.length) {
    yield* locate(room, openOf(batch, outcomes))
    tellHeld(ownership, batch, outcomes)
  }
  const draw = yield* Random.next
  const now = yield* Monotonic.millis
  // Half of the pause is jitter: shards that failed together do not come back together.
  window.settle(batch, outcomes, now, (attempt) => (0.5 + draw / 2) * room.settings.backoff(attempt))
  noteProgress(ownership, settled, now)
  room.emit({
    _tag: "BatchProcessed",
    shardId: shard.shardId,
    deliveries: batch.length,
    settled,
    duration: now - started,
    iteratorAge: arrival === undefined ? 0 : Math.max(0, (yield* Clock.currentTimeMillis) - arrival),
    millisBehindLatest
  })
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

const openOf = (
  batch: ReadonlyArray<Window.Entry>,
  outcomes: ReadonlyArray<Outcome.Outcome>
): ReadonlyArray<Window.Entry> => batch.filter((_, index) => !Outcome.isSettled(outcomes[index] ?? Outcome.unstarted))

/** One event a lane: what failed, not what stands behind it. */
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

/** A journal that can't be reached holds the shard: without it nothing can be settled. No outcomes when it is to stop. */
const untilJournaled = Effect.fnUntraced(function* <R>(
  { room, shard, stop, token }: Ownership<R>,
  batch: ReadonlyArray<Window.Entry>
) {
  const deliveries: Array<Delivery> = []
  for (const { delivery } of batch) if (delivery !== undefined) deliveries.push(delivery)
  const hold = { partition: room.partition(shard.shardId), token }
  for (let attempt = 1; !Deferred.isDoneUnsafe(stop); attempt++) {
    const tried = yield* room.worker
      .process(deliveries)
      .pipe(
        Deadline.within(room.settings.batchTimeout),
        Effect.provideService(FencingToken.FencingToken, hold),
        Effect.result
      )
    if (tried._tag === "Success") return tried.success.outcomes
    if (!tried.failure.retryable) return yield* tried.failure
    room.emit({ _tag: "JournalFailed", shardId: shard.shardId, error: tried.failure })
    yield* Effect.raceFirst(Effect.sleep(room.settings.backoff(attempt)), Deferred.await(stop))
  }
  const none: ReadonlyArray<Outcome.Outcome> = []
  return none
})
