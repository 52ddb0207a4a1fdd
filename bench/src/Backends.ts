import { once } from "node:events"
import { fileURLToPath } from "node:url"

import { Redis } from "ioredis"

import { RedisServer } from "../../scripts/redis-server.ts"
import * as Cores from "./Cores.ts"
import { inTurn, times } from "./inTurn.ts"
import type { Surroundings } from "./Program.ts"
import { hitUsers, keyOf, listOf, topN } from "./workload.ts"

/** How the recommender behaves in a scenario. */
export interface RecommenderBehaviour {
  /** Time until it answers: 0 or 20 milliseconds. */
  readonly delayMilliseconds: 0 | 20
  /** Whether it has `POST /internal/recommend`; without it that is a 404. */
  readonly batch: boolean
}

/** A real Redis and a stub recommender, both on the core that is not measured. */
export interface Backends {
  readonly redis: Redis
  readonly surroundings: (behaviour: RecommenderBehaviour) => Surroundings
  /** Empties the cache and puts in the lists of all hit users. */
  readonly fill: () => Promise<void>
  /** How many keys were read so far: shows that two programs did the same look-ups. */
  readonly reads: () => Promise<number>
  readonly close: () => Promise<void>
}

const host = "127.0.0.1"

const behaviours: ReadonlyArray<RecommenderBehaviour> = [
  { delayMilliseconds: 0, batch: false },
  { delayMilliseconds: 0, batch: true },
  { delayMilliseconds: 20, batch: false },
  { delayMilliseconds: 20, batch: true }
]

const nameOf = ({ delayMilliseconds, batch }: RecommenderBehaviour) => `${delayMilliseconds}${batch ? ",batch" : ""}`

/** Starts both. Throws with advice when there is no Redis server on this machine. */
export const start = async (): Promise<Backends> => {
  const server = await startRedis()
  const stub = await startStub()
  const { redis } = server
  return {
    redis,
    surroundings: (behaviour) => ({
      recommender: `http://${host}:${stub.portOf(nameOf(behaviour))}`,
      redisHost: host,
      redisPort: server.port
    }),
    fill: () => fill(redis),
    reads: async () => readsIn(await redis.info("stats")),
    close: async () => {
      stub.process.disconnect()
      await server.stop()
    }
  }
}

const startRedis = async () => {
  const server = await RedisServer.start()
  Cores.pin(Cores.others, server.pid)
  const redis = new Redis({ host: server.host, port: server.port })
  return {
    port: server.port,
    redis,
    stop: async () => {
      redis.disconnect()
      await server.stop()
    }
  }
}

const startStub = async () => {
  const program = fileURLToPath(new URL("stub.ts", import.meta.url))
  const names = behaviours.map(nameOf)
  const child = Cores.start(Cores.others, process.execPath, [program, ...names], {
    stdio: ["ignore", "inherit", "inherit", "ipc"]
  })
  const [ports]: ReadonlyArray<ReadonlyArray<number>> = await once(child, "message")
  return { process: child, portOf: (name: string) => ports?.[names.indexOf(name)] ?? 0 }
}

const fill = async (redis: Redis) => {
  await redis.flushall()
  const pipelineSize = 500
  await inTurn(times(hitUsers / pipelineSize), (pipeline) => {
    const writes = redis.pipeline()
    for (const place of times(pipelineSize)) {
      const user = pipeline * pipelineSize + place + 1
      writes.setex(keyOf(user, topN), 3600, JSON.stringify(listOf(user, topN)))
    }
    return writes.exec()
  })
}

/** `keyspace_hits` and `keyspace_misses` of `INFO stats` (redis.io/docs/latest/commands/info) count keys, not commands. */
const readsIn = (info: string) =>
  [...info.matchAll(/keyspace_(?:hits|misses):(\d+)/g)].reduce((sum, match) => sum + Number(match[1]), 0)
