/**
 * CloudEvents 1.0 over HTTP: binary, structured and batched mode, and plain JSON beside them. Pure.
 *
 * @see https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md
 * @since 0.1.0
 */
import * as Codec from "@leat/core/Codec"
import type * as Envelope from "@leat/core/Envelope"

/**
 * How a message carries its events.
 *
 * @category models
 * @since 0.1.0
 */
export type Mode = "binary" | "structured" | "batched" | "plain"

/**
 * A request's events as the bytes of deliveries. All but `plain` are CloudEvents in structured form.
 *
 * @category models
 * @since 0.1.0
 */
export interface Message {
  readonly mode: Mode
  readonly events: ReadonlyArray<Uint8Array>
}

/**
 * A request that carries no events.
 *
 * @category models
 * @since 0.1.0
 */
export class Unreadable {
  readonly status: 413 | 415 | 422
  readonly message: string

  constructor(status: Unreadable["status"], message: string) {
    this.status = status
    this.message = message
  }
}

type Headers = Readonly<Record<string, string | undefined>>

/**
 * What a request says of itself.
 *
 * @category decoding
 * @since 0.1.0
 */
export const modeOf = (headers: Headers): Mode | undefined => {
  const type = (headers["content-type"] ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? ""
  if (type === structuredType) return "structured"
  if (type === batchedType) return "batched"
  if (type !== "application/json" && !/^application\/[\w.-]+\+json$/.test(type)) return undefined
  return headers["ce-specversion"] === undefined ? "plain" : "binary"
}

/**
 * Reads a request of at most `most` events.
 *
 * @category decoding
 * @since 0.1.0
 */
export const read = (headers: Headers, body: Uint8Array, most = Infinity): Message | Unreadable => {
  const mode = modeOf(headers)
  if (mode === undefined) return new Unreadable(415, `send application/json, ${structuredType} or ${batchedType}`)
  if (mode === "plain" || mode === "structured") return { mode, events: [body] }
  const value = parse(body)
  if (value === undefined) return new Unreadable(422, "not JSON in UTF-8")
  if (mode === "binary") return messageOf(mode, [{ ...attributesOf(headers), data: value.json }])
  if (!Array.isArray(value.json)) return new Unreadable(422, "a batch must be an array of CloudEvents")
  // Before they are written again, one by one: a megabyte of `1,1,1` would hold the thread for a second.
  return value.json.length > most
    ? new Unreadable(413, `${value.json.length} events, the limit is ${most}`)
    : messageOf(mode, value.json)
}

/** `JSON.parse` reads any depth; what is as deep as the stack can't be written again. */
const messageOf = (mode: Mode, values: ReadonlyArray<unknown>): Message | Unreadable => {
  try {
    return { mode, events: values.map(encode) }
  } catch {
    return new Unreadable(422, "the events are nested too deeply")
  }
}

const structuredType = "application/cloudevents+json"
const batchedType = "application/cloudevents-batch+json"

const encoder = new TextEncoder()
const decoder = new TextDecoder("utf-8", { fatal: true })

const encode = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value))

const parse = (body: Uint8Array): { readonly json: unknown } | undefined => {
  try {
    return { json: JSON.parse(decoder.decode(body)) }
  } catch {
    return undefined
  }
}

// The body is `data` here, whatever a header claims.
const attributesOf = (headers: Headers): { readonly [attribute: string]: string } =>
  Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) =>
      /^ce-[a-z0-9]+$/.test(name) && value !== undefined && name !== "ce-data" ? [[name.slice(3), unescape(value)]] : []
    )
  )

// §3.1.3.2: what is not printable ASCII is percent-encoded; a broken escape is taken as it stands.
const unescape = (value: string): string => {
  try {
    return decodeURIComponent(value)
  } catch {
    return value
  }
}

// Half of a surrogate pair, which JSON can carry, has no form in UTF-8: it becomes U+FFFD.
const escape = (value: string): string =>
  value.toWellFormed().replaceAll(/[^\x21\x23\x24\x26-\x7e]/gu, encodeURIComponent)

/**
 * A reply: what the handlers returned.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reply {
  readonly contentType: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/**
 * Writes a reply in the mode of its request: one event in binary mode answers a binary or a plain request, so that its body
 * is the payload alone; several are a batch.
 *
 * @category encoding
 * @since 0.1.0
 */
export const write = (mode: Mode, events: readonly [Envelope.Envelope, ...Array<Envelope.Envelope>]): Reply => {
  const [first, ...others] = events
  if (mode === "batched" || others.length > 0) {
    return { contentType: batchedType, headers: {}, body: JSON.stringify(events.map(Codec.toCloudEvent)) }
  }
  if (mode === "structured") {
    return { contentType: structuredType, headers: {}, body: JSON.stringify(Codec.toCloudEvent(first)) }
  }
  return { contentType: "application/json", headers: headersOf(first), body: JSON.stringify(first.data ?? null) }
}

const headersOf = (event: Envelope.Envelope): Readonly<Record<string, string>> =>
  Object.fromEntries(
    Object.entries(Codec.toCloudEvent(event)).flatMap(([name, value]) =>
      name === "data" || name === "datacontenttype" || (typeof value !== "string" && typeof value !== "number")
        ? []
        : [[`ce-${name}`, escape(String(value))]]
    )
  )
