/**
 * Bytes ⇄ envelope. Decoding is synchronous and total: a bad body is an {@link Undecodable.Undecodable}, never a throw.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Layer from "effect/Layer"

import type * as Envelope from "./Envelope.ts"
import * as Undecodable from "./Undecodable.ts"

/**
 * A wire format.
 *
 * @category models
 * @since 0.1.0
 */
export interface Codec {
  readonly name: string
  /** `version`: of a payload that doesn't say one itself, where it is known. */
  readonly decode: (bytes: Uint8Array, version?: number) => Envelope.Envelope | Undecodable.Undecodable
  readonly encode: (envelope: Envelope.Envelope) => Uint8Array
}

/**
 * The wire format of this program's deliveries. Left alone, a worker of one event type reads plain JSON and CloudEvents,
 * a worker of several reads CloudEvents.
 *
 * @category references
 * @since 0.1.0
 */
export const Wire: Context.Reference<Codec | undefined> = Context.Reference<Codec | undefined>(
  "@leat/core/Codec/Wire",
  {
    defaultValue: () => undefined
  }
)

/**
 * Reads and writes every delivery of the program with one codec.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (codec: Codec): Layer.Layer<never> => Layer.succeed(Wire, codec)

/**
 * Bounds of what is read.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  /** Largest body in bytes. Default 10 MiB, the largest Kinesis record. */
  readonly maxBytes?: number | undefined
}

const largestKinesisRecord = 10 * 1024 * 1024

/**
 * Plain JSON of one event type: the body is the payload.
 *
 * **Gotchas**
 *
 * Plain JSON doesn't say the version of its payload: what comes is read as today's. What a journal recorded is read again
 * as the version it had, and lifted by the upcasters. So before a new version of an event is deployed, its schema must
 * still read what producers send meanwhile; CloudEvents say their version and need no such care.
 *
 * @category constructors
 * @since 0.1.0
 */
export const json = (event: { readonly tag: string; readonly version: number }, limits: Limits = {}): Codec => ({
  name: "json",
  decode: decodeWith(limits, (value, version) => plain(event, value, version)),
  encode: (envelope) => encoder.encode(JSON.stringify(envelope.data))
})

/**
 * CloudEvents 1.0, structured mode, JSON format.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md
 * @category constructors
 * @since 0.1.0
 */
export const cloudEvents = (limits: Limits = {}): Codec => ({
  name: "cloudevents",
  decode: decodeWith(limits, fromCloudEvent),
  encode: (envelope) => encoder.encode(JSON.stringify(toCloudEvent(envelope)))
})

/**
 * CloudEvents where the body says so (`specversion`), else plain JSON of the one event type.
 *
 * @category constructors
 * @since 0.1.0
 */
export const jsonOrCloudEvents = (
  event: { readonly tag: string; readonly version: number },
  limits: Limits = {}
): Codec => ({
  name: "json | cloudevents",
  decode: decodeWith(limits, (value, version) =>
    isCloudEvent(value) ? fromCloudEvent(value) : plain(event, value, version)
  ),
  encode: cloudEvents().encode
})

const encoder = new TextEncoder()
const strict = new TextDecoder("utf-8", { fatal: true })

/**
 * Bytes as text; throws on what is not UTF-8. Node's own decoding of a `Buffer` takes a third of the time and writes
 * U+FFFD for what it can't read, so only text that holds one is decoded again, strictly.
 */
const textOf = (bytes: Uint8Array): string => {
  if (!Buffer.isBuffer(bytes)) return strict.decode(bytes)
  const text = bytes.toString()
  return text.includes("\uFFFD") ? strict.decode(bytes) : text
}

const decodeWith =
  (
    limits: Limits,
    read: (value: unknown, version: number | undefined) => Envelope.Envelope | Undecodable.Undecodable
  ): Codec["decode"] =>
  (bytes, version) => {
    const maxBytes = limits.maxBytes ?? largestKinesisRecord
    if (bytes.length > maxBytes) return Undecodable.tooLarge(bytes.length, maxBytes)
    let value: unknown
    try {
      value = JSON.parse(textOf(bytes))
    } catch (error) {
      return Undecodable.invalid(
        `not JSON in UTF-8: ${error instanceof Error ? error.message.slice(0, 200) : "unreadable"}`
      )
    }
    return read(value, version)
  }

const plain = (
  event: { readonly tag: string; readonly version: number },
  data: unknown,
  version = event.version
): Envelope.Envelope => ({
  id: undefined,
  type: event.tag,
  version,
  source: undefined,
  time: undefined,
  key: undefined,
  correlationId: undefined,
  causationId: undefined,
  data
})

const isCloudEvent = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && Object.hasOwn(value, "specversion")

const text = (event: { readonly [name: string]: unknown }, name: string): string | undefined => {
  const value = Object.hasOwn(event, name) ? event[name] : undefined
  return typeof value === "string" && value !== "" ? value : undefined
}

const fromCloudEvent = (value: unknown): Envelope.Envelope | Undecodable.Undecodable => {
  if (!isCloudEvent(value)) return Undecodable.invalid("not a CloudEvent: `specversion` is missing")
  const specversion = text(value, "specversion")
  if (specversion !== "1.0") return Undecodable.invalid('`specversion` must be the string "1.0"')
  const type = text(value, "type")
  const id = text(value, "id")
  if (type === undefined || id === undefined) {
    return Undecodable.invalid("a CloudEvent needs `type` and `id`, non-empty strings")
  }
  const version = value["dataversion"] === undefined ? 1 : Number(value["dataversion"])
  if (!Number.isSafeInteger(version) || version < 1)
    return Undecodable.invalid("`dataversion` must be an integer from 1")
  if (value["data_base64"] !== undefined) return Undecodable.invalid("`data_base64` is not JSON data")
  return {
    id,
    type,
    version,
    source: text(value, "source"),
    time: text(value, "time"),
    key: text(value, "partitionkey"),
    correlationId: text(value, "correlationid"),
    causationId: text(value, "causationid"),
    data: value["data"]
  }
}

/**
 * The envelope as a CloudEvents JSON object; attributes that are `undefined` are left out.
 *
 * @category encoding
 * @since 0.1.0
 */
export const toCloudEvent = (envelope: Envelope.Envelope): { readonly [attribute: string]: unknown } => ({
  specversion: "1.0",
  id: envelope.id,
  source: envelope.source ?? "leat",
  type: envelope.type,
  time: envelope.time,
  datacontenttype: "application/json",
  dataversion: envelope.version,
  partitionkey: envelope.key,
  correlationid: envelope.correlationId,
  causationid: envelope.causationId,
  data: envelope.data
})
