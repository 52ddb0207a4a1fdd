/**
 * The reference transport: deliveries from an array, acknowledged by the settled prefix.
 *
 * **Guarantees.** Partitions run side by side, batches of one partition one after the other. What is not settled comes
 * again, from the first unsettled delivery on, with its attempt counted, until {@link Options.maxAttempts}. Nothing
 * survives the process.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import type { Delivery } from "./Delivery.ts"
import type { Journal, JournalError } from "./Journal.ts"
import * as Lanes from "./Lanes.ts"
import type * as Outcome from "./Outcome.ts"
import type { Promises } from "./Transport.ts"
import type { Worker } from "./Worker.ts"

/**
 * What this transport promises.
 *
 * @category constants
 * @since 0.1.0
 */
export const promises: Promises = { redelivers: true, ordersKeys: true, countsAttempts: true }

/**
 * How deliveries are batched and how often they come again.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Most deliveries in a batch, at least 1. Default 100. */
  readonly batchSize?: number | undefined
  /** Tries of one delivery, the first included, before the transport gives up its partition. Default 4. */
  readonly maxAttempts?: number | undefined
}

/**
 * A delivery and what became of it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivered {
  readonly delivery: Delivery
  readonly outcome: Outcome.Outcome
}

/**
 * Runs deliveries through a worker. Answers with the last outcome of each, in the order given.
 *
 * **Example** (Two events of one key)
 *
 * ```ts
 * import * as Delivery from "@leat/core/Delivery"
 * import * as Event from "@leat/core/Event"
 * import * as Journal from "@leat/core/Journal"
 * import * as MemoryTransport from "@leat/core/MemoryTransport"
 * import * as Worker from "@leat/core/Worker"
 * import * as Effect from "effect/Effect"
 * import * as Schema from "effect/Schema"
 *
 * const Counted = Event.make("Counted", {
 *   payload: Schema.Struct({ by: Schema.Int }),
 *   key: () => "total",
 *   id: (payload) => `count-${payload.by}`
 * })
 * let total = 0
 * const counter = Worker.make("counter", {
 *   events: [Counted],
 *   handle: { Counted: (payload) => Effect.sync(() => void (total += payload.by)) }
 * })
 * const delivered = await MemoryTransport.run(counter, Delivery.ofEvent(Counted, [{ by: 2 }, { by: 3 }, { by: 2 }])).pipe(
 *   Effect.provide(Journal.layerMemory),
 *   Effect.runPromise
 * )
 *
 * delivered.map(({ outcome }) => outcome._tag) // => ["Handled", "Handled", "Duplicate"]
 * total // => 5
 * ```
 *
 * @category combinators
 * @since 0.1.0
 */
export const run = <R>(
  worker: Worker<R>,
  deliveries: ReadonlyArray<Delivery>,
  options: Options = {}
): Effect.Effect<ReadonlyArray<Delivered>, JournalError, R | Journal> => {
  const ended = new Map<string, Delivered>()
  const partitions = [...Lanes.group(deliveries, (delivery) => delivery.partition).values()]
  return Effect.forEach(partitions, (partition) => runPartition(worker, partition, options, ended), {
    concurrency: "unbounded",
    discard: true
  }).pipe(
    Effect.map(() =>
      deliveries.flatMap((delivery) => {
        const found = ended.get(nameOf(delivery))
        return found === undefined ? [] : [found]
      })
    )
  )
}

const runPartition = Effect.fnUntraced(function* <R>(
  worker: Worker<R>,
  deliveries: ReadonlyArray<Delivery>,
  options: Options,
  ended: Map<string, Delivered>
) {
  const batchSize = Math.max(1, options.batchSize ?? 100)
  const maxAttempts = options.maxAttempts ?? 4
  let waiting = deliveries
  while (waiting.length > 0) {
    const batch = waiting.slice(0, batchSize)
    const { outcomes, settledPrefix } = yield* worker.process(batch)
    batch.forEach((delivery, index) => {
      const outcome = outcomes[index]
      if (outcome !== undefined) ended.set(nameOf(delivery), { delivery, outcome })
    })
    const again = batch.slice(settledPrefix)
    if (again[0] !== undefined && again[0].attempt >= maxAttempts) return
    waiting = [...again.map(redelivered), ...waiting.slice(batch.length)]
  }
})

const redelivered = (delivery: Delivery): Delivery => ({ ...delivery, attempt: delivery.attempt + 1 })

const nameOf = (delivery: Delivery) => `${delivery.partition}\0${delivery.position}`
