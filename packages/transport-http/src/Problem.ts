/**
 * Problem details (RFC 9457): the one form of every error answer. It names each fault, and never a stack or a secret.
 *
 * @see https://www.rfc-editor.org/rfc/rfc9457
 * @since 0.1.0
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ProblemDetails from "effect/http/ProblemDetails"

/**
 * One fault of a request: the path begins with the part (`params`, `query`, `payload`, `headers`).
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  readonly path: ReadonlyArray<string | number>
  readonly message: string
}

/**
 * A problem.
 *
 * @category models
 * @since 0.1.0
 */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail?: string
  readonly errors?: ReadonlyArray<Fault>
}

/**
 * What a problem says beside its status.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly detail?: string | undefined
  readonly errors?: ReadonlyArray<Fault> | undefined
  readonly headers?: Readonly<Record<string, string>> | undefined
}

/**
 * A problem of a status; its title is the status's reason phrase.
 *
 * @category constructors
 * @since 0.1.0
 */
export const make = (status: number, options: Options = {}): Problem => ({
  type: ProblemDetails.blankType,
  title: titles[status] ?? (status < 500 ? "Bad Request" : "Internal Server Error"),
  status,
  ...(options.detail === undefined ? {} : { detail: options.detail }),
  ...(options.errors === undefined ? {} : { errors: options.errors })
})

/**
 * A problem as an answer, `application/problem+json`.
 *
 * @category constructors
 * @since 0.1.0
 */
export const response = (status: number, options: Options = {}): HttpServerResponse.HttpServerResponse =>
  HttpServerResponse.jsonUnsafe(make(status, options), {
    status,
    contentType: ProblemDetails.contentType,
    headers: options.headers
  })

/**
 * The reason phrase of a status (RFC 9110 §15).
 *
 * @category constants
 * @since 0.1.0
 */
export const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  499: "Client Closed Request",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout"
}
