/**
 * On-failure destinations of your making: they write what AWS writes, and you send it.
 *
 * **Guarantees.** The shard waits until a destination has taken what was given up; only then it goes on. (AWS counts
 * `DestinationDeliveryFailures` and drops it.)
 *
 * **Example** (SQS)
 *
 * ```ts
 * import * as OnFailureDestination from "@leat/transport-kinesis/eventSourceMapping/OnFailureDestination"
 * import * as Effect from "effect/Effect"
 *
 * const queue: Array<string> = []
 * const onFailure = OnFailureDestination.sqs((body) => Effect.sync(() => queue.push(body)))
 * ```
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import * as OnFailure from "./OnFailure.ts"

/**
 * Takes what was given up.
 *
 * @category models
 * @since 0.1.0
 */
export type OnFailureDestination = (failure: OnFailure.Failure) => Effect.Effect<void, OnFailure.DestinationError>

/**
 * An object to put.
 *
 * @category models
 * @since 0.1.0
 */
export interface S3Object {
  readonly key: string
  /** JSON. */
  readonly body: string
}

/**
 * Sends the document as the body of a message of SQS.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sqs = <E>(send: (body: string) => Effect.Effect<unknown, E>): OnFailureDestination => sending("SQS", send)

/**
 * Publishes the document as a message of SNS.
 *
 * @category constructors
 * @since 0.1.0
 */
export const sns = <E>(publish: (message: string) => Effect.Effect<unknown, E>): OnFailureDestination =>
  sending("SNS", publish)

/**
 * Puts the document and the records as an object of S3.
 *
 * @category constructors
 * @since 0.1.0
 */
export const s3 =
  <E>(put: (object: S3Object) => Effect.Effect<unknown, E>): OnFailureDestination =>
  (failure) =>
    refused("S3", put({ key: OnFailure.s3Key(failure), body: JSON.stringify(OnFailure.toS3(failure)) }))

const sending =
  <E>(destination: "SQS" | "SNS", send: (text: string) => Effect.Effect<unknown, E>): OnFailureDestination =>
  (failure) =>
    refused(destination, send(OnFailure.toMessage(failure)))

const refused = <E>(
  destination: OnFailure.DestinationError["destination"],
  sent: Effect.Effect<unknown, E>
): Effect.Effect<void, OnFailure.DestinationError> =>
  Effect.mapError(Effect.asVoid(sent), (cause) => {
    const message = `${destination} did not take the on-failure document: ${cause instanceof Error ? cause.message : String(cause)}`
    return new OnFailure.DestinationError({ destination, message, retryable: saysRetryable(cause), cause })
  })

/** What says nothing of itself may succeed later: the document is kept meanwhile. */
const saysRetryable = (cause: unknown): boolean =>
  !(typeof cause === "object" && cause !== null && "retryable" in cause && cause.retryable === false)
