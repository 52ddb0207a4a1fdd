/**
 * What stands between the wire and the routes: limits before, problem details after. One frame a request.
 *
 * @since 0.1.0
 */
import * as NodeHttpServerRequest from "@effect/platform-node/NodeHttpServerRequest"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import * as Problem from "../Problem.ts"

/**
 * What is counted and changed while the service runs.
 *
 * @category models
 * @since 0.1.0
 */
export interface State {
  inFlight: number
  draining: boolean
}

/**
 * The limits of a request.
 *
 * @category models
 * @since 0.1.0
 */
export interface Limits {
  readonly maxBodyBytes: number
  readonly maxUrlLength: number
  readonly maxConcurrent: number
  /** Seconds a refused sender should wait. */
  readonly retryAfterSeconds: number
}

type Response = HttpServerResponse.HttpServerResponse

/**
 * Guards the routes: what comes out is an answer, or the interruption of a client that went away.
 *
 * @category combinators
 * @since 0.1.0
 */
export const make = <E, R>(
  handler: Effect.Effect<Response, E, R>,
  options: {
    readonly state: State
    readonly limits: Limits
    readonly methodsOf: (url: string) => ReadonlyArray<string>
  }
): Effect.Effect<Response, never, R | HttpServerRequest.HttpServerRequest> => {
  const { limits, state } = options
  return Effect.withFiber((fiber) => {
    const request = Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest)
    const refused = refuse(request, state, limits)
    if (refused !== undefined) return Effect.succeed(finish(refused, state))
    state.inFlight++
    return Effect.matchCauseEffect(handler, {
      onSuccess: (response) => {
        state.inFlight--
        return Effect.succeed(finish(response, state))
      },
      onFailure: (cause) => {
        state.inFlight--
        return Effect.map(failed(cause, request, options.methodsOf), (response) => finish(response, state))
      }
    })
  })
}

const refuse = (request: HttpServerRequest.HttpServerRequest, state: State, limits: Limits): Response | undefined => {
  if (request.headers["host"] === undefined && isHttp11(request)) {
    return Problem.response(400, { detail: "the Host header is missing" })
  }
  if (request.url.length > limits.maxUrlLength) {
    return Problem.response(414, {
      detail: `the URL has ${request.url.length} characters, the limit is ${limits.maxUrlLength}`
    })
  }
  // Probes must be answered under load, or an orchestrator kills the busy instance.
  if (state.inFlight >= limits.maxConcurrent && !isProbe(request.url)) {
    return Problem.response(503, {
      detail: "too many requests at once",
      headers: { "retry-after": String(limits.retryAfterSeconds) }
    })
  }
  const length = request.headers["content-length"]
  return length !== undefined && Number(length) > limits.maxBodyBytes ? tooLarge(limits) : undefined
}

/** HTTP/1.0, which some probes speak, has no Host (RFC 9112 §3.2). */
const isHttp11 = (request: HttpServerRequest.HttpServerRequest): boolean =>
  NodeHttpServerRequest.toIncomingMessage(request).httpVersion === "1.1"

const isProbe = (url: string): boolean => url.startsWith("/health") || url.startsWith("/ready")

const tooLarge = (limits: Limits): Response =>
  Problem.response(413, { detail: `the limit is ${limits.maxBodyBytes} bytes` })

// A client that keeps its connection alive would hold the drain until the keep-alive timeout.
const finish = (response: Response, state: State): Response => {
  const said = response.status >= 400 && response.body._tag === "Empty" ? Problem.response(response.status) : response
  return state.draining ? HttpServerResponse.setHeader(said, "connection", "close") : said
}

const failed = <E>(
  cause: Cause.Cause<E>,
  request: HttpServerRequest.HttpServerRequest,
  methodsOf: (url: string) => ReadonlyArray<string>
): Effect.Effect<Response> => {
  const reason = cause.reasons.find((one) => one._tag === "Fail")?.error
  if (HttpServerError.isHttpServerError(reason)) {
    const known = expected(reason, request, methodsOf)
    if (known !== undefined) return Effect.succeed(known)
  }
  return Effect.flatMap(HttpServerError.causeResponse(cause), ([response, rest]) =>
    response.status === 499
      ? Effect.failCause(Cause.fromReasons(rest.reasons.filter((one) => one._tag !== "Fail")))
      : response.status >= 500 && response.status !== 503
        ? Effect.as(
            Effect.logError(`${request.method} ${path(request.url)} failed`, cause),
            Problem.response(response.status)
          )
        : Effect.succeed(response)
  )
}

const path = (url: string): string => url.split("?", 1)[0] ?? ""

const expected = (
  error: HttpServerError.HttpServerError,
  request: HttpServerRequest.HttpServerRequest,
  methodsOf: (url: string) => ReadonlyArray<string>
): Response | undefined => {
  const reason = error.reason
  if (reason._tag === "RequestParseError") {
    return reason.reason === "BodyTooLarge"
      ? Problem.response(413, { detail: "the body is too large" })
      : Problem.response(400, { detail: "the body can't be read" })
  }
  return reason._tag === "RouteNotFound" ? noRoute(request, methodsOf(request.url)) : undefined
}

const noRoute = (request: HttpServerRequest.HttpServerRequest, methods: ReadonlyArray<string>): Response => {
  if (methods.length === 0) return Problem.response(404, { detail: `no such path: ${path(request.url).slice(0, 200)}` })
  const headers = { allow: [...methods, "OPTIONS"].join(", ") }
  if (request.method === "OPTIONS") return HttpServerResponse.empty({ headers })
  return Problem.response(405, { detail: `${request.method} is not one of ${headers.allow}`, headers })
}
