/** A recommender that may be closed, and takes 30 ms when it isn't. */
import { Recommender, RecommenderError, make } from "@leat/recommender/Recommender"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const films = { open: true, asked: 0 }

const closed = new RecommenderError({ reason: "Unavailable", message: "closed", retryable: true })

const whenOpen = <A>(answer: A): Effect.Effect<A, RecommenderError> =>
  Effect.suspend(() => {
    films.asked++
    return films.open ? Effect.delay(Effect.succeed(answer), "30 millis") : Effect.fail(closed)
  })

export const layer: Layer.Layer<Recommender> = Layer.sync(Recommender, () =>
  make(
    ({ top_n, user_id }) => whenOpen([user_id * 10, 7, 8, 9].slice(0, top_n)),
    (top_n) => whenOpen([1, 2, 3].slice(0, top_n))
  )
)
