import { CacheStoreError } from "@leat/core/CacheStore"
import * as Deadline from "@leat/core/Deadline"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"

/** Runs a request in the milliseconds that it may take. */
export type Within = <A>(
  request: (millis: number) => Effect.Effect<A, CacheStoreError>
) => Effect.Effect<A, CacheStoreError>

/** So many, or what the deadline leaves; none where it has passed. */
export const within =
  (timeout: number): Within =>
  (request) =>
    Effect.withFiber((fiber) => {
      const deadline = fiber.getRef(Deadline.Deadline)
      if (deadline === Infinity) return request(timeout)
      const left = deadline - fiber.getRef(Clock.Clock).currentTimeMillisUnsafe()
      return left > 0 ? request(Math.min(timeout, left)) : outOfTime
    })

const outOfTime = Effect.suspend(() =>
  Effect.fail(new CacheStoreError({ reason: "Timeout", message: "the deadline has passed" }))
)
