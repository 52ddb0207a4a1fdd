import { assert, describe, it } from "@effect/vitest"
import type { Message } from "@leat/core/CacheBackplane"
import * as CacheBackplaneSuite from "@leat/core/testing/CacheBackplaneSuite"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { inject } from "vitest"

import { RedisServer, tell } from "../../../scripts/redis-server.ts"
import * as RedisBackplane from "../src/RedisBackplane.ts"

const { hostname: host, port } = new URL(inject("redis").url)
const shared = { host, port: Number(port) }

CacheBackplaneSuite.suite(
  "Redis",
  Effect.sync(() => RedisBackplane.make({ ...shared, channel: `suite:${globalThis.crypto.randomUUID()}` }))
)

const listen = Effect.fnUntraced(function* (backplane: { readonly messages: Stream.Stream<Message> }) {
  const heard: Array<string> = []
  const note = (message: Message) =>
    Effect.sync(() => heard.push(message._tag === "Gap" ? "gap" : message.keys.join(" ")))
  yield* Effect.forkScoped(Stream.runForEach(backplane.messages, note), { startImmediately: true })
  return heard
})

const until = Effect.fnUntraced(function* (done: () => boolean) {
  for (let tries = 0; !done(); tries++) {
    assert.isBelow(tries, 500, "not in time")
    yield* Effect.sleep(10)
  }
})

const server = (at?: number) =>
  Effect.acquireRelease(
    Effect.promise(() => RedisServer.start(at === undefined ? {} : { port: at })),
    (started) => Effect.promise(() => started.kill())
  )

describe("a backplane whose Redis dies", () => {
  it.live("fails to publish at once, and says that something may be missed when it is back", () =>
    Effect.gen(function* () {
      const first = yield* server()
      const [mine, other] = [yield* RedisBackplane.make(first), yield* RedisBackplane.make(first)]
      const heard = yield* listen(other)
      yield* until(() => heard.length === 1)
      yield* mine.publish(["a"], 1)
      yield* until(() => heard.length === 2)
      yield* Effect.promise(() => first.kill())
      const start = performance.now()
      assert.strictEqual((yield* Effect.flip(mine.publish(["lost"], 2))).reason, "Closed")
      assert.isBelow(performance.now() - start, 150)
      yield* server(first.port)
      yield* until(() => heard.length === 3)
      yield* Effect.retry(mine.publish(["b"], 3), Schedule.spaced("10 millis"))
      yield* until(() => heard.length >= 4)
      assert.deepStrictEqual(heard, ["gap", "a", "gap", "b"])
    }).pipe(Effect.scoped)
  )
})

describe("a channel on which others publish", () => {
  it.live("is listened to all the same, and is spoken of once", () => {
    const logs: Array<string> = []
    const logger = Logger.make(({ message }) => void logs.push(String(message)))
    return Effect.gen(function* () {
      const own = yield* server()
      const backplane = yield* RedisBackplane.make(own)
      const heard = yield* listen(backplane)
      yield* until(() => heard.length === 1)
      for (const text of ["hello", "[1]", "{}"]) {
        yield* Effect.promise(() => tell(own.port, "PUBLISH", "leat:cache", text))
      }
      yield* Effect.promise(() => tell(own.port, "PUBLISH", "leat:cache", `'[1,"other",5,"key"]'`))
      yield* until(() => heard.length === 2)
      assert.deepStrictEqual(heard, ["gap", "key"])
      assert.deepStrictEqual(logs, ["what is no message of a cache comes on leat:cache"])
    }).pipe(Effect.scoped, Effect.provide(Logger.layer([logger])))
  })

  it.live("has no listener left when the scope has ended", () =>
    Effect.gen(function* () {
      const own = yield* server()
      yield* Effect.scoped(
        Effect.gen(function* () {
          const heard = yield* listen(yield* RedisBackplane.make(own))
          yield* until(() => heard.length === 1)
        })
      )
      yield* Effect.sleep(50)
      const clients = yield* Effect.promise(() => tell(own.port, "CLIENT", "LIST"))
      assert.strictEqual(
        clients
          .trim()
          .split("\n")
          .filter((line) => line.startsWith("id=")).length,
        1,
        clients
      )
    }).pipe(Effect.scoped)
  )
})
