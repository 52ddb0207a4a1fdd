/**
 * The errors that AWS answers, for a fake to answer them too.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import * as KinesisError from "../../KinesisError.ts"

/**
 * An error of an operation.
 *
 * @category constructors
 * @since 0.1.0
 */
export const error = (reason: KinesisError.Reason, operation: string, message: string): KinesisError.KinesisError =>
  new KinesisError.KinesisError({
    reason,
    operation,
    message: `${operation}: ${message}`,
    retryable: KinesisError.isRetryable(reason)
  })

/**
 * A call that fails.
 *
 * @category constructors
 * @since 0.1.0
 */
export const refuse = (
  reason: KinesisError.Reason,
  operation: string,
  message: string
): Effect.Effect<never, KinesisError.KinesisError> => Effect.fail(error(reason, operation, message))
