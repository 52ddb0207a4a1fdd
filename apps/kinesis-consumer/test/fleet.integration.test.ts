/** Three processes, eight shards, and all that may befall them while events come: on PostgreSQL, and on Redis. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { inject } from "vitest"

import type * as Counting from "./fleet/Counting.ts"
import * as World from "./fleet/World.ts"

const places = (kind: Counting.Places["kind"]) => ({
  kind,
  postgres: inject("postgres").url,
  redis: inject("redis").url,
  namespace: `fleet-${kind}-${globalThis.crypto.randomUUID()}`
})

const live = (
  kind: Counting.Places["kind"],
  machines: ReadonlyArray<string>,
  perSecond: number,
  story: (world: World.World) => Promise<ReadonlyArray<World.Incident>>
) =>
  Effect.gen(function* () {
    const world = yield* World.make(places(kind))
    const { feed, fleet } = world
    yield* Effect.promise(async () => {
      for (const name of machines) fleet.start(name)
      await World.even(world, machines.length)
      feed.begin(perSecond)
      await World.pause(500)
      const incidents = await story(world)
      await World.even(world, machines.length)
      await feed.end()
      await world.drained(60_000)
      await fleet.leave()
      const verdict = await world.verdict()
      assert.deepInclude(verdict, { lost: 0, outcomesTwice: 0, outOfOrder: 0 })
      assert.isAtMost(verdict.repeats, World.mostRepeats(incidents))
      assert.isAbove(verdict.events, 500)
      assert.deepStrictEqual([...fleet.ended.values()].toSorted(), [...machines.map(() => 0), "SIGKILL"])
    })
  }).pipe(Effect.scoped)

describe.concurrent("a fleet of consumers", { timeout: 180_000 }, () => {
  it.live(
    "T33, T40, T41: kill -9, a process that stood still and a reshard lose nothing and mix up no key, on PostgreSQL",
    () =>
      live("postgres", ["a", "b", "c"], 150, async (world) => [
        await World.kill(world, "a", "d"),
        await World.merge(world, 1),
        await World.freeze(world, "b")
      ])
  )

  it.live("T33, T40: kill -9 and a process that stood still, with leases and checkpoints on Redis", () =>
    live("redis", ["a", "b"], 75, async (world) => [await World.freeze(world, "a"), await World.kill(world, "b", "c")])
  )
})
