/**
 * How deliveries reach a worker and how outcomes are acknowledged: what a transport promises, as data.
 *
 * **Details**
 *
 * A transport hands batches of one partition, in order, to `Worker.process`, one at a time per partition, and maps the
 * result's settled prefix to its own acknowledgement. Every transport runs `TransportSuite` from `@leat/core/testing`.
 *
 * @since 0.1.0
 */

/**
 * What a transport promises. A test that needs more is skipped, and names the promise that is lacking.
 *
 * @category models
 * @since 0.1.0
 */
export interface Promises {
  /** What is not settled comes again by itself; otherwise the sender must send it again. */
  readonly redelivers: boolean
  /** Records of one key arrive in the order they were sent. */
  readonly ordersKeys: boolean
  /** `Delivery.attempt` grows with every redelivery. */
  readonly countsAttempts: boolean
}
