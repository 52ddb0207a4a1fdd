/**
 * The bytes of an envelope and where they came from.
 *
 * @since 0.1.0
 */
import type * as Event from "./Event.ts"

/**
 * What a transport hands to a worker.
 *
 * @category models
 * @since 0.1.0
 */
export interface Delivery {
  /** The ordered source: a shard, a queue, a connection. */
  readonly partition: string
  /** Place in the partition. Two deliveries of one partition never share it; a redelivery repeats it. */
  readonly position: string
  /** The partition key on the wire; `""` where the transport has none. */
  readonly partitionKey: string
  /** 1 for the first delivery; transports that can't count redeliveries say 1. */
  readonly attempt: number
  /** When the partition accepted it, in epoch milliseconds. */
  readonly arrival: number
  readonly bytes: Uint8Array
  /** Version of the payload where the bytes may not say it: what a journal recorded when it read them first. */
  readonly version?: number | undefined
  /** What the transport itself found wrong with it; such a delivery is undecodable. */
  readonly fault?: string | undefined
}

/**
 * Builds a delivery from text or bytes: for tests, examples and transports without shards.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (
  options: Pick<Delivery, "position"> & Partial<Omit<Delivery, "bytes">> & { readonly bytes: Uint8Array | string }
): Delivery => ({
  partition: options.partition ?? "0",
  position: options.position,
  partitionKey: options.partitionKey ?? "",
  attempt: options.attempt ?? 1,
  arrival: options.arrival ?? 0,
  bytes: typeof options.bytes === "string" ? encoder.encode(options.bytes) : options.bytes,
  fault: options.fault
})

/**
 * One delivery for each payload, as plain JSON, in one partition: for tests, examples and the memory transport.
 *
 * @category constructors
 * @since 0.1.0
 */
export const ofEvent = <A>(
  event: Event.Event<string, A>,
  payloads: ReadonlyArray<A>,
  partition = "0"
): ReadonlyArray<Delivery> =>
  payloads.map((payload, index) => {
    const emitted = event.make(payload)
    return make({
      partition,
      position: String(index + 1),
      partitionKey: emitted.partitionKey,
      bytes: JSON.stringify(emitted.data)
    })
  })

const encoder = new TextEncoder()
