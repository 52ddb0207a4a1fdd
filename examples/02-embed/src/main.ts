/** Leat inside a program that is not ours: each part is a layer, and swapping one changes one line. */
import * as RedisStore from "@leat/cache-redis/RedisStore"
import * as CacheStore from "@leat/core/CacheStore"
import * as Codec from "@leat/core/Codec"
import * as Delivery from "@leat/core/Delivery"
import * as Journal from "@leat/core/Journal"
import * as MemoryTransport from "@leat/core/MemoryTransport"
import type * as Outcome from "@leat/core/Outcome"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as Engine from "@leat/recommender/recommender/Engine"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import * as Bestsellers from "./Bestsellers.ts"
import { layerMailer, newsletter } from "./Newsletter.ts"

const cloudEventsOnly = RequestEvents.make({ codec: Codec.cloudEvents() })

const parts = {
  events: RequestEvents.layer(RequestEvents.make()),
  retry: RetryPolicy.layer(RetryPolicy.none),
  cache: CacheStore.layerMemory(),
  recommender: Bestsellers.layer
}

const swaps = {
  "event codec: CloudEvents only": { ...parts, events: RequestEvents.layer(cloudEventsOnly) },
  "retry: 3 attempts": { ...parts, retry: RetryPolicy.layer(RetryPolicy.make({ base: "1 millis" })) },
  "cache: a Redis that is down": { ...parts, cache: RedisStore.layer({ host: "127.0.0.1", port: 1 }) },
  "recommender: the engine": { ...parts, recommender: Engine.layer }
}

type Parts = typeof parts | (typeof swaps)[keyof typeof swaps]

const request = (user_id: number, request_id: string) => ({ user_id, top_n: 3, request_id, timestamp: "2026-11-23" })

const cloudEvent = (user_id: number, id: string) => ({
  specversion: "1.0",
  type: "RecommendationRequested",
  source: "shop",
  id,
  data: request(user_id, id)
})

const letters = {
  "user 1, as plain JSON": request(1, "a"),
  "user 2, as a CloudEvent": cloudEvent(2, "b"),
  "user 2 again": cloudEvent(2, "c"),
  "user 3, whom the shop fails once": cloudEvent(3, "d")
}

const said = (outcome: Outcome.Outcome): string =>
  outcome._tag === "Failed"
    ? `Failed, ${outcome.retryable ? "may be tried again" : "for good"}: ${reason(Cause.squash(outcome.cause))}`
    : outcome._tag

const reason = (error: unknown) =>
  typeof error === "object" && error !== null && "message" in error ? String(error.message) : String(error)

/** Delivers the letters one after the other, once each, and says what became of them. */
const run = ({ cache, events, recommender, retry }: Parts) => {
  const sent: Array<string> = []
  const app = Recommendations.layer().pipe(
    Layer.provide([recommender, cache]),
    Layer.provideMerge([events, retry, layerMailer(sent), Journal.layerNone, Logger.layer([])])
  )
  const deliveries = Object.values(letters).map((letter, index) =>
    Delivery.make({ position: String(index), bytes: JSON.stringify(letter) })
  )
  return Effect.forEach(deliveries, (delivery) =>
    Effect.map(MemoryTransport.run(newsletter, [delivery], { maxAttempts: 1 }), ([delivered]) =>
      delivered?.outcome._tag === "Handled" ? sent.at(-1) : delivered && said(delivered.outcome)
    )
  ).pipe(Effect.provide(app))
}

const print = (title: string, lines: ReadonlyArray<string | undefined>, before: ReadonlyArray<string | undefined>) => {
  console.log(title)
  Object.keys(letters).forEach((letter, index) => {
    if (lines[index] !== before[index]) console.log(`  ${letter.padEnd(32)}  ${lines[index]}`)
  })
}

const main = Effect.gen(function* () {
  const asItIs = yield* run(parts)
  print("as it is", asItIs, [])
  for (const [title, swapped] of Object.entries(swaps)) print(title, yield* run(swapped), asItIs)
})

await Effect.runPromise(main)
