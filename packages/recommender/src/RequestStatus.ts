/**
 * What became of a request: a projection over the journal, read by `GET /requests/{request_id}`.
 *
 * @since 0.1.0
 */
import * as Event from "@leat/core/Event"
import type { Entry, JournaledOutcome } from "@leat/core/Journal"
import * as Projection from "@leat/core/Projection"
import * as Undecodable from "@leat/core/Undecodable"
import * as DateTime from "effect/DateTime"
import * as Result from "effect/Result"
import * as Schema from "effect/Schema"

import { RecommendationRequested } from "./RecommendationRequested.ts"
import { RecommendationServed, ServedPayload } from "./RecommendationServed.ts"
import { recommendations } from "./RecommendationWorker.ts"
import * as RequestEvents from "./RequestEvents.ts"

/**
 * `queued`: accepted by the service, on its way to the stream. `served`: with its recommendations. `parked`: it failed, or
 * waits behind one of its user that did, until somebody redrives it. `skipped`: given up, with the reason.
 *
 * @category schemas
 * @since 0.1.0
 */
export const Status = Schema.Literals(["queued", "served", "parked", "skipped"])

/**
 * The status of a request.
 *
 * @category schemas
 * @since 0.1.0
 */
export const RequestStatus = Schema.Struct({
  request_id: Schema.String,
  user_id: Schema.Int,
  status: Status,
  /** When it became that: RFC 3339. */
  updated_at: Schema.String,
  recommendations: Schema.optionalKey(ServedPayload.fields.recommendations),
  source: Schema.optionalKey(ServedPayload.fields.source),
  reason: Schema.optionalKey(Schema.String)
})

/**
 * The status of a request.
 *
 * @category models
 * @since 0.1.0
 */
export type RequestStatus = typeof RequestStatus.Type

/**
 * One status a `request_id`.
 *
 * @category projections
 * @since 0.1.0
 */
export const requestStatus: Projection.Projection<RequestStatus> = Projection.make("request-status", {
  version: 1,
  state: RequestStatus,
  keys: (entry) => {
    const request = requestOf(entry)
    return request === undefined ? [] : [request.request_id]
  },
  fold: (status, entry, request_id) => {
    // What the worker said is later than the intake, whatever the order of the folds.
    if (entry.worker !== recommendations.name && status !== undefined) return status
    return {
      request_id,
      user_id: requestOf(entry)?.user_id ?? 0,
      updated_at: timeOf(entry),
      ...(entry.worker === recommendations.name ? become(entry.outcome) : ({ status: "queued" } as const))
    }
  }
})

/**
 * The request that an entry is about; `undefined` where it is about none, or can't be read.
 *
 * @category getters
 * @since 0.1.0
 */
export const requestOf = (entry: Entry): { readonly request_id: string; readonly user_id: number } | undefined => {
  if (entry.type !== RecommendationRequested.tag) return undefined
  const envelope = codec.decode(entry.bytes, entry.eventVersion)
  if (envelope instanceof Undecodable.Undecodable) return undefined
  const payload = RecommendationRequested.decode(envelope.data, envelope.version)
  return Result.isSuccess(payload) ? payload.success : undefined
}

const { codec } = RequestEvents.make({ maxTopN: 1_000 })

/**
 * What a request was served; `undefined` where it was not. Old versions of the event are lifted to today's.
 *
 * @category getters
 * @since 0.1.0
 */
export const servedBy = (outcome: JournaledOutcome): typeof ServedPayload.Type | undefined =>
  Event.emittedBy(RecommendationServed, outcome)[0]

/**
 * When an entry was committed, RFC 3339.
 *
 * @category getters
 * @since 0.1.0
 */
export const timeOf = (entry: Entry): string => DateTime.formatIso(DateTime.makeUnsafe(entry.at))

const become = (outcome: JournaledOutcome): Pick<RequestStatus, "status" | "recommendations" | "source" | "reason"> => {
  if (outcome._tag === "Parked") return { status: "parked", reason: outcome.reason }
  if (outcome._tag === "Skipped") return { status: "skipped", reason: outcome.reason }
  const served = servedBy(outcome)
  return served === undefined
    ? { status: "served" }
    : { status: "served", recommendations: served.recommendations, source: served.source }
}
