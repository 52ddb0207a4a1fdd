/**
 * The call did not reach the function.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * What a handler throws that calls a function elsewhere and was turned away (`TooManyRequestsException`, no connection).
 *
 * **Details**
 *
 * Lambda tries such a batch again until its records are too old, and counts it neither as an invocation nor against
 * `MaximumRetryAttempts`. An error of the same kind from inside the function is an error of the function.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
 * @category errors
 * @since 0.1.0
 */
export class InvokeThrottled extends Schema.TaggedError<InvokeThrottled>()("InvokeThrottled", {
  message: Schema.String,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * Whether something thrown is one, also of another copy of this package.
 *
 * @category predicates
 * @since 0.1.0
 */
export const is = (error: unknown): boolean =>
  typeof error === "object" && error !== null && "_tag" in error && error._tag === "InvokeThrottled"
