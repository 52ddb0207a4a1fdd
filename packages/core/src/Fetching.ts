/**
 * What a worker's `prepare` has begun to fetch and does not have yet.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"

/**
 * Items of a batch whose handlers had better wait.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fetching {
  /** Places in the `items` that `prepare` was given. */
  readonly places: ReadonlyArray<number>
  /** Ends when their data is there, or can't be had. */
  readonly until: Effect.Effect<void>
}

/**
 * Put into the context that `prepare` gives, it lets the kernel call the handlers of these items together, when their data
 * is there, instead of parking a fiber for each of them. The other items are handled meanwhile.
 *
 * @category references
 * @since 0.1.0
 */
export const Fetching: Context.Reference<Fetching | undefined> = Context.Reference<Fetching | undefined>(
  "@leat/core/Fetching",
  { defaultValue: () => undefined }
)
