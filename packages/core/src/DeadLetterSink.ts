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
import type * as Scope from "effect/Scope"

import type * as Delivery from "./Delivery.ts"
import * as Envelope from "./Envelope.ts"
import type { Publisher } from "./Publisher.ts"

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
export const DeadLetterSink: Context.Reference<Sink | undefined> = Context.Reference<Sink | undefined>(
  "@leat/core/DeadLetterSink",
  { defaultValue: () => undefined }
)

/**
 * Sends dead letters to `sink`.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (sink: Sink): Layer.Layer<never> => Layer.succeed(DeadLetterSink, sink)

/**
 * Sends dead letters to a sink that has to be made; what it needs a scope for lives as long as the layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerEffect = <E, R>(sink: Effect.Effect<Sink, E, R>): Layer.Layer<never, E, Exclude<R, Scope.Scope>> =>
  Layer.effect(DeadLetterSink, sink)

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

/**
 * A letter as a program reads it off a stream: the data of a CloudEvent of the type `leat.dead-letter`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Letter = Schema.Struct({
  worker: Schema.String,
  reason: Schema.String,
  /** Epoch milliseconds. */
  at: Schema.Finite,
  /** Where the record came from. */
  partition: Schema.String,
  position: Schema.String,
  partitionKey: Schema.String,
  attempt: Schema.Int,
  /** Epoch milliseconds. */
  arrival: Schema.Finite,
  /** The record's bytes. */
  bytes: Schema.Uint8ArrayFromBase64
})

/** Longest reason that is sent: a defect's trace can be long, and the bytes matter more. */
const longestReason = 4_000

const encodeLetter = Schema.encodeSync(Letter)

/**
 * A letter as an envelope; a letter sent twice has the same id.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toEnvelope = ({ at, delivery, reason, worker }: DeadLetter): Envelope.Envelope => {
  const { arrival, attempt, bytes, partition, partitionKey, position } = delivery
  const letter = {
    worker,
    reason: reason.slice(0, longestReason),
    at,
    partition,
    position,
    partitionKey,
    attempt,
    arrival,
    bytes
  }
  return Envelope.make({
    id: `${worker}/${partition}/${position}`,
    type: "leat.dead-letter",
    source: worker,
    // A record may come without a key; its letter then shares one with nothing.
    key: partitionKey === "" ? `${partition}/${position}` : partitionKey,
    data: encodeLetter(letter)
  })
}

/**
 * A sink that publishes its letters: accepted is what the publisher accepted.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromPublisher = (publisher: Publisher): Sink => ({
  accept: (letters) =>
    Effect.map(publisher.publish(letters.map(toEnvelope)), (answers) =>
      answers.map((answer) =>
        Exit.mapError(
          answer,
          ({ message, retryable }) =>
            new DeadLetterError({ message: `the dead letter was not published: ${message}`, retryable })
        )
      )
    )
})
