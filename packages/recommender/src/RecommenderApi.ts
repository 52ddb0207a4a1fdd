/**
 * The HTTP contract of the recommendation service: endpoints, schemas, OpenAPI document, typed client, and the routes.
 *
 * **Details**
 *
 * - `GET /internal/recommend/{user_id}?top_n=20`, `POST /internal/recommend` and `GET /internal/popular?top_n=20`, what a
 *   stranger is recommended, are nothing but the recommender;
 *   `GET /recommend/cached/{user_id}?top_n=20` goes through the cache.
 * - With a journal `POST /requests` accepts a request for the stream, `GET /requests/{request_id}` tells what became of one,
 *   however it came, and `GET /users/{user_id}/history` what a user was recommended lately.
 * - Fixed bodies never gain members. Everything else is a header: `Cache-Status` (RFC 9211), `Server-Timing`,
 *   `X-Leat-Source`, `X-Leat-Age-Ms`, `X-Leat-Model`.
 * - A caller may say how long it waits, `X-Leat-Timeout-Ms`; what can't be answered by then isn't begun.
 * - Bad input is 422, as FastAPI answers it, with RFC 9457 problem details that name each fault and its path. A failure of
 *   the recommender is 503 with Retry-After, 504 after a timeout, 502 after a broken answer.
 *
 * @since 0.1.0
 */
import { Journal } from "@leat/core/Journal"
import * as Outbox from "@leat/core/Outbox"
import * as Publisher from "@leat/core/Publisher"
import * as View from "@leat/core/View"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpApi from "effect/http-api/HttpApi"
import * as HttpApiClient from "effect/http-api/HttpApiClient"
import * as HttpApiEndpoint from "effect/http-api/HttpApiEndpoint"
import * as HttpApiError from "effect/http-api/HttpApiError"
import * as HttpApiGroup from "effect/http-api/HttpApiGroup"
import * as HttpApiSchema from "effect/http-api/HttpApiSchema"
import * as OpenApi from "effect/http-api/OpenApi"
import type * as HttpClient from "effect/http/HttpClient"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import type * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"

import { RequestPayload } from "./RecommendationRequested.ts"
import * as Recommendations from "./Recommendations.ts"
import * as Recommender from "./Recommender.ts"
import * as Requests from "./recommenderApi/Requests.ts"
import * as Routes from "./recommenderApi/Routes.ts"
import * as RequestEvents from "./RequestEvents.ts"
import * as RequestIntake from "./RequestIntake.ts"
import { RequestStatus, requestStatus } from "./RequestStatus.ts"
import { UserHistory, userHistory } from "./UserHistory.ts"

/**
 * A user: a positive integer that JSON carries without loss.
 *
 * @category schemas
 * @since 0.1.0
 */
export const UserId = Schema.Int.check(Schema.isBetween({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }))

/**
 * How many films are asked for. The upper bound is the server's, `TOP_N_MAX`.
 *
 * @category schemas
 * @since 0.1.0
 */
export const TopN = Schema.Int.check(Schema.isGreaterThanOrEqualTo(1)).annotate({
  description: "1 to TOP_N_MAX (100 by default), 20 when left out"
})

/**
 * A ranking of the recommender.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Answer = Schema.Struct({
  user_id: Schema.Int,
  recommendations: Schema.Array(Schema.Int),
  count: Schema.Int
})

/**
 * A ranking from the cache or the recommender.
 *
 * @category schemas
 * @since 0.1.0
 */
export const CachedAnswer = Schema.Struct({
  ...Answer.fields,
  from_cache: Schema.Boolean,
  latency_ms: Schema.Int
})

/**
 * 422: the request, and where it is wrong.
 *
 * @category errors
 * @since 0.1.0
 */
export class InvalidRequest extends HttpApiError.Problem<InvalidRequest>()(
  "InvalidRequest",
  { type: "about:blank", status: 422, title: "Unprocessable Content" },
  { errors: Schema.optionalKey(Schema.Array(HttpApiError.ProblemIssue)) }
) {}

/**
 * 503: the recommender can't answer now; `Retry-After` says when to ask again.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotAvailable extends HttpApiError.Problem<NotAvailable>()("NotAvailable", {
  type: "about:blank",
  status: 503,
  title: "Service Unavailable"
}) {}

/**
 * 502: the recommender broke its contract.
 *
 * @category errors
 * @since 0.1.0
 */
export class BadAnswer extends HttpApiError.Problem<BadAnswer>()("BadAnswer", {
  type: "about:blank",
  status: 502,
  title: "Bad Gateway"
}) {}

/**
 * 504: the recommender did not answer in time.
 *
 * @category errors
 * @since 0.1.0
 */
export class TimedOut extends HttpApiError.Problem<TimedOut>()("TimedOut", {
  type: "about:blank",
  status: 504,
  title: "Gateway Timeout"
}) {}

/**
 * 404: nothing is known of it.
 *
 * @category errors
 * @since 0.1.0
 */
export class NotKnown extends HttpApiError.Problem<NotKnown>()("NotKnown", {
  type: "about:blank",
  status: 404,
  title: "Not Found"
}) {}

/**
 * A request to accept; what is left out is given to it.
 *
 * @category schemas
 * @since 0.1.0
 */
export const AcceptedRequest = Schema.Struct({
  user_id: UserId,
  top_n: Schema.optionalKey(TopN),
  request_id: Schema.optionalKey(RequestPayload.fields.request_id),
  timestamp: Schema.optionalKey(RequestPayload.fields.timestamp)
})

/**
 * The films that most people like.
 *
 * @category schemas
 * @since 0.1.0
 */
export const PopularAnswer = Schema.Struct({ recommendations: Schema.Array(Schema.Int), count: Schema.Int })

const asked = {
  params: { user_id: UserId },
  query: { top_n: Schema.optionalKey(TopN) },
  error: [InvalidRequest, NotAvailable, BadAnswer, TimedOut]
} as const

/**
 * The contract.
 *
 * @category api
 * @since 0.1.0
 */
export class Api extends HttpApi.make("recommendations")
  .add(
    HttpApiGroup.make("internal")
      .add(HttpApiEndpoint.get("recommend", "/internal/recommend/:user_id", { ...asked, success: Answer }))
      .add(
        HttpApiEndpoint.post("recommendMany", "/internal/recommend", {
          payload: Schema.Struct({
            requests: Schema.Array(Schema.Struct({ user_id: UserId, top_n: Schema.optionalKey(TopN) }))
          }),
          success: Schema.Struct({ results: Schema.Array(Answer) }),
          error: asked.error
        })
      )
      .add(
        HttpApiEndpoint.get("popular", "/internal/popular", {
          query: asked.query,
          success: PopularAnswer,
          error: asked.error
        })
      )
  )
  .add(
    HttpApiGroup.make("recommend").add(
      HttpApiEndpoint.get("cached", "/recommend/cached/:user_id", { ...asked, success: CachedAnswer })
    )
  )
  .add(
    HttpApiGroup.make("requests")
      .add(
        HttpApiEndpoint.post("accept", "/requests", {
          payload: AcceptedRequest,
          success: Schema.Struct({ request_id: Schema.String, status: Schema.Literal("queued") }).pipe(
            HttpApiSchema.status(202)
          ),
          error: [InvalidRequest, NotAvailable]
        })
      )
      .add(
        HttpApiEndpoint.get("status", "/requests/:request_id", {
          params: { request_id: Schema.NonEmptyString },
          success: RequestStatus,
          error: [NotKnown, NotAvailable]
        })
      )
      .add(
        HttpApiEndpoint.get("history", "/users/:user_id/history", {
          params: { user_id: UserId },
          success: UserHistory,
          error: [InvalidRequest, NotKnown, NotAvailable]
        })
      )
  )
  .annotate(OpenApi.Title, "Movie recommendations")
  .annotate(OpenApi.Version, "1.0.0") {}

/**
 * The contract as an OpenAPI 3.1 document.
 *
 * @category api
 * @since 0.1.0
 */
export const openApi: OpenApi.OpenAPISpec = OpenApi.fromApi(Api)

/**
 * A typed client of a service that keeps the contract; without a base URL the HTTP client's own is used.
 *
 * @category client
 * @since 0.1.0
 */
export const client = (
  baseUrl?: string
): Effect.Effect<HttpApiClient.ForApi<typeof Api>, never, HttpClient.HttpClient> =>
  HttpApiClient.make(Api, baseUrl === undefined ? {} : { baseUrl })

/**
 * Options of the routes.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** The most requests in a batch. Default 1000. */
  readonly maxRequests?: number | undefined
  /** The deadline of a request, for the cache and the recommender below. Default 5 s. */
  readonly timeout?: Duration.Input | undefined
}

/**
 * What the routes need. A body that can't be read is the server's to answer: `HttpService` says 400 or 413.
 *
 * @category models
 * @since 0.1.0
 */
export type Needs =
  | HttpRouter.HttpRouter
  | HttpRouter.Request<"Error", HttpServerError.HttpServerError>
  | Recommender.Recommender
  | Recommendations.Recommendations

/**
 * The routes of the contract. The default and the largest `top_n` are those of `RequestEvents`, as for events.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<never, never, Needs> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      const events = yield* RequestEvents.RequestEvents
      const parts: Routes.Parts = {
        recommender: yield* Recommender.Recommender,
        recommendations: yield* Recommendations.Recommendations,
        timeout: options.timeout ?? "5 seconds",
        limits: {
          topNDefault: events.defaultTopN,
          topNMax: events.maxTopN,
          maxRequests: options.maxRequests ?? 1000
        }
      }
      yield* router.add("GET", "/recommend/cached/:user_id", Routes.cached(parts))
      yield* router.add("GET", "/internal/recommend/:user_id", Routes.internal(parts))
      yield* router.add("POST", "/internal/recommend", Routes.batch(parts))
      yield* router.add("GET", "/internal/popular", Routes.popular(parts))
    })
  )

/**
 * The routes that follow requests, and their views; they need a durable journal. `POST /requests` is served where
 * `RequestIntake.Queue` says where to.
 *
 * @category layers
 * @since 0.1.0
 */
export const layerRequests = (
  options: {
    /** The deadline of an acceptance. Default 5 s. */
    readonly timeout?: Duration.Input | undefined
  } = {}
): Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | HttpRouter.Request<"Error", HttpServerError.HttpServerError> | Journal
> =>
  Layer.unwrap(
    Effect.gen(function* () {
      const { durable } = yield* Journal
      const queue = yield* RequestIntake.Queue
      const reading = Layer.mergeAll(
        route("GET", "/requests/:request_id", Requests.status),
        route("GET", "/users/:user_id/history", Requests.history)
      )
      if (!durable) return reading
      const views = View.layer([requestStatus, userHistory])
      if (queue === undefined) return Layer.merge(reading, views)
      const accepting = Layer.merge(
        route("POST", "/requests", Requests.accept(options.timeout ?? "5 seconds")),
        Outbox.layer(RequestIntake.intake)
      )
      return Layer.mergeAll(reading, views, Layer.provide(accepting, Publisher.layer(queue)))
    })
  )

const route = (
  method: "GET" | "POST",
  path: HttpRouter.PathInput,
  handler: Effect.Effect<
    HttpServerResponse.HttpServerResponse,
    HttpServerError.HttpServerError,
    HttpRouter.RouteContext | HttpServerRequest.HttpServerRequest | Journal
  >
): Layer.Layer<
  never,
  never,
  HttpRouter.HttpRouter | HttpRouter.Request<"Error", HttpServerError.HttpServerError> | Journal
> =>
  Layer.effectDiscard(
    Effect.gen(function* () {
      const router = yield* HttpRouter.HttpRouter
      // With what is in force where the layer is built, the publisher of the intake's outbox too.
      const context = yield* Effect.context<Journal>()
      yield* router.add(method, path, Effect.provideContext(handler, context))
    })
  )
