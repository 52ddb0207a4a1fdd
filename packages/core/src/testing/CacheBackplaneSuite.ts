/**
 * What every {@link CacheBackplane.CacheBackplane} must do, as tests.
 *
 * @since 0.1.0
 */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import * as Cache from "../Cache.ts"
import * as CacheBackplane from "../CacheBackplane.ts"
import * as CacheCodec from "../CacheCodec.ts"
import * as CacheStore from "../CacheStore.ts"

/**
 * Runs the suite. `connect` gives one more connection to the same backplane; `hub` is made anew for every test.
 *
 * @category constructors
 * @since 0.1.0
 */
export const suite = (
  name: string,
  hub: Effect.Effect<Effect.Effect<CacheBackplane.CacheBackplane, never, Scope.Scope>, never, Scope.Scope>
): void => {
  const two = Effect.flatMap(hub, (connect) => Effect.zip(connect, connect))
  describe(`CacheBackplane on ${name}`, () => {
    it.live("tells the others, in order, and not oneself", () =>
      Effect.gen(function* () {
        const [mine, other] = yield* two
        const [own, heard] = [yield* listen(mine), yield* listen(other)]
        for (let i = 0; i < 20; i++) yield* mine.publish([`key:${i}`, "ключ"], 1_000 + i)
        yield* until(() => heard.keys.length === 40)
        assert.deepStrictEqual(
          heard.keys.filter((key) => key !== "ключ"),
          Array.from({ length: 20 }, (_, i) => `key:${i}`)
        )
        assert.deepStrictEqual(heard.times.slice(0, 2), [1_000, 1_001])
        assert.deepStrictEqual(own.keys, [])
      }).pipe(Effect.scoped)
    )

    it.live("tells many keys at once, and nothing of none", () =>
      Effect.gen(function* () {
        const [mine, other] = yield* two
        const heard = yield* listen(other)
        yield* mine.publish([], 1)
        yield* mine.publish(
          Array.from({ length: 10_000 }, (_, i) => `key:${i}`),
          1
        )
        yield* until(() => heard.keys.length === 10_000)
      }).pipe(Effect.scoped)
    )

    it.live("makes a value that another cache forgot be loaded anew, also one that is being loaded", () =>
      Effect.gen(function* () {
        const [mine, other] = yield* two
        let version = 1
        const of = (backplane: CacheBackplane.CacheBackplane) =>
          Cache.make({
            key: (id: number) => `suite:${id}`,
            codec: CacheCodec.ints(),
            memory: { ttl: "1 hour" },
            load: (id) =>
              Effect.suspend(() => {
                const loaded = [id, version]
                return Effect.delay(Effect.succeed(loaded), id === 2 ? 300 : 0)
              })
          }).pipe(Effect.provideService(CacheBackplane.CacheBackplane, backplane))
        // Each has a store of its own: it is the memories that must hear of each other.
        const first = yield* Effect.provide(of(mine), CacheStore.layerMemory())
        const second = yield* Effect.provide(of(other), CacheStore.layerMemory({ maxEntries: 0 }))
        yield* Effect.sleep(200)
        assert.deepStrictEqual((yield* second.get(1)).value, [1, 1])
        const loading = yield* Effect.forkChild(second.get(2), { startImmediately: true })
        yield* Effect.sleep(20)
        version = 2
        yield* first.invalidate([1, 2])
        for (let tries = 0; (yield* second.stats).told < 2; tries++) {
          assert.isBelow(tries, 500, "not heard in time")
          yield* Effect.sleep(5)
        }
        assert.deepStrictEqual((yield* second.get(1)).value, [1, 2])
        assert.deepStrictEqual((yield* Fiber.join(loading)).value, [2, 1])
        assert.deepStrictEqual((yield* second.get(2)).value, [2, 2])
      }).pipe(Effect.scoped)
    )
  })
}

interface Heard {
  readonly keys: Array<string>
  readonly times: Array<number>
  gaps: number
}

/** Listens until the scope ends; ready when it begins, or has said that it may have missed something before. */
const listen = Effect.fnUntraced(function* (backplane: CacheBackplane.CacheBackplane) {
  const heard: Heard = { keys: [], times: [], gaps: 0 }
  const note = (message: CacheBackplane.Message) =>
    Effect.sync(() => {
      if (message._tag === "Gap") heard.gaps++
      else {
        heard.keys.push(...message.keys)
        heard.times.push(message.at)
      }
    })
  yield* Effect.forkScoped(Stream.runForEach(backplane.messages, note), { startImmediately: true })
  yield* Effect.sleep(200)
  return heard
})

const until = (done: () => boolean): Effect.Effect<void> =>
  Effect.gen(function* () {
    for (let tries = 0; !done(); tries++) {
      assert.isBelow(tries, 500, "not heard in time")
      yield* Effect.sleep(10)
    }
  })
