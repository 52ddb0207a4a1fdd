/**
 * Where an event goes that can't be handled and has no journal to wait in.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import type * as Delivery from "./Delivery.ts"

/**
 * An event that was given up, with its bytes and the reason.
 *
 * @category models
 * @since 0.1.0
 */
export interface DeadLetter {
  readonly worker: string
  readonly delivery: Delivery.Delivery
  readonly reason: string
  /** Epoch milliseconds. */
  readonly at: number
}

/**
 * The sink did not accept a letter; the record is then reported failed.
 *
 * @category errors
 * @since 0.1.0
 */
export class DeadLetterError extends Schema.TaggedError<DeadLetterError>()("DeadLetterError", {
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * Accepts dead letters. The answer at `i` belongs to `letters[i]`; a letter must be durable before it is accepted.
 *
 * @category models
 * @since 0.1.0
 */
export interface Sink {
  readonly accept: (
    letters: ReadonlyArray<DeadLetter>
  ) => Effect.Effect<ReadonlyArray<Exit.Exit<void, DeadLetterError>>>
}

/**
 * The sink in force; `undefined` by default: without a journal such records are reported failed.
 *
 * @category references
 * @since 0.1.0
 */
export const DeadLetters: Context.Reference<Sink | undefined> = Context.Reference<Sink | undefined>(
  "@leat/core/DeadLetters",
  { defaultValue: () => undefined }
)

/**
 * Sends dead letters to `sink`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (sink: Sink): Layer.Layer<never> => Layer.succeed(DeadLetters, sink)

/**
 * Keeps dead letters in an array of the caller's: for tests and examples.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerMemory = (letters: Array<DeadLetter>): Layer.Layer<never> =>
  layer({
    accept: (accepted) =>
      Effect.sync(() => {
        letters.push(...accepted)
        return accepted.map(() => Exit.void)
      })
  })
