/**
 * Requests as people send them: few users often, many once, a few films or the usual twenty.
 */
import { randomUUID } from "node:crypto"

import type { Publisher } from "@leat/core/Publisher"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Random from "effect/Random"

import type { Settings } from "./Settings.ts"
import * as Zipf from "./Zipf.ts"

/** How even the users are: 1.0 is the classic; of 800 users the first then asks 14 % of the time. */
const exponent = 1

/** Requests published at once. */
const step = 100

/** Publishes `settings.requests` at `settings.rate` a second; tells how many were accepted so far. */
export const publish = Effect.fnUntraced(function* (
  publisher: Publisher,
  settings: Settings,
  onAccepted: (accepted: number) => void
) {
  const events = yield* RequestEvents.RequestEvents
  const random = yield* Random.Random
  const draw = Zipf.make(settings.users, exponent, () => random.nextDoubleUnsafe())
  const startedAt = yield* Clock.currentTimeMillis
  let accepted = 0
  for (let sent = 0; sent < settings.requests; sent += step) {
    const due = startedAt + (1_000 * sent) / settings.rate
    yield* Effect.sleep(Math.max(0, due - (yield* Clock.currentTimeMillis)))
    const timestamp = DateTime.formatIso(yield* DateTime.now)
    const requests = Array.from({ length: Math.min(step, settings.requests - sent) }, () =>
      RequestEvents.envelope(events, { user_id: draw() + 1, request_id: randomUUID(), timestamp })
    )
    const answers = yield* publisher.publish(requests)
    accepted += answers.filter(Exit.isSuccess).length
    onAccepted(accepted)
  }
  return accepted
})
