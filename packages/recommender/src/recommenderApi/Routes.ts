/**
 * The endpoints, served by hand-written handlers.
 *
 * A fast path: HttpApi's own decoding and encoding cost 46 µs a request, the router with these handlers 26, and the whole of
 * a cached hit has to stay near a bare Fastify route. The contract in `RecommenderApi.ts` stays the one source of the
 * document and of the typed client; its tests drive these routes with that client, so the two can't drift.
 *
 * @since 0.1.0
 */
import * as Deadline from "@leat/core/Deadline"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import { identity } from "effect/Function"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import type * as HttpServerResponse from "effect/http/HttpServerResponse"

import type * as Recommendations from "../Recommendations.ts"
import type * as Recommender from "../Recommender.ts"
import * as Answer from "./Answer.ts"
import * as Question from "./Question.ts"

/**
 * What the handlers need.
 *
 * @category models
 * @since 0.1.0
 */
export interface Parts {
  readonly recommender: Recommender.Recommender["Service"]
  readonly recommendations: Recommendations.Recommendations["Service"]
  readonly limits: Question.Limits
  readonly timeout: Duration.Input
}

type Response = HttpServerResponse.HttpServerResponse
type Asked = HttpRouter.RouteContext | HttpServerRequest.ParsedSearchParams | HttpServerRequest.HttpServerRequest

/**
 * `GET /internal/recommend/{user_id}?top_n=`: nothing but the recommender.
 *
 * @category handlers
 * @since 0.1.0
 */
export const internal = (parts: Parts): Effect.Effect<Response, never, Asked> =>
  single(parts, (asked) =>
    Effect.map(parts.recommender.recommend(asked), (ranking) =>
      Answer.internal(Answer.body(asked.user_id, ranking), parts.recommender.model())
    )
  )

/**
 * `GET /recommend/cached/{user_id}?top_n=`.
 *
 * @category handlers
 * @since 0.1.0
 */
export const cached = (parts: Parts): Effect.Effect<Response, never, Asked> =>
  single(parts, (asked, clock) => {
    const started = clock.currentTimeNanosUnsafe()
    return Effect.map(parts.recommendations.forUser(asked.user_id, asked.top_n), (served) =>
      Answer.cached(served, Number(clock.currentTimeNanosUnsafe() - started) / 1e6, parts.recommender.model())
    )
  })

/**
 * `POST /internal/recommend`: many users at once. One failure fails the answer, since a body of results has no room for it.
 *
 * @category handlers
 * @since 0.1.0
 */
export const batch = (
  parts: Parts
): Effect.Effect<Response, HttpServerError.HttpServerError, HttpServerRequest.HttpServerRequest> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!Question.isJson(request.headers["content-type"])) return Answer.unsupported
    const asked = Question.many(Question.parsed(yield* request.text), parts.limits)
    if (asked instanceof Question.Faults) return Answer.invalid(asked)
    const exits = yield* Deadline.within(patience(request, Duration.toMillis(parts.timeout)))(
      parts.recommender.recommendMany(asked)
    )
    const failure = exits.find(Exit.isFailure)
    return failure === undefined
      ? results(asked, exits, parts.recommender.model())
      : yield* answered(Effect.failCause(failure.cause))
  })

/**
 * `GET /internal/popular?top_n=`: what a stranger is recommended.
 *
 * @category handlers
 * @since 0.1.0
 */
export const popular = (
  parts: Parts
): Effect.Effect<Response, never, HttpServerRequest.HttpServerRequest | HttpServerRequest.ParsedSearchParams> =>
  Effect.gen(function* () {
    const query = yield* HttpServerRequest.ParsedSearchParams
    const top_n = Question.top(query["top_n"], parts.limits)
    if (top_n instanceof Question.Faults) return Answer.invalid(top_n)
    const within = patience(yield* HttpServerRequest.HttpServerRequest, Duration.toMillis(parts.timeout))
    const { model, popular } = parts.recommender
    return yield* answered(
      Effect.map(Deadline.within(within)(popular(top_n)), (recommendations) =>
        Answer.internal({ recommendations, count: recommendations.length }, model())
      )
    )
  })

/** The milliseconds that a caller waits, where it says so and that is less than our own. */
const patience = ({ headers }: HttpServerRequest.HttpServerRequest, own: number): number => {
  const said = headers[Deadline.header]
  return said === undefined ? own : Math.min(own, Deadline.fromHeader(said) ?? own)
}

const single = (
  parts: Parts,
  answer: (
    asked: Recommender.RecommendRequest,
    clock: Clock.Clock
  ) => Effect.Effect<Response, Recommender.RecommenderError>
): Effect.Effect<Response, never, Asked> => {
  const timeout = Duration.toMillis(parts.timeout)
  return Effect.withFiber<Response, never, Asked>((fiber) => {
    const { params } = Context.getUnsafe(fiber.context, HttpRouter.RouteContext)
    const query = Context.getUnsafe(fiber.context, HttpServerRequest.ParsedSearchParams)
    const asked = Question.single(params["user_id"], query["top_n"], parts.limits)
    if (asked instanceof Question.Faults) return Effect.succeed(Answer.invalid(asked))
    const clock = fiber.getRef(Clock.Clock)
    const within = patience(Context.getUnsafe(fiber.context, HttpServerRequest.HttpServerRequest), timeout)
    return answered(
      Effect.provideService(answer(asked, clock), Deadline.Deadline, clock.currentTimeMillisUnsafe() + within)
    )
  })
}

const answered = (self: Effect.Effect<Response, Recommender.RecommenderError>): Effect.Effect<Response> =>
  Effect.match(self, { onFailure: Answer.failed, onSuccess: identity })

const results = (
  asked: ReadonlyArray<Recommender.RecommendRequest>,
  exits: ReadonlyArray<Exit.Exit<Recommender.Ranking, Recommender.RecommenderError>>,
  model: string | undefined
): Response =>
  Answer.internal(
    {
      results: asked.flatMap(({ user_id }, i) =>
        exits[i]?._tag === "Success" ? [Answer.body(user_id, exits[i].value)] : []
      )
    },
    model
  )
