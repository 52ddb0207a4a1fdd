/**
 * What became of a batch, as an answer.
 *
 * @since 0.1.0
 */
import * as Envelope from "@leat/core/Envelope"
import type * as Journal from "@leat/core/Journal"
import type * as Outcome from "@leat/core/Outcome"
import * as Undecodable from "@leat/core/Undecodable"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as HttpServerResponse from "effect/http/HttpServerResponse"

import * as CloudEventsHttp from "../CloudEventsHttp.ts"
import * as Problem from "../Problem.ts"
import * as Reading from "./Reading.ts"

type Response = HttpServerResponse.HttpServerResponse

/**
 * Answers a batch.
 *
 * @category constructors
 * @since 0.1.0
 */
export const of = (
  worker: string,
  mode: CloudEventsHttp.Mode,
  result: Outcome.BatchResult,
  readings: ReadonlyArray<Reading.Reading | Undecodable.Undecodable>,
  statusOf?: (id: string) => string
): Effect.Effect<Response> => {
  if (result.settledPrefix < result.outcomes.length) return unsettled(worker, result.outcomes)
  const [first, ...others] = result.outcomes.flatMap((outcome, i) => emitted(worker, outcome, readings[i]))
  if (first === undefined) return Effect.succeed(accepted(result, readings, statusOf))
  const reply = CloudEventsHttp.write(mode, [first, ...others])
  return Effect.succeed(HttpServerResponse.text(reply.body, { contentType: reply.contentType, headers: reply.headers }))
}

/** What became of each event, and where to ask for what becomes of it later. */
const accepted = (
  { outcomes }: Outcome.BatchResult,
  readings: ReadonlyArray<Reading.Reading | Undecodable.Undecodable>,
  statusOf: ((id: string) => string) | undefined
): Response => {
  const body = { outcomes: outcomes.map((one) => one._tag.toLowerCase()) }
  if (statusOf === undefined) return HttpServerResponse.jsonUnsafe(body, { status: 202 })
  const status = readings.map((reading) =>
    reading instanceof Undecodable.Undecodable ? undefined : statusOf(reading.id)
  )
  const [only] = status
  const headers = status.length === 1 && only !== undefined ? { location: only } : undefined
  return HttpServerResponse.jsonUnsafe({ ...body, status }, { status: 202, headers })
}

/**
 * 422: nothing of the request ran.
 *
 * @category constructors
 * @since 0.1.0
 */
export const undecodable = (errors: ReadonlyArray<Problem.Fault>): Response =>
  Problem.response(422, { detail: "the request can't be read", errors })

/**
 * The journal could not read or write: what ran may run again, under the same ids.
 *
 * @category constructors
 * @since 0.1.0
 */
export const journalFailed = (error: Journal.JournalError): Effect.Effect<Response> =>
  Effect.as(Effect.logError("the journal failed", error), error.retryable ? later([], 1000) : Problem.response(500))

// The ids that the outbox gives them too: `{eventId}/{worker}/{index}`.
const emitted = (
  worker: string,
  outcome: Outcome.Outcome,
  reading: Reading.Reading | Undecodable.Undecodable | undefined
): ReadonlyArray<Envelope.Envelope> => {
  // A sender that tries again gets what the first try gave.
  if (outcome._tag === "Duplicate") return outcome.prior?._tag === "Handled" ? outcome.prior.emitted : []
  if (outcome._tag !== "Handled" || reading === undefined || reading instanceof Undecodable.Undecodable) return []
  return outcome.emitted.map((event, i) =>
    Envelope.make({
      id: `${reading.id}/${worker}/${i}`,
      type: event.type,
      version: event.version,
      source: worker,
      key: event.partitionKey,
      correlationId: reading.correlationId ?? reading.id,
      causationId: reading.id,
      data: event.data
    })
  )
}

const unsettled = (worker: string, outcomes: ReadonlyArray<Outcome.Outcome>): Effect.Effect<Response> => {
  const unread = outcomes.flatMap((outcome, i) => unreadable(outcome, outcomes.length > 1 ? [i] : []))
  if (unread.length > 0) return Effect.succeed(undecodable(unread))
  const errors = outcomes.flatMap((outcome, i) =>
    says[outcome._tag] === undefined ? [] : [{ path: ["payload", i], message: says[outcome._tag] ?? "" }]
  )
  const permanent = outcomes.filter((outcome) => outcome._tag === "Failed" && !outcome.retryable)
  const logged = Effect.forEach(
    permanent,
    (outcome) => (outcome._tag === "Failed" ? Effect.logError(`${worker} failed`, outcome.cause) : Effect.void),
    { discard: true }
  )
  // While anything may succeed later the sender should try again; the journal keeps what was settled from running twice.
  const answer =
    outcomes.some((outcome) => outcome._tag === "Failed" && outcome.retryable) || permanent.length === 0
      ? later(errors, Math.max(...outcomes.map(retryAfterOf)))
      : Problem.response(500, { errors })
  return Effect.as(logged, answer)
}

const says: Readonly<Partial<Record<Outcome.Outcome["_tag"], string>>> = { Failed: "failed", Unstarted: "not started" }

const unreadable = (outcome: Outcome.Outcome, place: ReadonlyArray<number>): ReadonlyArray<Problem.Fault> => {
  const error = outcome._tag === "Failed" ? Cause.squash(outcome.cause) : undefined
  return error instanceof Undecodable.Undecodable ? Reading.faultsAt(error, place) : []
}

const retryAfterOf = (outcome: Outcome.Outcome): number => {
  const error = outcome._tag === "Failed" ? Cause.squash(outcome.cause) : undefined
  return typeof error === "object" && error !== null && "retryAfter" in error && typeof error.retryAfter === "number"
    ? error.retryAfter
    : 1000
}

const later = (errors: ReadonlyArray<Problem.Fault>, millis: number): Response =>
  Problem.response(503, {
    detail: "not everything could be handled now: send it again",
    ...(errors.length === 0 ? {} : { errors }),
    headers: { "retry-after": String(Math.max(1, Math.ceil(millis / 1000))) }
  })
