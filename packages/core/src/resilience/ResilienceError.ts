/**
 * Why a policy did not let a call happen, or didn't wait for its end.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * A policy refused a call. `BulkheadFull`: too many are under way and waiting. `CircuitOpen`: the dependency failed too
 * often just now. `AttemptTimeout`: one attempt took too long. `DeadlineExceeded`: the caller's time is over.
 *
 * @category errors
 * @since 0.1.0
 */
export class ResilienceError extends Schema.TaggedError<ResilienceError>()("ResilienceError", {
  reason: Schema.Literals(["BulkheadFull", "CircuitOpen", "AttemptTimeout", "DeadlineExceeded"]),
  message: Schema.String,
  /** Milliseconds until another try may be let through, where that is known. */
  retryAfter: Schema.optionalKey(Schema.Finite)
}) {
  /** The call itself is not at fault. */
  get retryable(): boolean {
    return true
  }
}
