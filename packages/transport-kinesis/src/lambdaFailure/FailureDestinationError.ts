/**
 * What can go wrong in a call to the queue or the bucket of an on-failure destination, in one closed list.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

import * as NoAnswer from "../internal/NoAnswer.ts"

const Reason = Schema.Literals(["AccessDenied", "Invalid", "NotFound", "Throttled", "Unavailable", "Unknown"])

/**
 * Why a call failed.
 *
 * @category models
 * @since 0.1.0
 */
export type Reason = typeof Reason.Type

/**
 * A call to an on-failure destination failed, after the SDK's own retries.
 *
 * @category errors
 * @since 0.1.0
 */
export class FailureDestinationError extends Schema.TaggedError<FailureDestinationError>()("FailureDestinationError", {
  reason: Reason,
  /** The operation, as AWS calls it. */
  operation: Schema.String,
  message: Schema.String,
  /** `Throttled` and `Unavailable`: the same call may succeed later. */
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

// https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
// https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
const reasons = new Map<string, Reason>([
  ["AccessDenied", "AccessDenied"],
  ["AccessDeniedException", "AccessDenied"],
  ["CredentialsProviderError", "AccessDenied"],
  ["ExpiredToken", "AccessDenied"],
  ["ExpiredTokenException", "AccessDenied"],
  ["InvalidAccessKeyId", "AccessDenied"],
  ["InvalidClientTokenId", "AccessDenied"],
  ["SignatureDoesNotMatch", "AccessDenied"],
  ["UnrecognizedClientException", "AccessDenied"],
  ["InvalidAddress", "Invalid"],
  ["InvalidMessageContents", "Invalid"],
  ["InvalidParameterValue", "Invalid"],
  ["ReceiptHandleIsInvalid", "Invalid"],
  ["NoSuchBucket", "NotFound"],
  ["NoSuchKey", "NotFound"],
  ["NotFound", "NotFound"],
  ["QueueDoesNotExist", "NotFound"],
  ["AWS.SimpleQueueService.NonExistentQueue", "NotFound"],
  ["OverLimit", "Throttled"],
  ["RequestThrottled", "Throttled"],
  ["SlowDown", "Throttled"],
  ["ThrottlingException", "Throttled"],
  ["TooManyRequestsException", "Throttled"],
  ["TimeoutError", "Unavailable"]
])

/**
 * The error behind what the SDK threw.
 *
 * @category constructors
 * @since 0.1.0
 */
export const fromThrown = (operation: string, cause: unknown): FailureDestinationError => {
  const error = cause instanceof Error ? cause : new Error(String(cause))
  const reason = reasons.get(error.name) ?? (NoAnswer.is(error) ? "Unavailable" : "Unknown")
  return new FailureDestinationError({
    reason,
    operation,
    message: `${operation}: ${error.message === "" ? error.name : error.message}`,
    retryable: reason === "Throttled" || reason === "Unavailable",
    cause
  })
}

/**
 * The error of a call that was not answered to the end within so many milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const late = (operation: string, within: number): FailureDestinationError =>
  new FailureDestinationError({
    reason: "Unavailable",
    operation,
    message: `${operation}: no answer within ${within} ms`,
    retryable: true
  })

/**
 * A setting that can't work.
 *
 * @category constructors
 * @since 0.1.0
 */
export const invalid = (operation: string, message: string): FailureDestinationError =>
  new FailureDestinationError({ reason: "Invalid", operation, message, retryable: false })
