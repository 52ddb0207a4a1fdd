/**
 * What is answered: the fixed bodies, the extra facts in headers, and problem details for what failed.
 *
 * @since 0.1.0
 */
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as ProblemDetails from "effect/http/ProblemDetails"

import type * as Recommendations from "../Recommendations.ts"
import type * as Recommender from "../Recommender.ts"
import type * as Question from "./Question.ts"

type Response = HttpServerResponse.HttpServerResponse

/**
 * A ranking of the recommender as its body: exactly these members, for ever.
 *
 * @category constructors
 * @since 0.1.0
 */
export const body = (user_id: number, recommendations: Recommender.Ranking) => ({
  user_id,
  recommendations,
  count: recommendations.length
})

/**
 * A body of the internal endpoints.
 *
 * @category constructors
 * @since 0.1.0
 */
export const internal = (value: unknown, model: string | undefined): Response =>
  HttpServerResponse.jsonUnsafe(value, isModel(model) ? { headers: { "x-leat-model": model } } : undefined)

/**
 * What the public endpoint answers.
 *
 * @category constructors
 * @since 0.1.0
 */
export const cached = (served: Recommendations.Served, millis: number, model: string | undefined): Response =>
  HttpServerResponse.jsonUnsafe(
    {
      user_id: served.user_id,
      recommendations: served.recommendations,
      count: served.recommendations.length,
      from_cache: isHit(served.source),
      latency_ms: Math.round(millis)
    },
    { headers: facts(served, millis, model) }
  )

/**
 * Whether a source counts as a hit.
 *
 * @category guards
 * @since 0.1.0
 */
export const isHit = (source: Recommendations.Served["source"]): boolean =>
  source === "memory" || source === "redis" || source === "stale"

const facts = (served: Recommendations.Served, millis: number, model: string | undefined): Record<string, string> => {
  const headers: Record<string, string> = {
    "cache-status": cacheStatus[served.source],
    "server-timing": `recommend;dur=${millis.toFixed(2)}`,
    "x-leat-source": served.source
  }
  if (served.age !== undefined) headers["x-leat-age-ms"] = String(Math.max(0, Math.round(served.age)))
  if (isModel(model)) headers["x-leat-model"] = model
  return headers
}

// RFC 9211 §2: `hit` was served from the cache, `fwd` went to the origin.
const cacheStatus: Readonly<Record<Recommendations.Served["source"], string>> = {
  memory: "leat; hit; detail=memory",
  redis: "leat; hit; detail=redis",
  stale: "leat; hit; detail=stale",
  origin: "leat; fwd=uri-miss",
  fallback: "leat; fwd=uri-miss; detail=fallback",
  negative: "leat; fwd=uri-miss; detail=negative"
}

// A model's version comes from outside; what is no header value would make node:http throw on every answer.
const isModel = (model: string | undefined): model is string =>
  model !== undefined && /^[\x21-\x7e]{1,128}$/.test(model)

/**
 * 422: the request is at fault, and where.
 *
 * @category constructors
 * @since 0.1.0
 */
export const invalid = (faults: Question.Faults): Response =>
  problem(422, "Unprocessable Content", { detail: "the request is not valid", errors: faults.faults })

/**
 * 415: the body is not JSON by its own word.
 *
 * @category constructors
 * @since 0.1.0
 */
export const unsupported: Response = problem(415, "Unsupported Media Type", { detail: "send application/json" })

/**
 * 202: the request is journaled, and where to ask for it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const queued = (request_id: string): Response =>
  HttpServerResponse.jsonUnsafe(
    { request_id, status: "queued" },
    { status: 202, headers: { location: statusPath(request_id) } }
  )

/**
 * The path at which what became of a request is asked for.
 *
 * @category getters
 * @since 0.1.0
 */
export const statusPath = (request_id: string): string => `/requests/${encodeURIComponent(request_id)}`

/**
 * 404, and what is not found.
 *
 * @category constructors
 * @since 0.1.0
 */
export const notFound = (detail: string): Response => problem(404, "Not Found", { detail })

/**
 * 503: the journal can't be read or written now.
 *
 * @category constructors
 * @since 0.1.0
 */
export const journalDown: Response = problem(
  503,
  "Service Unavailable",
  { detail: "the journal is not available" },
  { "retry-after": "1" }
)

/**
 * What a failure of the recommender is to a caller: 503 with Retry-After where a retry may help, 504 after a timeout, 502
 * where the recommender broke its contract. The recommender's own words stay inside.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failed = (error: Recommender.RecommenderError): Response => {
  if (error.reason === "Timeout")
    return problem(504, "Gateway Timeout", { detail: "the recommender did not answer in time" })
  if (error.reason === "BadAnswer" || !error.retryable) {
    return problem(502, "Bad Gateway", { detail: "the recommender gave no usable answer" })
  }
  const seconds = Math.max(1, Math.ceil((error.retryAfter ?? 1000) / 1000))
  return problem(
    503,
    "Service Unavailable",
    { detail: "the recommender is not available" },
    { "retry-after": String(seconds) }
  )
}

function problem(
  status: number,
  title: string,
  more: { readonly detail: string; readonly errors?: ReadonlyArray<Question.Fault> },
  headers?: Record<string, string>
): Response {
  const response = ProblemDetails.toResponse({ type: ProblemDetails.blankType, title, status, ...more })
  return headers === undefined ? response : HttpServerResponse.setHeaders(response, headers)
}
