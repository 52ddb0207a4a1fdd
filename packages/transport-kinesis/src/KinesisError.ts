/**
 * What can go wrong in a call to Kinesis, in one closed list.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

import * as NoAnswer from "./internal/NoAnswer.ts"

const Reason = Schema.Literals([
  "AccessDenied",
  "Encryption",
  "ExpiredIterator",
  "ExpiredToken",
  "InUse",
  "Invalid",
  "NotFound",
  "Throttled",
  "Unavailable",
  "Unknown"
])

/**
 * Why a call failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type

/**
 * A call to Kinesis failed.
 *
 * **Details**
 *
 * `Throttled`, `Unavailable`, `InUse` and an encryption key that is being throttled are `retryable`: the same call may
 * succeed later. `Unavailable` leaves open whether a write happened: there was no answer, or only the beginning of one.
 *
 * @category errors
 * @since 0.1.0
 */
export class KinesisError extends Schema.TaggedError<KinesisError>()("KinesisError", {
  reason: Reason,
  /** The operation, as AWS calls it. */
  operation: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

// https://docs.aws.amazon.com/kinesis/latest/APIReference/API_Operations.html and the common errors of the service.
const reasons = new Map<string, Reason>([
  ["AccessDeniedException", "AccessDenied"],
  ["CredentialsProviderError", "AccessDenied"],
  ["ExpiredTokenException", "AccessDenied"],
  ["IncompleteSignatureException", "AccessDenied"],
  ["InvalidSignatureException", "AccessDenied"],
  ["MissingAuthenticationTokenException", "AccessDenied"],
  ["UnrecognizedClientException", "AccessDenied"],
  ["KMSAccessDeniedException", "Encryption"],
  ["KMSDisabledException", "Encryption"],
  ["KMSInvalidStateException", "Encryption"],
  ["KMSNotFoundException", "Encryption"],
  ["KMSOptInRequired", "Encryption"],
  ["ExpiredIteratorException", "ExpiredIterator"],
  ["ExpiredNextTokenException", "ExpiredToken"],
  ["ResourceInUseException", "InUse"],
  ["InvalidArgumentException", "Invalid"],
  ["SerializationException", "Invalid"],
  ["ValidationException", "Invalid"],
  ["ResourceNotFoundException", "NotFound"],
  ["KMSThrottlingException", "Throttled"],
  ["LimitExceededException", "Throttled"],
  ["ProvisionedThroughputExceededException", "Throttled"],
  ["ThrottlingException", "Throttled"],
  ["InternalFailure", "Unavailable"],
  ["InternalFailureException", "Unavailable"],
  ["ServiceUnavailable", "Unavailable"],
  ["ServiceUnavailableException", "Unavailable"],
  ["TimeoutError", "Unavailable"]
])

/**
 * The reason behind AWS's name of an error, of a call or of one entry of `PutRecords`.
 *
 * @category getters
 * @since 0.1.0
 */
export const reasonOf = (name: string): Reason => reasons.get(name) ?? "Unknown"

/**
 * Whether the same call may succeed later.
 *
 * @category predicates
 * @since 0.1.0
 */
export const isRetryable = (reason: Reason): boolean =>
  reason === "Throttled" || reason === "Unavailable" || reason === "InUse"

/**
 * The error behind what the SDK threw.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromThrown = (operation: string, cause: unknown): KinesisError => {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const reason = reasons.get(error.name) ?? (NoAnswer.is(error) ? "Unavailable" : "Unknown")
  const message = `${operation}: ${error.message === "" ? error.name : error.message}`
  return new KinesisError({ reason, operation, message, retryable: isRetryable(reason), cause })
}

/**
 * The error of a call that nobody answered, or not to the end.
 *
 * @category constructors
 * @since 0.1.0
 */
export const noAnswer = (operation: string, why: string): KinesisError =>
  new KinesisError({ reason: "Unavailable", operation, message: `${operation}: ${why}`, retryable: true })
