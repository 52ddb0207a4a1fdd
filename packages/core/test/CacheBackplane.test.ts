import { assert, describe, it } from "@effect/vitest"
import * as CacheBackplane from "@leat/core/CacheBackplane"
import * as CacheBackplaneSuite from "@leat/core/testing/CacheBackplaneSuite"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"

CacheBackplaneSuite.suite("memory", CacheBackplane.makeMemory)

describe("a listener that is too slow", () => {
  it.live("is told that it missed something, and costs bounded memory", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const heard: Array<CacheBackplane.Message> = []
      const connect = yield* CacheBackplane.makeMemory
      const [mine, slow] = [yield* connect, yield* connect]
      const note = (message: CacheBackplane.Message) =>
        Effect.andThen(
          Deferred.await(gate),
          Effect.sync(() => heard.push(message))
        )
      yield* Effect.forkScoped(Stream.runForEach(slow.messages, note), { startImmediately: true })
      yield* Effect.sleep(10)
      for (let at = 0; at < 5_000; at++) yield* mine.publish(["a"], at)
      yield* Deferred.succeed(gate, undefined)
      yield* Effect.sleep(50)
      assert.isAtMost(heard.length, 2_100)
      assert.isTrue(heard.some(({ _tag }) => _tag === "Gap"))
      assert.deepStrictEqual(heard.at(-1), { _tag: "Forgotten", keys: ["a"], at: 4_999 })
    }).pipe(Effect.scoped)
  )
})
