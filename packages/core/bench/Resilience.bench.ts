/* oxlint-disable no-console -- a bench prints */
/**
 * What the policies cost around a call that does nothing. `node packages/core/bench/Resilience.bench.ts`
 *
 * CPU time of this process, rounds in turn, the least of all rounds: other processes can only add to it.
 */
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"

import * as Resilience from "../src/Resilience.ts"
import * as Bulkhead from "../src/resilience/Bulkhead.ts"

class Down {
  readonly _tag = "Down"
  readonly retryable = true
}

const call = (input: number): Effect.Effect<number, Down> => Effect.succeed(input)
const down = new Down()
const fails = (): Effect.Effect<number, Down> => Effect.fail(down)

const bench = Effect.gen(function* () {
  const whole = yield* Resilience.make({
    name: "it",
    deadline: "2 seconds",
    bulkhead: {},
    breaker: {},
    retry: {},
    hedge: { warmUp: Infinity },
    attemptTimeout: "1 second"
  })
  const plain = yield* Resilience.make({ name: "it", bulkhead: {}, breaker: {}, retry: {}, attemptTimeout: "1 second" })
  const breaker = yield* Resilience.make({ name: "it", breaker: {} })
  const open = yield* Resilience.make({
    name: "it",
    breaker: { opens: { consecutive: 1 }, pause: "1 hour", maxPause: "1 hour" }
  })
  yield* Effect.exit(open.protect(fails)(1))
  yield* Effect.sleep(10)
  const full = Bulkhead.makeUnsafe({ permits: 1, maxQueue: 0 })
  yield* Effect.forkChild(full.protect(() => Effect.never)(1), { startImmediately: true })
  const contenders = [
    ["no policy", call],
    ["bulkhead", Bulkhead.makeUnsafe().protect(call)],
    ["circuit breaker, closed", breaker.protect(call)],
    ["bulkhead, breaker, retry, attempt timeout", plain.protect(call)],
    ["the same with deadline and hedge", whole.protect(call)],
    ["refused by an open circuit", open.protect(call)],
    ["refused by a full bulkhead", full.protect(call)]
  ] as const
  const least = new Map<string, number>()
  for (let round = 0; round < 20; round++) {
    for (const [name, handler] of contenders) {
      const once = Effect.suspend(() => Effect.exit(handler(1)))
      const many = Effect.forEach(turns, () => once, { discard: true })
      const start = process.cpuUsage()
      yield* many
      const { system, user } = process.cpuUsage(start)
      least.set(name, Math.min((user + system) / turns.length, least.get(name) ?? Infinity))
    }
  }
  for (const [name, micros] of least) console.log(`${name.padEnd(44)} ${micros.toFixed(2).padStart(6)} µs`)
})

const turns = Array.from({ length: 2_000 }, (_, i) => i)

await Effect.runPromise(bench.pipe(Effect.scoped, Effect.provide(Logger.layer([]))))
