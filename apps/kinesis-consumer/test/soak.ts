/**
 * A fleet for as long as you like: `node apps/kinesis-consumer/test/soak.ts --minutes 10 [--kind redis] [--rate 300]`.
 *
 * Events come all the time; one incident follows the other, each when the fleet has recovered from the last one. Prints what
 * came of it, and ends with 1 where an event was lost, came twice into the journal, or out of its order.
 */
import { parseArgs } from "node:util"

import * as Effect from "effect/Effect"

import { PostgresServer } from "../../../scripts/postgres-server.ts"
import { RedisServer } from "../../../scripts/redis-server.ts"
import * as World from "./fleet/World.ts"

const { values } = parseArgs({
  options: {
    minutes: { type: "string", default: "10" },
    kind: { type: "string", default: "postgres" },
    rate: { type: "string", default: "300" }
  }
})
const kind = values.kind === "redis" ? "redis" : "postgres"
const until = performance.now() + Number(values.minutes) * 60_000

const incidents: Array<World.Incident> = []

let started = 3

/** In turn, so that a short run has seen each. */
const next = async (world: World.World, turn: number): Promise<World.Incident> => {
  const machines = [...world.fleet.running.keys()]
  const victim = machines[Math.floor(Math.random() * machines.length)] ?? ""
  switch (turn % 4) {
    case 0:
      return World.kill(world, victim, `m${started++}`)
    case 1:
      return World.merge(world, Math.floor(Math.random() * 8))
    case 2:
      return World.freeze(world, victim)
    default:
      return World.replace(world, victim, `m${started++}`)
  }
}

const live = async (world: World.World): Promise<void> => {
  for (const machine of ["m0", "m1", "m2"]) world.fleet.start(machine)
  await World.even(world, 3)
  world.feed.begin(Number(values.rate))
  for (let turn = 0; performance.now() < until; turn++) {
    await World.pause(500 + Math.random() * 1_500)
    const incident = await next(world, turn)
    incidents.push(incident)
    console.log(
      `${incident.what}: ${incident.shards} shards, after ${Math.round(incident.takenAfter)} ms; ${world.feed.total} events so far`
    )
    await World.even(world, 3)
  }
  await world.feed.end()
  await world.drained(60_000)
  await world.fleet.leave()
}

const table = (): ReadonlyArray<object> =>
  [...Map.groupBy(incidents, ({ what }) => what)].map(([what, all]) => {
    const times = all.map(({ takenAfter }) => takenAfter).toSorted((a, b) => a - b)
    return {
      incident: what,
      times: all.length,
      shards: all.reduce((sum, { shards }) => sum + shards, 0),
      "p50 ms": Math.round(times[Math.floor(times.length / 2)] ?? 0),
      "max ms": Math.round(times.at(-1) ?? 0)
    }
  })

const program = Effect.gen(function* () {
  const [postgres, redis] = yield* Effect.acquireRelease(
    Effect.promise(() => Promise.all([PostgresServer.start(), RedisServer.start()])),
    (servers) => Effect.promise(() => Promise.all(servers.map((server) => server.stop())))
  )
  const world = yield* World.make({
    kind,
    postgres: postgres.url,
    redis: `redis://${redis.host}:${redis.port}`,
    namespace: "soak"
  })
  yield* Effect.promise(() => live(world))
  const verdict = yield* Effect.promise(() => world.verdict())
  console.table(table())
  console.table({
    ...verdict,
    "repeats at most": World.mostRepeats(incidents),
    "redelivered and absorbed": world.fleet.settled - verdict.events
  })
  const { lost, outOfOrder, outcomesTwice, repeats } = verdict
  if (lost + outcomesTwice + outOfOrder > 0 || repeats > World.mostRepeats(incidents)) process.exitCode = 1
}).pipe(Effect.scoped)

await Effect.runPromise(program)
