/**
 * How the caches of several processes tell each other what they forgot: the port between their memories.
 *
 * **Guarantees.** A message reaches every other cache on the same backplane that is connected when it is sent, or that one
 * is told that it may have missed some ({@link Gap}). A cache never hears itself. Nothing depends on delivery for
 * correctness beyond {@link "./Cache.ts"}'s memory: the store has its own fence, and a memory entry ends by its time.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"

import type { CacheStoreError } from "./CacheStore.ts"

/**
 * Another cache forgot these store keys, at this time by its clock (epoch milliseconds).
 *
 * @category models
 * @since 0.1.0
 */
export interface Forgotten {
  readonly _tag: "Forgotten"
  readonly keys: ReadonlyArray<string>
  readonly at: number
}

/**
 * Messages may have been missed, as after a lost connection.
 *
 * @category models
 * @since 0.1.0
 */
export interface Gap {
  readonly _tag: "Gap"
}

/**
 * What a cache hears.
 *
 * @category models
 * @since 0.1.0
 */
export type Message = Forgotten | Gap

/**
 * A backplane.
 *
 * @category models
 * @since 0.1.0
 */
export interface CacheBackplane {
  /** Tells the others. A failure loses the message; the sender counts it and goes on. */
  readonly publish: (keys: ReadonlyArray<string>, at: number) => Effect.Effect<void, CacheStoreError>
  /** What the others say, for as long as it is read. It never fails: a lost connection is a {@link Gap} when it is back. */
  readonly messages: Stream.Stream<Message>
}

/**
 * The backplane of the caches made here; none by default. A Lambda has none: nobody listens while it is frozen.
 *
 * @category references
 * @since 0.1.0
 */
export const CacheBackplane: Context.Reference<CacheBackplane | undefined> = Context.Reference<
  CacheBackplane | undefined
>("@leat/core/CacheBackplane", { defaultValue: () => undefined })

/** Messages that wait for a listener; with one more they all become a {@link Gap}. */
const maxWaiting = 1_024

/**
 * What is told, as a stream of bounded memory: a listener that is too slow is told that it missed something. `listen` begins
 * to tell, and gives what ends it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const messagesOf = (listen: (tell: (message: Message) => void) => () => void): Stream.Stream<Message> =>
  Stream.callback<Message>(
    (queue) =>
      Effect.acquireRelease(
        Effect.sync(() =>
          listen((message) => {
            const isLate = Queue.sizeUnsafe(queue) >= maxWaiting
            if (isLate) Effect.runSync(Effect.exit(Queue.clear(queue)))
            Queue.offerUnsafe(queue, isLate ? { _tag: "Gap" } : message)
          })
        ),
        (end) => Effect.sync(end)
      ),
    { bufferSize: 2 * maxWaiting }
  )

/**
 * A backplane for caches in one process, each of which takes one connection to it: the reference, and what tests use.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeMemory: Effect.Effect<Effect.Effect<CacheBackplane>> = Effect.sync(() => {
  const listeners = new Map<(message: Message) => void, symbol>()
  return Effect.sync((): CacheBackplane => {
    const self = Symbol("cache")
    return {
      publish: (keys, at) =>
        Effect.sync(() => {
          for (const [tell, owner] of listeners)
            if (owner !== self && keys.length > 0) tell({ _tag: "Forgotten", keys, at })
        }),
      messages: messagesOf((tell) => {
        listeners.set(tell, self)
        return () => void listeners.delete(tell)
      })
    }
  })
})

/**
 * Gives the caches below one connection to a backplane.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (connect: Effect.Effect<CacheBackplane>): Layer.Layer<never> =>
  Layer.effect(CacheBackplane, connect)
