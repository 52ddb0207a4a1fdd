/**
 * What stands in for a ranking that can't be had: the films that most people like.
 *
 * **Guarantees.** A recommender that is down is never asked for it: it is asked when it has just answered something else, in
 * the background, and at most once a minute. The list is one for all, in the cache under a key of its own that all
 * processes share and one of them renews, and it stays in this process's memory. Asking for it takes 50 ms at most.
 *
 * @since 0.1.0
 */
import * as Background from "@leat/core/Background"
import * as Cache from "@leat/core/Cache"
import * as CacheCodec from "@leat/core/CacheCodec"
import type * as CacheStore from "@leat/core/CacheStore"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"

import { Recommender } from "./Recommender.ts"
import type { Ranking } from "./Recommender.ts"
import { RequestEvents } from "./RequestEvents.ts"

/**
 * The popular films.
 *
 * @category models
 * @since 0.1.0
 */
export interface Popular {
  /** The best `top_n` of them; `undefined` where nobody has ever said. */
  readonly top: (top_n: number) => Effect.Effect<Ranking | undefined>
  /** The recommender has just answered: a good time to ask. */
  readonly learn: Effect.Effect<void>
}

/**
 * The key in the cache of a list so long.
 *
 * @category getters
 * @since 0.1.0
 */
export const cacheKey = (top_n: number): string => `rec:popular:top${top_n}`

/**
 * The popular films of the recommender in the context.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make: Effect.Effect<Popular, never, Recommender | CacheStore.CacheStore | Scope.Scope> = Effect.gen(
  function* () {
    const { popular } = yield* Recommender
    const { maxTopN } = yield* RequestEvents
    const background = yield* Background.scoped
    const clock = yield* Clock.Clock
    const cache = yield* Cache.make({
      key: cacheKey,
      codec: CacheCodec.ints({ maxLength: maxTopN }),
      load: popular,
      // Everybody reads this one key.
      format: "entries",
      xfetch: 1
    })
    let latest: Ranking | undefined
    let askedAt = -Infinity
    const ask = Effect.map(Effect.exit(cache.get(maxTopN)), (exit) => {
      if (Exit.isSuccess(exit)) latest = exit.value.value
    })
    const shared = Effect.timeoutOption(cache.peekMany([maxTopN]), patience).pipe(
      Effect.map(Option.match({ onNone: () => undefined, onSome: ([found]) => found?.value }))
    )
    return {
      top: (top_n) =>
        Effect.suspend(() =>
          latest === undefined
            ? Effect.map(shared, (found) => found?.slice(0, top_n))
            : Effect.succeed(latest.slice(0, top_n))
        ),
      learn: Effect.sync(() => {
        const now = clock.currentTimeMillisUnsafe()
        if (now < askedAt + pause) return
        askedAt = now
        background.run(ask)
      })
    }
  }
)

/** Milliseconds from one question to the next. */
const pause = 60_000

const patience = "50 millis"

/**
 * None: what can't be had fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const none: Popular = { top: () => Effect.succeed(undefined), learn: Effect.void }
