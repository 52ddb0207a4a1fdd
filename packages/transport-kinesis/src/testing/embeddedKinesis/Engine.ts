/**
 * kinesalite without its socket: its request listener is called with a request and a response of our own, so the facade
 * in front of it costs no second hop.
 *
 * @since 0.1.0
 */
import { EventEmitter } from "node:events"
import type { IncomingHttpHeaders, Server } from "node:http"

/**
 * An answer as it goes over the wire.
 *
 * @category models
 * @since 0.1.0
 */
export interface Answer {
  readonly status: number
  readonly headers: { readonly [name: string]: string | number }
  readonly body: Buffer
}

/**
 * The embedded engine.
 *
 * @category models
 * @since 0.1.0
 */
export interface Engine {
  /** Hands a request over as it came. */
  readonly forward: (headers: IncomingHttpHeaders, body: Buffer) => Promise<Answer>
  /** Calls an operation as the facade itself. */
  readonly call: (operation: string, input: object) => Promise<Answer>
}

/**
 * The content type of the JSON protocol.
 *
 * @category constants
 * @since 0.1.0
 */
export const json = "application/x-amz-json-1.1"

// kinesalite checks that a signature is there, not that it is right.
const ownHeaders: IncomingHttpHeaders = {
  "content-type": json,
  "x-amz-date": "20250101T000000Z",
  authorization: "AWS4-HMAC-SHA256 Credential=leat, SignedHeaders=host, Signature=leat"
}

/**
 * Starts an engine; it holds its records in memory and dies with the value.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = async (): Promise<Engine> => {
  const { default: kinesalite } = await import("kinesalite")
  const server = kinesalite({ createStreamMs: 0, deleteStreamMs: 0, updateStreamMs: 0, shardLimit: 500 })
  const forward: Engine["forward"] = (headers, body) => ask(server, headers, body)
  return {
    forward,
    call: (operation, input) =>
      forward({ ...ownHeaders, "x-amz-target": `Kinesis_20131202.${operation}` }, Buffer.from(JSON.stringify(input)))
  }
}

const ask = (server: Server, headers: IncomingHttpHeaders, body: Buffer): Promise<Answer> =>
  new Promise((resolve) => {
    const request = Object.assign(new EventEmitter(), { method: "POST", url: "/", headers })
    server.emit("request", request, new Response(resolve))
    if (body.length > 0) request.emit("data", body)
    request.emit("end")
  })

/** The part of `ServerResponse` that kinesalite uses. */
class Response {
  statusCode = 200
  readonly #headers: { [name: string]: string | number } = {}
  readonly #resolve: (answer: Answer) => void

  constructor(resolve: (answer: Answer) => void) {
    this.#resolve = resolve
  }

  setHeader(name: string, value: string | number): void {
    this.#headers[name.toLowerCase()] = value
  }

  end(body: Buffer | string | null = null): void {
    this.#resolve({ status: this.statusCode, headers: this.#headers, body: Buffer.from(body ?? "") })
  }
}

/**
 * The fields of a JSON answer; `{}` when it has none.
 *
 * @category getters
 * @since 0.1.0
 */
export const fields = (answer: Answer): { readonly [name: string]: unknown } => {
  if (answer.body.length === 0) return {}
  const value: unknown = JSON.parse(answer.body.toString("utf8"))
  return typeof value === "object" && value !== null ? { ...value } : {}
}

/**
 * A JSON answer.
 *
 * @category constructors
 * @since 0.1.0
 */
export const answer = (value: object, status = 200): Answer => ({
  status,
  headers: { "content-type": json },
  body: Buffer.from(JSON.stringify(value))
})

/**
 * An error as AWS writes it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (type: string, message: string, status = 400): Answer =>
  answer({ __type: type, message }, status)
