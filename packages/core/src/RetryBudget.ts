/**
 * How many calls a dependency may get beyond those that were asked for: retries and hedges take from it, successes fill it.
 *
 * **Details**
 *
 * In a healthy time there is always enough; in an outage it is soon empty, and an outage isn't made worse by calls that
 * can't help. It needs no clock, so it is right after a Lambda environment stood still. The numbers are those of the AWS
 * SDKs ("standard" retry mode: 5 for a retry, 10 after a timeout, one back for a success).
 *
 * @see https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html
 * @since 0.1.0
 */

/**
 * What it costs and what it holds, in tokens.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** What it holds when full, and at the start. Default 100; for a Lambda environment 10 are enough. */
  readonly capacity?: number | undefined
  /** For a retry. Default 5. */
  readonly retryCost?: number | undefined
  /** For a retry after a timeout, which took the dependency's time as well. Default 10. */
  readonly timeoutCost?: number | undefined
  /** For a success at the first try. Default 1. */
  readonly refill?: number | undefined
}

/**
 * A budget. One for all calls of one dependency.
 *
 * @category models
 * @since 0.1.0
 */
export interface RetryBudget {
  /** Takes what a retry costs, if it is there. */
  readonly retry: (afterTimeout: boolean) => boolean
  /** Takes one token, for a call that isn't a retry, if it is there. */
  readonly hedge: () => boolean
  /** A call succeeded at the first try. */
  readonly succeeded: () => void
  readonly tokens: () => number
}

/**
 * Makes a budget.
 *
 * ```ts
 * import * as RetryBudget from "@leat/core/RetryBudget"
 *
 * const budget = RetryBudget.make({ capacity: 10 })
 *
 * budget.retry(false) // => true
 * budget.retry(false) // => true
 * budget.retry(false) // => false
 * budget.succeeded()
 * budget.tokens() // => 1
 * ```
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (options: Options = {}): RetryBudget => {
  const { capacity = 100, refill = 1, retryCost = 5, timeoutCost = 10 } = options
  let tokens = capacity
  const take = (cost: number): boolean => {
    if (tokens < cost) return false
    tokens -= cost
    return true
  }
  return {
    retry: (afterTimeout) => take(afterTimeout ? timeoutCost : retryCost),
    hedge: () => take(1),
    succeeded: () => {
      tokens = Math.min(capacity, tokens + refill)
    },
    tokens: () => tokens
  }
}
