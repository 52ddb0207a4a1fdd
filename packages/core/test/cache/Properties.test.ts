import { assert, describe, it } from "@effect/vitest"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Schema from "effect/Schema"
import * as TestClock from "effect/testing/TestClock"

import { world } from "./World.ts"

const Key = Schema.Int.check(Schema.isBetween({ minimum: 0, maximum: 3 }))
const Step = Schema.Union([
  Schema.Struct({ does: Schema.Literal("get"), key: Key }),
  Schema.Struct({ does: Schema.Literal("invalidate"), key: Key }),
  Schema.Struct({ does: Schema.Literal("getMany"), keys: Schema.Array(Key) }),
  Schema.Struct({ does: Schema.Literal("peek"), keys: Schema.Array(Key) }),
  Schema.Struct({ does: Schema.Literal("wait"), seconds: Schema.Literals([0, 1, 20, 60, 130]) }),
  Schema.Struct({ does: Schema.Literal("store"), is: Schema.Literals(["up", "slow", "down"]) }),
  Schema.Struct({ does: Schema.Literal("origin"), is: Schema.Literals(["up", "slow", "down"]) })
])

const ttl = 100_000
const staleFor = 50_000

/** What a value says of itself: the key, the version of the origin's data, and when its load began. */
type Value = readonly [key: number, version: number, loadedAt: number]

for (const [title, options] of [
  ["plain", {}],
  ["entries", { format: "entries" as const }],
  ["with a memory that shelters", { memory: {}, staleFor }],
  [
    "with a memory that serves, stale values and refreshes",
    { memory: { ttl: "10 seconds" }, staleFor, refreshAhead: 0.8 }
  ],
  [
    "entries with stale values, refreshes and recovery",
    { format: "entries" as const, staleFor, refreshAhead: 0.5, recovery: {} }
  ]
] as const) {
  describe(`a cache, ${title}`, () => {
    it.effect.prop(
      "serves nothing of before an invalidation or past its time, and loads a key once at a time between invalidations",
      [Schema.Array(Step)],
      ([steps]) =>
        Effect.gen(function* () {
          const { loadMany, make, state } = yield* world
          const clock = yield* TestClock.testClockWith((test) => Effect.succeed(test))
          const now = () => clock.currentTimeMillisUnsafe()
          let origin: "up" | "slow" | "down" = "up"
          const versions = [0, 0, 0, 0]
          state.load = (id) =>
            Effect.suspend(() => {
              const value = [id, versions[id] ?? 0, now()]
              if (origin === "down") return Effect.fail("down" as const)
              return origin === "slow" ? Effect.delay(Effect.succeed(value), "1 second") : Effect.succeed(value)
            })
          const cache = yield* make({ loadMany, ...options })
          const check = (
            key: number,
            found: { readonly value: ReadonlyArray<number>; readonly source: string },
            since: number
          ) => {
            const [of, version, loadedAt] = found.value as unknown as Value
            assert.strictEqual(of, key)
            assert.isAtLeast(version, since, `${found.source} of before an invalidation`)
            const most = found.source === "stale" ? ttl + staleFor : ttl
            assert.isAtMost(now() - loadedAt, most + 1_000, `${found.source} past its time`)
            if (found.source === "stale") assert.isTrue("staleFor" in options)
          }
          const readers: Array<Fiber.Fiber<void>> = []
          const read = (keys: ReadonlyArray<number>, many: boolean) =>
            Effect.gen(function* () {
              const since = keys.map((key) => versions[key] ?? 0)
              const exits = many ? yield* cache.getMany(keys) : [yield* Effect.exit(cache.get(keys[0] ?? 0))]
              exits.forEach((exit, i) => {
                if (Exit.isSuccess(exit)) check(keys[i] ?? 0, exit.value, since[i] ?? 0)
                else assert.isTrue(Cause.hasFails(exit.cause))
              })
            })
          for (const step of steps) {
            if (step.does === "get")
              readers.push(yield* Effect.forkChild(read([step.key], false), { startImmediately: true }))
            else if (step.does === "getMany")
              readers.push(yield* Effect.forkChild(read(step.keys, true), { startImmediately: true }))
            else if (step.does === "peek") yield* Effect.forkChild(cache.peekMany(step.keys))
            else if (step.does === "wait") yield* TestClock.adjust(step.seconds * 1_000)
            else if (step.does === "store") state.store = step.is === "up" ? 0 : step.is === "slow" ? 5 : "down"
            else if (step.does === "origin") origin = step.is
            else {
              // A store that is down doesn't hear of it; then what it holds may come back, until its time is over.
              if (state.store === "down") continue
              versions[step.key] = (versions[step.key] ?? 0) + 1
              const telling = yield* Effect.forkChild(cache.invalidate([step.key]))
              yield* TestClock.adjust(10)
              yield* Fiber.join(telling)
            }
          }
          state.store = 0
          origin = "up"
          yield* TestClock.adjust(5_000)
          yield* Fiber.joinAll(readers)
          // A load that an invalidation made worthless ends beside the one that follows it.
          assert.isAtMost(state.most, 1 + Math.max(...versions))
          const { hits, loadErrors, loads } = yield* cache.stats
          assert.isAtMost(loadErrors, loads)
          assert.isAtLeast(hits.memory + hits.redis + hits.stale, 0)
        })
    )
  })
}
