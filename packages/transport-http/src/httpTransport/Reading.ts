/**
 * Reads deliveries before the worker does: the sender is still there, so what can't be read is its to mend.
 *
 * @since 0.1.0
 */
import * as Codec from "@leat/core/Codec"
import type * as Delivery from "@leat/core/Delivery"
import type * as Event from "@leat/core/Event"
import * as Undecodable from "@leat/core/Undecodable"
import * as Result from "effect/Result"

import type * as CloudEventsHttp from "../CloudEventsHttp.ts"
import type * as Problem from "../Problem.ts"

/**
 * What is known of a delivery before it runs: enough to name what its handler returns.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reading {
  readonly id: string
  readonly correlationId: string | undefined
}

/**
 * The codec of a request by its mode: CloudEvents as they are, plain JSON as the program or the worker reads it; the
 * transport's own codec, where it was given one, for both.
 *
 * @category getters
 * @since 0.1.0
 */
export const codecOf = (
  mode: CloudEventsHttp.Mode,
  own: Codec.Codec | undefined,
  otherwise: Codec.Codec
): Codec.Codec => {
  if (mode === "plain") return own ?? otherwise
  return own === undefined ? cloudEvents : enveloped(own)
}

const cloudEvents = Codec.cloudEvents()

/** Who says that it sends CloudEvents must, also to a codec that would take plain JSON. */
const enveloped = (codec: Codec.Codec): Codec.Codec => ({
  ...codec,
  decode: (bytes, version) => {
    const envelope = cloudEvents.decode(bytes)
    return envelope instanceof Undecodable.Undecodable ? envelope : codec.decode(bytes, version)
  }
})

/**
 * Reads one delivery as the worker will.
 *
 * @category decoding
 * @since 0.1.0
 */
export const read = (
  delivery: Delivery.Delivery,
  codec: Codec.Codec,
  events: ReadonlyArray<Event.Any>
): Reading | Undecodable.Undecodable => {
  const envelope = codec.decode(delivery.bytes)
  if (envelope instanceof Undecodable.Undecodable) return envelope
  const event = events.find((one) => one.tag === envelope.type)
  if (event === undefined)
    return Undecodable.unknownEvent(
      envelope.type,
      events.map((one) => one.tag)
    )
  const payload = event.decode(envelope.data, envelope.version)
  if (Result.isFailure(payload)) return payload.failure
  return { id: envelope.id ?? event.id(payload.success), correlationId: envelope.correlationId }
}

/**
 * The faults of a request: `payload`, the place of the event, and the path inside its data.
 *
 * @category getters
 * @since 0.1.0
 */
export const faultsOf = (readings: ReadonlyArray<Reading | Undecodable.Undecodable>): ReadonlyArray<Problem.Fault> =>
  readings
    .flatMap((reading, i) =>
      reading instanceof Undecodable.Undecodable ? faultsAt(reading, readings.length > 1 ? [i] : []) : []
    )
    .slice(0, 100)

/**
 * The faults of one event.
 *
 * @category getters
 * @since 0.1.0
 */
export const faultsAt = (
  undecodable: Undecodable.Undecodable,
  place: ReadonlyArray<number>
): ReadonlyArray<Problem.Fault> =>
  undecodable.faults.length === 0
    ? [{ path: ["payload", ...place], message: undecodable.message }]
    : undecodable.faults.map((fault) => ({
        path: ["payload", ...place, ...fault.path.map((part) => (typeof part === "number" ? part : String(part)))],
        message: fault.message
      }))
