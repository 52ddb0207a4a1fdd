import { assert, describe, it } from "@effect/vitest"
import * as CacheStore from "@leat/core/CacheStore"
import * as Deadline from "@leat/core/Deadline"
import * as Delivery from "@leat/core/Delivery"
import * as Journal from "@leat/core/Journal"
import * as RetryPolicy from "@leat/core/RetryPolicy"
import * as RecommendationCache from "@leat/recommender/RecommendationCache"
import * as Recommendations from "@leat/recommender/Recommendations"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as Recommender from "@leat/recommender/Recommender"
import type { RecommendRequest } from "@leat/recommender/Recommender"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Context from "effect/Context"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/testing/TestClock"

const down = new Recommender.RecommenderError({ reason: "Unavailable", message: "down", retryable: true })

/** A recommender and a store that say what they were asked. */
const watched = (
  options: { readonly fails?: (request: RecommendRequest, call: number) => boolean; readonly takes?: number } = {}
) => {
  const log: Array<string> = []
  let calls = 0
  const answer = (request: RecommendRequest) =>
    options.fails?.(request, calls) === true ? Exit.fail(down) : Exit.succeed([request.user_id * 10, request.top_n])
  const wait = options.takes === undefined ? Effect.void : Effect.sleep(options.takes)
  const recommender = Layer.succeed(Recommender.Recommender, {
    model: () => "test",
    recommend: (request) =>
      Effect.suspend(() => {
        calls += 1
        log.push(`recommend ${request.user_id}`)
        return Effect.andThen(wait, answer(request))
      }),
    popular: () => Effect.succeed([]),
    recommendMany: (requests) =>
      Effect.suspend(() => {
        calls += 1
        log.push(`recommendMany ${requests.map((request) => `${request.user_id}/${request.top_n}`).join(" ")}`)
        const answers = requests.map(answer)
        return Effect.as(wait, answers)
      })
  })
  const store = Layer.effect(
    CacheStore.CacheStore,
    Effect.map(CacheStore.CacheStore, (inner) => ({
      ...inner,
      getMany: (keys: ReadonlyArray<string>) => {
        log.push(`getMany ${keys.length}`)
        return inner.getMany(keys)
      },
      setMany: (entries: ReadonlyArray<CacheStore.Entry>) => {
        log.push(`setMany ${entries.map((entry) => entry.key).join(" ")}`)
        return inner.setMany(entries)
      }
    }))
  ).pipe(Layer.provide(CacheStore.layerMemory()))
  const layer = Recommendations.layer({ fallback: "none" }).pipe(
    Layer.provide([recommender, store]),
    Layer.provideMerge([Journal.layerNone, RequestEvents.layer(RequestEvents.make())])
  )
  return { layer, log }
}

const request = (user_id: number, id: string, top_n?: number) =>
  JSON.stringify({
    user_id,
    request_id: id,
    timestamp: "2026-11-23T00:00:00Z",
    ...(top_n === undefined ? {} : { top_n })
  })

const batchOf = (...bodies: ReadonlyArray<string>) =>
  bodies.map((bytes, index) => Delivery.make({ position: String(index + 1), bytes }))

const servedBy = (
  outcome: { readonly _tag: string; readonly emitted?: ReadonlyArray<{ readonly payload: unknown }> } | undefined
) => {
  const payload = outcome?.emitted?.[0]?.payload as
    | { readonly source: string; readonly recommendations: ReadonlyArray<number> }
    | undefined
  return payload === undefined ? outcome?._tag : `${payload.source} ${payload.recommendations.join("/")}`
}

describe("the recommendation worker", () => {
  it.effect("costs a batch one read, one call for what is missing and one write", () => {
    const { layer, log } = watched()
    return Effect.gen(function* () {
      const cold = yield* recommendations.process(batchOf(request(1, "a"), request(2, "b", 5), request(1, "c")))
      assert.deepStrictEqual(cold.outcomes.map(servedBy), ["origin 10/20", "origin 20/5", "origin 10/20"])
      assert.deepStrictEqual(log, ["getMany 3", "recommendMany 1/20 2/5", "setMany rec:user:1:top20 rec:user:2:top5"])
      log.length = 0
      const warm = yield* recommendations.process(batchOf(request(1, "d"), request(2, "e", 5), request(2, "f", 6)))
      assert.deepStrictEqual(warm.outcomes.map(servedBy), ["memory 10/20", "memory 20/5", "origin 20/6"])
      assert.deepStrictEqual(log, ["getMany 3", "recommend 2", "setMany rec:user:2:top6"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("settles hits without waiting for misses", () => {
    const { layer } = watched({ takes: 1_000 })
    return Effect.gen(function* () {
      const first = yield* Effect.forkChild(recommendations.process(batchOf(request(1, "a"))))
      yield* TestClock.adjust("1 second")
      yield* Fiber.join(first)
      const second = yield* recommendations
        .process(batchOf(request(2, "b"), request(1, "c")))
        .pipe(Effect.provideService(Deadline.Deadline, 1_000 + 700), Effect.forkChild)
      yield* TestClock.adjust("300 millis")
      const { outcomes, settledPrefix } = yield* Fiber.join(second)
      assert.deepStrictEqual([outcomes[0]?._tag, servedBy(outcomes[1])], ["Failed", "memory 10/20"])
      assert.strictEqual(settledPrefix, 0)
    }).pipe(Effect.provide(layer))
  })

  it.effect("fails the user whose ranking could not be had, and no other", () => {
    const { layer, log } = watched({ fails: ({ user_id }) => user_id === 2 })
    return Effect.gen(function* () {
      const { outcomes } = yield* recommendations.process(
        batchOf(request(1, "a"), request(2, "b"), request(3, "c"), request(2, "d"))
      )
      assert.deepStrictEqual(outcomes.map(servedBy), ["origin 10/20", "Failed", "origin 30/20", "Unstarted"])
      assert.strictEqual(log.at(-1), "setMany rec:user:1:top20 rec:user:3:top20")
    }).pipe(Effect.provide(layer))
  })

  it.effect("regression: a retried handler asks again, not for the failure that prepare met", () => {
    const { layer, log } = watched({ fails: (_, call) => call === 1 })
    return Effect.gen(function* () {
      const fiber = yield* Effect.forkChild(recommendations.process(batchOf(request(1, "a"))))
      yield* TestClock.adjust("10 seconds")
      const { outcomes } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(outcomes.map(servedBy), ["origin 10/20"])
      assert.deepStrictEqual(
        log.filter((line) => line.startsWith("recommend")),
        ["recommend 1", "recommend 1"]
      )
    }).pipe(Effect.provide([layer, RetryPolicy.layer({ attempts: 3 })]))
  })

  it.effect("gives up the load with the batch when the time runs out", () => {
    const { layer, log } = watched({ takes: 60_000 })
    return Effect.gen(function* () {
      const fiber = yield* recommendations
        .process(batchOf(request(1, "a")))
        .pipe(Effect.provideService(Deadline.Deadline, 2_000), Effect.forkChild)
      yield* TestClock.adjust("1500 millis")
      const { outcomes } = yield* Fiber.join(fiber)
      assert.deepStrictEqual(outcomes.map(servedBy), ["Failed"])
      yield* TestClock.adjust("1 minute")
      assert.isFalse(
        log.some((line) => line.startsWith("setMany")),
        "nothing is written after the batch"
      )
    }).pipe(Effect.provide(layer))
  })
})

describe("Recommendations", () => {
  it.effect("reads through the cache, one user at a time", () => {
    const { layer } = watched()
    return Effect.gen(function* () {
      const { forUser, invalidate } = yield* Recommendations.Recommendations
      const sources = [(yield* forUser(7)).source, (yield* forUser(7)).source]
      yield* invalidate(7, [20])
      sources.push((yield* forUser(7)).source)
      assert.deepStrictEqual(sources, ["origin", "memory", "origin"])
    }).pipe(Effect.provide(layer))
  })

  it.effect("serves a user who was not prefetched all the same", () => {
    const { layer } = watched()
    return Effect.scoped(
      Effect.gen(function* () {
        const prepared = yield* Recommendations.prefetch([{ user_id: 1 }])
        const { forUser } = Context.get(prepared, Recommendations.Recommendations)
        assert.deepStrictEqual((yield* forUser(2, 3)).recommendations, [20, 3])
      })
    ).pipe(Effect.provide(layer))
  })
})

describe("a recommender that is down", () => {
  const world = (popular: ReadonlyArray<number> | undefined) => {
    const state = { up: true, popularCalls: 0, error: down }
    const answer = (request: RecommendRequest) => (state.up ? Exit.succeed([request.user_id]) : Exit.fail(state.error))
    const recommender = Recommender.make(
      (request) => Effect.suspend(() => answer(request)),
      () =>
        Effect.suspend(() => {
          state.popularCalls++
          return popular === undefined || !state.up ? Exit.fail(down) : Exit.succeed(popular)
        })
    )
    const layer = Recommendations.layer({ ttl: "1 minute", staleFor: "1 hour" }).pipe(
      Layer.provide([Layer.succeed(Recommender.Recommender, recommender), CacheStore.layerMemory()]),
      Layer.provideMerge([Journal.layerNone, RequestEvents.layer(RequestEvents.make())])
    )
    return { state, layer }
  }

  it.effect(
    "is made up for with what is stale, then with the popular films, and never asked for them meanwhile",
    () => {
      const { layer, state } = world([3, 1, 2])
      return Effect.gen(function* () {
        const { forUser } = yield* Recommendations.Recommendations
        assert.strictEqual((yield* forUser(1, 2)).source, "origin")
        assert.strictEqual(state.popularCalls, 1)
        state.up = false
        yield* TestClock.adjust("2 minutes")
        const stale = yield* forUser(1, 2)
        assert.deepInclude(stale, { source: "stale", recommendations: [1], age: 120_000 })
        assert.deepInclude(yield* forUser(2, 2), { source: "fallback", recommendations: [3, 1] })
        assert.strictEqual(state.popularCalls, 1)
        const { outcomes } = yield* recommendations.process(batchOf(request(1, "a", 2), request(3, "b", 1)))
        assert.deepStrictEqual(outcomes.map(servedBy), ["stale 1", "fallback 3"])
        state.up = true
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual([(yield* forUser(1, 2)).source, (yield* forUser(2, 2)).source], ["origin", "origin"])
        assert.strictEqual(state.popularCalls, 1, "its own copy is still fresh")
      }).pipe(Effect.provide(layer))
    }
  )

  it.effect("fails where nobody knows the popular films", () => {
    const { layer, state } = world(undefined)
    return Effect.gen(function* () {
      const { forUser } = yield* Recommendations.Recommendations
      yield* forUser(1)
      state.up = false
      assert.deepStrictEqual(yield* Effect.exit(forUser(2)), Exit.fail(down))
    }).pipe(Effect.provide(layer))
  })

  it.effect("that refuses is not made up for: the fault must be seen", () => {
    const { layer, state } = world([3, 1, 2])
    return Effect.gen(function* () {
      const { forUser } = yield* Recommendations.Recommendations
      yield* forUser(1)
      state.up = false
      state.error = new Recommender.RecommenderError({ reason: "Refused", message: "no", retryable: false })
      assert.deepStrictEqual(yield* Effect.exit(forUser(2)), Exit.fail(state.error))
    }).pipe(Effect.provide(layer))
  })
})

describe("the settings of the cache", () => {
  const read = (env: Record<string, string>, defaults: RecommendationCache.Defaults = {}) =>
    RecommendationCache.config(defaults).parse(ConfigProvider.fromEnv({ env }))

  it.effect("are those of the contract by default", () =>
    Effect.gen(function* () {
      const { ttl, ...options } = yield* read({})
      assert.strictEqual(Duration.toSeconds(ttl ?? 0), 3_600)
      assert.deepInclude(options, { format: "json", fallback: "popular", memory: undefined, recovery: undefined })
      const service = yield* read({}, { memoryEntries: 5, longRunning: true })
      assert.strictEqual(service.memory?.maxEntries, 5)
      assert.deepStrictEqual(service.recovery, {})
    })
  )

  for (const [name, value] of [
    ["CACHE_TTL", "0"],
    ["CACHE_FORMAT", "xml"],
    ["CACHE_STALE", "-1"],
    ["CACHE_MEMORY_ENTRIES", "many"],
    ["CACHE_MEMORY_TTL", "1.5"],
    ["CACHE_REFRESH_AHEAD", "2"],
    ["FALLBACK", "maybe"]
  ] as const) {
    it.effect(`refuse ${name}=${value} by name`, () =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(read({ [name]: value }))
        assert.include(error.message, name)
      })
    )
  }
})

describe("RequestEvents", () => {
  const read = (settings: RequestEvents.RequestEvents, body: object) => {
    const decoded = settings.codec.decode(Buffer.from(JSON.stringify(body)))
    return "reason" in decoded ? decoded.message : decoded.type
  }

  it("bounds top_n by the deployment", () => {
    const settings = RequestEvents.make({ maxTopN: 50 })
    assert.strictEqual(read(settings, { top_n: 50 }), "RecommendationRequested")
    assert.match(read(settings, { top_n: 51 }), /between 1 and 50[\s\S]*top_n/)
  })

  it("names the other faults of a request beside its top_n", () => {
    const message = read(RequestEvents.make(), { user_id: "7", top_n: 0, request_id: "a" })
    assert.match(message, /user_id[\s\S]*timestamp[\s\S]*between 1 and 100[\s\S]*top_n/)
    assert.strictEqual(message.match(/top_n/g)?.length, 1)
  })

  it("puts one user's requests on one shard", () => {
    const payload = { user_id: 7, request_id: "a", timestamp: "2026-11-23T00:00:00Z" }
    const envelope = RequestEvents.envelope(RequestEvents.make(), payload)
    assert.deepStrictEqual([envelope.key, envelope.id, envelope.data], ["user-7", "a", payload])
  })
})
