/**
 * What an exchange means: pure functions from a status, headers, bytes or a socket error to an answer or a failure.
 *
 * @since 0.1.0
 */
import type * as Recommender from "../../Recommender.ts"

/**
 * Why a request has no answer. A plain value: a batch may hold hundreds of them, and an Error with its stack costs 9 µs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Failure {
  readonly reason: Recommender.RecommenderError["reason"]
  readonly message: string
  readonly retryable: boolean
  readonly retryAfter?: number
  /** Where the service said so. */
  readonly status?: number
}

/**
 * An answer on the wire.
 *
 * @category models
 * @since 0.1.0
 */
export interface Reply {
  readonly status: number
  readonly retryAfter: string | undefined
  readonly model: string | undefined
  readonly body: Buffer
}

/**
 * A failure of a reason; what a later try can change is retryable.
 *
 * @category constructors
 * @since 0.1.0
 */
export const failure = (
  reason: Failure["reason"],
  message: string,
  more: { readonly retryable?: boolean; readonly status?: number; readonly retryAfter?: number | undefined } = {}
): Failure => ({
  reason,
  message,
  retryable: more.retryable ?? (reason !== "BadAnswer" && reason !== "Refused"),
  ...(more.status === undefined ? {} : { status: more.status }),
  ...(more.retryAfter === undefined ? {} : { retryAfter: more.retryAfter })
})

/**
 * What a status says; `undefined` for 200. `now` in epoch milliseconds.
 *
 * @category decoding
 * @since 0.1.0
 */
export const ofStatus = (status: number, retryAfter: string | undefined, now: number): Failure | undefined => {
  if (status === 200) return undefined
  const message = `the recommender answered ${status}`
  const wait = waitOf(retryAfter, now)
  if (status === 429 || (status === 503 && wait !== undefined)) {
    return failure("Throttled", message, { status, retryAfter: wait })
  }
  if (status === 408 || status === 504) return failure("Timeout", message, { status })
  if (status >= 500) return failure("Unavailable", message, { status, retryable: status !== 501 && status !== 505 })
  return failure(status >= 400 ? "Refused" : "BadAnswer", message, { status })
}

/**
 * The milliseconds a `Retry-After` header asks for: seconds or an HTTP date (RFC 9110 §10.2.3).
 *
 * @category decoding
 * @since 0.1.0
 */
export const waitOf = (header: string | undefined, now: number): number | undefined => {
  if (header === undefined) return undefined
  if (/^\d{1,9}$/.test(header.trim())) return Number(header) * 1000
  // oxlint-disable-next-line no-restricted-globals -- reads a date out of text, not the clock
  const at = Date.parse(header)
  return Number.isNaN(at) ? undefined : Math.max(0, at - now)
}

/**
 * What an error of the pool or the socket says.
 *
 * @category decoding
 * @since 0.1.0
 */
export const ofError = (error: Error & { readonly code?: unknown }): Failure => {
  const code = typeof error.code === "string" ? error.code : error.name
  if (code.endsWith("_TIMEOUT") || code === "ETIMEDOUT") return failure("Timeout", `no answer in time (${code})`)
  if (error.name === "HTTPParserError" || code === "UND_ERR_RES_CONTENT_LENGTH_MISMATCH") {
    return failure("BadAnswer", `the answer is no HTTP (${code})`)
  }
  return failure("Unavailable", `no connection (${code})`)
}

/**
 * Reads the JSON of a body.
 *
 * @category decoding
 * @since 0.1.0
 */
export const json = (body: Buffer): unknown => {
  try {
    return JSON.parse(body.toString())
  } catch {
    return undefined
  }
}

/**
 * Reads one ranking: at most `top_n` integers, and of the user that was asked for, where the answer says whose they are.
 *
 * @category decoding
 * @since 0.1.0
 */
export const ranking = (value: unknown, asked: Recommender.RecommendRequest): Recommender.Ranking | Failure => {
  if (!isObject(value)) return bad("no JSON object")
  const user_id = value["user_id"]
  if (user_id !== undefined && user_id !== asked.user_id) return bad("of another user")
  return rankingOf(value["recommendations"], asked.top_n)
}

const rankingOf = (found: unknown, top_n: number): Recommender.Ranking | Failure => {
  if (!isRanking(found)) return bad("`recommendations` is no list of integers")
  return found.length > top_n ? bad(`${found.length} films where ${top_n} were asked for`) : found
}

/**
 * Reads the list of popular films: at most `top_n` integers.
 *
 * @category decoding
 * @since 0.1.0
 */
export const popular = (value: unknown, top_n: number): Recommender.Ranking | Failure =>
  rankingOf(isObject(value) ? value["recommendations"] : undefined, top_n)

/**
 * Reads the answer to a batch: one ranking or failure a request, or one failure for them all.
 *
 * @category decoding
 * @since 0.1.0
 */
export const rankings = (
  value: unknown,
  asked: ReadonlyArray<Recommender.RecommendRequest>
): ReadonlyArray<Recommender.Ranking | Failure> | Failure => {
  const results = isObject(value) ? value["results"] : undefined
  if (!Array.isArray(results)) return bad("`results` is no list")
  if (results.length !== asked.length) return bad(`${results.length} results for ${asked.length} requests`)
  return asked.map((one, i) => ranking(results[i], one))
}

const bad = (fault: string): Failure => failure("BadAnswer", `the recommender's answer breaks the contract: ${fault}`)

/**
 * Whether a value is a failure.
 *
 * @category guards
 * @since 0.1.0
 */
export const isFailure = (value: Failure | ReadonlyArray<unknown>): value is Failure => !Array.isArray(value)

const isRanking = (value: unknown): value is Recommender.Ranking =>
  Array.isArray(value) && value.every((id) => Number.isSafeInteger(id))

const isObject = (value: unknown): value is { readonly [name: string]: unknown } =>
  typeof value === "object" && value !== null && !Array.isArray(value)
