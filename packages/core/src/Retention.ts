/**
 * How long the journal keeps what nothing needs any more.
 *
 * **Guarantees.** What waits parked, what waits to be published and what a view has not folded stays, however old it is;
 * the versions of streams stay for ever.
 *
 * **Gotchas.** An id that was forgotten is new again: keep entries for longer than anything redelivers (a Kinesis stream
 * keeps records for up to 365 days, by default one). A view that nobody follows any more holds back the pruning of what it
 * lacks: `drop` it.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Config from "effect/Config"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"

import { Journal } from "./Journal.ts"
import type { JournalError, Pruned } from "./Journal.ts"

/**
 * How long entries are kept.
 *
 * @category models
 * @since 0.1.0
 */
export interface Retention {
  /** Age from which an entry loses its bytes, steps and emitted events: it can't be replayed any more. Default: never. */
  readonly compactAfter?: Duration.Input | undefined
  /** Age from which an entry is forgotten. Default: never. */
  readonly forgetAfter?: Duration.Input | undefined
}

/**
 * Removes what is older than the retention and needed by nothing.
 *
 * @category combinators
 * @since 0.1.0
 */
export const prune = ({ compactAfter, forgetAfter }: Retention): Effect.Effect<Pruned, JournalError, Journal> =>
  Effect.gen(function* () {
    const now = yield* Clock.currentTimeMillis
    const before = (age: Duration.Input | undefined) => (age === undefined ? undefined : now - Duration.toMillis(age))
    return yield* (yield* Journal).prune({ compactBefore: before(compactAfter), forgetBefore: before(forgetAfter) })
  })

/**
 * Prunes in the background of a long-running program, at its start and then every hour. Nothing without a journal.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (
  retention: Retention & {
    /** Pause between two prunings. Default 1 hour. */
    readonly every?: Duration.Input | undefined
  }
): Layer.Layer<never, never, Journal> =>
  Layer.unwrap(
    Effect.map(Journal, ({ durable }) => {
      if (!durable || (retention.compactAfter === undefined && retention.forgetAfter === undefined)) return Layer.empty
      return Layer.effectDiscard(
        prune(retention).pipe(
          Effect.catchCause((cause) => Effect.logWarning(`the journal was not pruned: ${Cause.pretty(cause)}`)),
          Effect.andThen(Effect.sleep(retention.every ?? "1 hour")),
          Effect.forever,
          Effect.forkScoped
        )
      )
    })
  )

const age = (name: string) => Config.map(Config.option(Config.Duration(name)), Option.getOrUndefined)

/**
 * Keeps entries by `JOURNAL_COMPACT_AFTER` and `JOURNAL_FORGET_AFTER`, such as `30 days`; for ever where they are not set.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerConfig: Layer.Layer<never, Config.ConfigError, Journal> = Layer.unwrap(
  Effect.map(
    Config.all({ compactAfter: age("JOURNAL_COMPACT_AFTER"), forgetAfter: age("JOURNAL_FORGET_AFTER") }),
    layer
  )
)
