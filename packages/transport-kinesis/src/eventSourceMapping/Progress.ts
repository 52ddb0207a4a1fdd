/**
 * Where each shard stands, and who waits for all of them to be done.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"

/**
 * The progress of a mapping.
 *
 * @category models
 * @since 0.1.0
 */
export interface Progress {
  readonly start: (shardId: string) => void
  readonly end: (shardId: string) => void
  readonly checkpoint: (shardId: string, sequenceNumber: string) => void
  readonly positions: () => ReadonlyMap<string, string>
  /** Called before a read; the result is called when that read showed that nothing is left. */
  readonly reading: (shardId: string) => () => void
  /** Waits until a read that begins after now has shown of every shard that nothing is left, or its end. */
  readonly drained: Effect.Effect<void>
}

/**
 * No shard yet. Nothing counts as drained before the first is started.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (): Progress => {
  const positions = new Map<string, string>()
  // The generation in which the last read began that found a shard empty; Infinity at its end.
  const emptyIn = new Map<string, number>()
  const waiting = new Map<Deferred.Deferred<void>, number>()
  let generation = 0

  const settle = () => {
    for (const [waiter, since] of waiting) {
      if (emptyIn.size === 0 || [...emptyIn.values()].some((found) => found < since)) continue
      waiting.delete(waiter)
      Deferred.doneUnsafe(waiter, Effect.void)
    }
  }
  const found = (shardId: string, when: number) => {
    emptyIn.set(shardId, when)
    settle()
  }
  return {
    start: (shardId) => void emptyIn.set(shardId, -1),
    end: (shardId) => found(shardId, Infinity),
    checkpoint: (shardId, sequenceNumber) => void positions.set(shardId, sequenceNumber),
    positions: () => new Map(positions),
    reading: (shardId) => {
      const began = generation
      return () => found(shardId, began)
    },
    drained: Effect.suspend(() => {
      const waiter = Deferred.makeUnsafe<void>()
      generation++
      waiting.set(waiter, generation)
      return Effect.onInterrupt(Deferred.await(waiter), () => Effect.sync(() => waiting.delete(waiter)))
    })
  }
}
