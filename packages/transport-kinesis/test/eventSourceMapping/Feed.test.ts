import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/testing/TestClock"

import * as MappingEvent from "../../src/eventSourceMapping/MappingEvent.ts"
import * as Feed from "../../src/internal/feed.ts"

describe("the events of a mapping", () => {
  it.effect("regression: who falls behind on them misses the oldest, not the newest", () =>
    Effect.gen(function* () {
      const feed = yield* Feed.make(MappingEvent.none, MappingEvent.count)
      const met: Array<string> = []
      yield* feed.events.pipe(
        Stream.runForEach((event) => {
          if (event._tag === "ShardEnded") met.push(event.shardId)
          return met.length === 1 ? Effect.sleep("1 minute") : Effect.void
        }),
        Effect.forkScoped({ startImmediately: true })
      )
      for (let index = 0; index < 5000; index++) feed.emit({ _tag: "ShardEnded", shardId: String(index) })
      yield* TestClock.adjust("1 minute")
      assert.isBelow(met.length, 5000)
      assert.isAtLeast(met.length, Feed.room)
      assert.deepStrictEqual(met.slice(-2), ["4998", "4999"])
    })
  )
})
