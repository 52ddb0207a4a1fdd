import { describe, it } from "@effect/vitest"
import * as Spec from "@leat/core/testing/Spec"
import { RecommendationRequested } from "@leat/recommender/RecommendationRequested"
import * as Recommendations from "@leat/recommender/Recommendations"
import { RecommendationServed } from "@leat/recommender/RecommendationServed"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as Recommender from "@leat/recommender/Recommender"
import { intake } from "@leat/recommender/RequestIntake"
import { requestStatus } from "@leat/recommender/RequestStatus"
import { userHistory } from "@leat/recommender/UserHistory"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

const refused = new Recommender.RecommenderError({ reason: "Refused", message: "user 13 is unknown", retryable: false })

/** Serves everybody but user 13. */
const forUser = (user_id: number, top_n = 20): Effect.Effect<Recommendations.Served, Recommender.RecommenderError> =>
  user_id === 13
    ? Exit.fail(refused)
    : Exit.succeed({ user_id, top_n, recommendations: [user_id, 2, 3].slice(0, top_n), source: "origin", age: 0 })

const Recommending = Layer.mock(Recommendations.Recommendations, {
  forUser,
  prefetch: () => Effect.succeed(Context.empty() as Context.Context<Recommendations.Recommendations>)
})

const request = (user_id: number, request_id: string, top_n = 2) =>
  RecommendationRequested.make({ user_id, request_id, top_n, timestamp: "2026-11-25T10:00:00Z" })

const served = (user_id: number, request_id: string) =>
  RecommendationServed.make({
    request_id,
    user_id,
    top_n: 2,
    recommendations: [user_id, 2],
    source: "origin",
    age: 0
  })

const epoch = "1970-01-01T00:00:00.000Z"

describe("the status of a request", () => {
  it.effect("is queued by the intake", () =>
    Spec.scenario(
      intake,
      Spec.when(request(7, "r-1")),
      Spec.thenEmitted(request(7, "r-1")),
      Spec.thenState(requestStatus, "r-1", { request_id: "r-1", user_id: 7, status: "queued", updated_at: epoch })
    )
  )

  it.effect("is served, with the recommendations, once however often the request comes", () =>
    Spec.scenario(
      recommendations,
      Spec.when(request(7, "r-1"), request(7, "r-1")),
      Spec.thenOutcomes("Handled", "Duplicate"),
      Spec.thenEmitted(served(7, "r-1")),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Duplicate", "Duplicate"),
      Spec.thenState(requestStatus, "r-1", {
        request_id: "r-1",
        user_id: 7,
        status: "served",
        updated_at: epoch,
        recommendations: [7, 2],
        source: "origin"
      })
    ).pipe(Effect.provide(Recommending))
  )

  it.effect("is parked with the reason, and so is that of what follows of the user; others are served", () =>
    Spec.scenario(
      recommendations,
      Spec.when(request(13, "r-1"), request(13, "r-2"), request(7, "r-3")),
      Spec.thenOutcomes("Parked: user 13 is unknown", "Parked", "Handled"),
      Spec.thenState(requestStatus, "r-1", {
        request_id: "r-1",
        user_id: 13,
        status: "parked",
        updated_at: epoch,
        reason: "RecommenderError: user 13 is unknown"
      }),
      Spec.whenDiscarded("13", "the user left", "r-1"),
      Spec.thenState(requestStatus, "r-1", {
        request_id: "r-1",
        user_id: 13,
        status: "skipped",
        updated_at: epoch,
        reason: "the user left"
      })
    ).pipe(Effect.provide(Recommending))
  )

  it.effect("survives a crash before the commit and one after it", () =>
    Spec.scenario(
      recommendations,
      Spec.whenCrashed("before the commit", request(7, "r-1")),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Handled"),
      Spec.whenCrashed("after the commit", request(7, "r-2")),
      Spec.whenRedelivered(),
      Spec.thenOutcomes("Duplicate"),
      Spec.thenState(userHistory, "7", {
        user_id: 7,
        requests: ["r-2", "r-1"].map((request_id) => ({
          request_id,
          served_at: epoch,
          recommendations: [7, 2],
          source: "origin" as const
        }))
      })
    ).pipe(Effect.provide(Recommending))
  )
})
