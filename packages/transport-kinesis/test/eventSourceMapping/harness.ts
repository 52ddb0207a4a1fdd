import { setImmediate } from "node:timers/promises"

import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as TestClock from "effect/testing/TestClock"

import type * as EventSourceMapping from "../../src/EventSourceMapping.ts"
import type * as LambdaEvent from "../../src/LambdaEvent.ts"

export const texts = (event: LambdaEvent.LambdaEvent): ReadonlyArray<string> =>
  event.Records.map(({ kinesis }) => Buffer.from(kinesis.data, "base64").toString("utf8"))

/** Lets time pass in steps, and functions answer in between. */
export const pass = (seconds: number): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let tick = 0; tick < seconds * 4; tick++) {
      yield* TestClock.adjust("250 millis")
      yield* Effect.promise(() => setImmediate())
    }
  })

export const drain = (mapping: EventSourceMapping.EventSourceMapping) =>
  Effect.gen(function* () {
    const drained = yield* Effect.forkChild(mapping.drained, { startImmediately: true })
    for (let tick = 0; tick < 400 && drained.pollUnsafe() === undefined; tick++) yield* pass(0.25)
    return yield* Fiber.join(drained)
  })
