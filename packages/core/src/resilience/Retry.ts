/**
 * Makes a call again when it failed for a while only.
 *
 * @since 0.1.0
 */
import * as RetryPolicy from "../RetryPolicy.ts"
import type { Handler } from "./Handler.ts"

/**
 * When and how often.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends RetryPolicy.Rules {
  /** Default: {@link RetryPolicy.make}'s. */
  readonly policy?: RetryPolicy.RetryPolicy | undefined
}

/**
 * Retries the calls of a handler: see {@link RetryPolicy.retry}.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make = (options: Options = {}): (<I, A, E, R>(handler: Handler<I, A, E, R>) => Handler<I, A, E, R>) => {
  const policy = options.policy ?? RetryPolicy.make()
  return (handler) => (input) => RetryPolicy.retry(policy, () => handler(input), options)
}
