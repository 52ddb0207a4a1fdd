/**
 * Requests as they are followed: accepted for the stream, asked for by their id, listed by user. They need a journal.
 *
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import type * as Codec from "@leat/core/Codec"
import * as Deadline from "@leat/core/Deadline"
import * as Delivery from "@leat/core/Delivery"
import type * as Journal from "@leat/core/Journal"
import * as Outcome from "@leat/core/Outcome"
import type * as Projection from "@leat/core/Projection"
import * as Undecodable from "@leat/core/Undecodable"
import * as View from "@leat/core/View"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as HttpRouter from "effect/http/HttpRouter"
import type * as HttpServerError from "effect/http/HttpServerError"
import * as HttpServerRequest from "effect/http/HttpServerRequest"
import * as HttpServerResponse from "effect/http/HttpServerResponse"
import * as Option from "effect/Option"
import * as Result from "effect/Result"

import { RecommendationRequested } from "../RecommendationRequested.ts"
import * as RequestEvents from "../RequestEvents.ts"
import { intake } from "../RequestIntake.ts"
import { requestStatus } from "../RequestStatus.ts"
import { userHistory } from "../UserHistory.ts"
import * as Answer from "./Answer.ts"
import * as Question from "./Question.ts"

type Response = HttpServerResponse.HttpServerResponse

/**
 * `POST /requests`: 202 when the request is journaled, with where to ask for it. `request_id` and `timestamp` are given
 * where the caller names none; the same `request_id` of a user again is accepted again and runs once.
 *
 * @category handlers
 * @since 0.1.0
 */
export const accept = (
  timeout: Duration.Input
): Effect.Effect<Response, HttpServerError.HttpServerError, HttpServerRequest.HttpServerRequest | Journal.Journal> =>
  Effect.gen(function* () {
    const request = yield* HttpServerRequest.HttpServerRequest
    if (!Question.isJson(request.headers["content-type"])) return Answer.unsupported
    const { codec } = yield* RequestEvents.RequestEvents
    const body = yield* completed(Question.parsed(yield* request.text))
    const read = readRequest(codec, body)
    if (read instanceof Undecodable.Undecodable) return Answer.invalid(faultsOf(read))
    const arrival = yield* Clock.currentTimeMillis
    const delivery = Delivery.make({ partition: "http/requests", position: read.request_id, arrival, bytes: body })
    return yield* intake.process([delivery], { codec }).pipe(
      Deadline.within(timeout),
      Effect.map(({ outcomes: [outcome] }) =>
        outcome !== undefined && Outcome.isSettled(outcome) ? Answer.queued(read.request_id) : Answer.journalDown
      ),
      Effect.catchTag("JournalError", journalDown)
    )
  })

/** What a caller may leave out is filled in, so that the journal and the stream have a whole request. */
const completed = Effect.fnUntraced(function* (body: unknown) {
  if (typeof body !== "object" || body === null || Array.isArray(body))
    return encoder.encode(JSON.stringify(body ?? null))
  const request_id = randomUUID()
  const timestamp = DateTime.formatIso(yield* DateTime.now)
  return encoder.encode(JSON.stringify({ request_id, timestamp, ...body }))
})

const encoder = new TextEncoder()

const readRequest = (codec: Codec.Codec, body: Uint8Array) => {
  const envelope = codec.decode(body)
  if (envelope instanceof Undecodable.Undecodable) return envelope
  const payload = RecommendationRequested.decode(envelope.data, envelope.version)
  return Result.isFailure(payload) ? payload.failure : payload.success
}

const faultsOf = ({ faults, message }: Undecodable.Undecodable): Question.Faults =>
  new Question.Faults(
    faults.length === 0
      ? [{ path: ["payload"], message }]
      : faults.map((fault) => ({
          path: ["payload", ...fault.path.map((part) => (typeof part === "number" ? part : String(part)))],
          message: fault.message
        }))
  )

/**
 * `GET /requests/{request_id}`: what became of a request.
 *
 * @category handlers
 * @since 0.1.0
 */
export const status: Effect.Effect<Response, never, HttpRouter.RouteContext | Journal.Journal> = Effect.flatMap(
  HttpRouter.params,
  ({ request_id = "" }) => view(requestStatus, request_id, "no request of this id is known (yet)")
)

/**
 * `GET /users/{user_id}/history`: the latest requests of a user, the newest first.
 *
 * @category handlers
 * @since 0.1.0
 */
export const history: Effect.Effect<Response, never, HttpRouter.RouteContext | Journal.Journal> = Effect.flatMap(
  HttpRouter.params,
  ({ user_id }) => {
    const asked = Question.user(user_id)
    return asked instanceof Question.Faults
      ? Effect.succeed(Answer.invalid(asked))
      : view(userHistory, String(asked), "nothing was recommended to this user (yet)")
  }
)

/** Who has just been told 202 asks at once: what a view does not know yet it is brought up to before the answer is no. */
const view = <State>(
  projection: Projection.Projection<State>,
  key: string,
  unknown: string
): Effect.Effect<Response, never, Journal.Journal> =>
  Effect.gen(function* () {
    const known = yield* View.get(projection, key)
    if (Option.isSome(known)) return HttpServerResponse.jsonUnsafe(known.value)
    // A backlog is the follower's to fold: a caller doesn't wait for it.
    yield* Effect.timeoutOption(View.catchUp(projection), "1 second")
    const found = yield* View.get(projection, key)
    return Option.isSome(found) ? HttpServerResponse.jsonUnsafe(found.value) : Answer.notFound(unknown)
  }).pipe(Effect.catchTag("JournalError", journalDown))

const journalDown = (error: Journal.JournalError): Effect.Effect<Response> =>
  error.reason === "NoJournal"
    ? Effect.succeed(Answer.notFound("this service keeps no journal"))
    : Effect.as(Effect.logError("the journal failed", error), Answer.journalDown)
