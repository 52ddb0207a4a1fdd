/**
 * The sending half of a transport.
 *
 * **Guarantees.** Envelopes of one key that succeed are accepted in the order given. A publish may be repeated after a
 * lost answer, so a receiver must expect the same id twice; ids are stable, so it can tell.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type * as Envelope from "./Envelope.ts"

/**
 * An envelope was not accepted.
 *
 * @category errors
 * @since 0.1.0
 */
export class PublishError extends Schema.TaggedError<PublishError>()("PublishError", {
  reason: Schema.Literals(["Unavailable", "Throttled", "Refused", "TooLarge", "Behind"]),
  message: Schema.String,
  /** Whether the same envelope may be accepted later. `Behind`: an earlier one of its key failed. */
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * Sends envelopes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Publisher {
  /** The answer at `i` belongs to `envelopes[i]`. When one fails, later ones of its key fail too (`Behind`). */
  readonly publish: (
    envelopes: ReadonlyArray<Envelope.Envelope>
  ) => Effect.Effect<ReadonlyArray<Exit.Exit<void, PublishError>>>
}

/**
 * Where a worker's emitted events go; `undefined` by default: they are dropped, and the start log says so.
 *
 * @category references
 * @since 0.1.0
 */
export const Publisher: Context.Reference<Publisher | undefined> = Context.Reference<Publisher | undefined>(
  "@leat/core/Publisher",
  { defaultValue: () => undefined }
)

/**
 * Publishes a worker's emitted events through `publisher`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (publisher: Publisher): Layer.Layer<never> => Layer.succeed(Publisher, publisher)

/**
 * Keeps what was published in an array of the caller's: for tests and examples.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (published: Array<Envelope.Envelope>): Layer.Layer<never> =>
  layer({
    publish: (envelopes) =>
      Effect.sync(() => {
        published.push(...envelopes)
        return envelopes.map(() => Exit.void)
      })
  })
