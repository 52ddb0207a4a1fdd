/** What can happen to a Redis, each with real servers. */
import { RedisCluster } from "../../../scripts/redis-cluster.ts"
import { RedisSentinel } from "../../../scripts/redis-sentinel.ts"
import { RedisServer, tell } from "../../../scripts/redis-server.ts"
import { RedisWire } from "../../../scripts/redis-wire.ts"
import { freePort } from "../../../scripts/servers/loopback.ts"

/** Where the store under test finds its Redis. */
export interface Place {
  readonly mode?: "standalone" | "cluster" | "sentinel"
  readonly endpoints: ReadonlyArray<{ readonly host: string; readonly port: number }>
  readonly sentinel?: { readonly master: string }
}

/** A Redis that something happens to. */
export interface Patient {
  readonly place: Place
  /** Breaks it. */
  readonly strike: () => Promise<void>
  /** Makes it well again, and is done when it is. */
  readonly heal: () => Promise<void>
  /** How many MGETs its servers have run; `undefined` where it can't be said. */
  readonly reads: () => Promise<number | undefined>
  readonly stop: () => Promise<void>
}

export interface Fault {
  readonly name: string
  /** Whether it is broken before the store is made. */
  readonly atStart?: true
  readonly prepare: () => Promise<Patient>
}

const host = "127.0.0.1"

const at = (port: number): Place => ({ endpoints: [{ host, port }] })

/** The reads of a cache: all MGETs but those that its own scripts make, one each. */
const mgets = async (...ports: ReadonlyArray<number>): Promise<number> => {
  let sum = 0
  for (const port of ports) {
    const stats = await tell(port, "INFO", "commandstats").catch(() => "")
    sum += calls(stats, "mget") - calls(stats, "evalsha") - calls(stats, "eval")
  }
  return sum
}

const calls = (stats: string, command: string): number =>
  Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0)

/** One server, and what is done to it. */
const onServer =
  (
    strike: (server: RedisServer) => Promise<unknown>,
    heal: (server: RedisServer) => Promise<RedisServer | undefined>
  ): Fault["prepare"] =>
  async () => {
    let server = await RedisServer.start()
    const { port } = server
    return {
      place: at(port),
      strike: async () => void (await strike(server)),
      heal: async () => void (server = (await heal(server)) ?? server),
      reads: () => mgets(port),
      stop: () => server.kill()
    }
  }

/** One server, and what lies between. */
const onWire =
  (strike: (wire: RedisWire) => void, heal: (wire: RedisWire) => void): Fault["prepare"] =>
  async () => {
    const server = await RedisServer.start()
    const wire = await RedisWire.start(server.port)
    return {
      place: at(wire.port),
      strike: async () => strike(wire),
      heal: async () => heal(wire),
      reads: () => mgets(server.port),
      stop: async () => {
        await wire.stop()
        await server.kill()
      }
    }
  }

const restart = (server: RedisServer) => RedisServer.start({ port: server.port })

const nothing = async (): Promise<undefined> => undefined

const frozen = onServer(
  async (server) => server.freeze(),
  async (server) => {
    server.thaw()
    return undefined
  }
)

/** Another server that it can be a replica of. */
const demoted: Fault["prepare"] = async () => {
  const [server, other] = [await RedisServer.start(), await RedisServer.start()]
  return {
    place: at(server.port),
    strike: async () => void (await tell(server.port, "REPLICAOF", other.host, other.port)),
    heal: async () => void (await tell(server.port, "REPLICAOF", "NO", "ONE")),
    reads: () => mgets(server.port),
    stop: async () => void (await Promise.all([server.kill(), other.kill()]))
  }
}

const clusterNode: Fault["prepare"] = async () => {
  const cluster = await RedisCluster.start()
  const { nodes } = cluster
  const victim = nodes[1]
  if (victim === undefined) throw new Error("a cluster of one node")
  return {
    place: { mode: "cluster", endpoints: nodes.map(({ port }) => ({ host, port })) },
    strike: async () => victim.freeze(),
    heal: async () => victim.thaw(),
    reads: () => mgets(...nodes.map(({ port }) => port)),
    stop: cluster.stop
  }
}

const failover: Fault["prepare"] = async () => {
  const watched = await RedisSentinel.start()
  return {
    place: {
      mode: "sentinel",
      endpoints: watched.sentinels.map(({ port }) => ({ host, port })),
      sentinel: { master: watched.name }
    },
    strike: () => watched.primary.kill(),
    heal: watched.failedOver,
    // The new primary has no reads of before.
    reads: async () => undefined,
    stop: watched.stop
  }
}

export const killed: Fault["prepare"] = onServer((server) => server.kill(), restart)

export const faults: ReadonlyArray<Fault> = [
  { name: "none, for comparison", prepare: onServer(nothing, nothing) },
  {
    name: "refused at boot",
    atStart: true,
    prepare: async () => {
      const port = await freePort()
      let server: RedisServer | undefined
      return {
        place: at(port),
        strike: async () => {},
        heal: async () => void (server = await RedisServer.start({ port })),
        reads: () => mgets(port),
        stop: async () => {
          await server?.kill()
        }
      }
    }
  },
  { name: "killed, later restarted", prepare: killed },
  { name: "frozen (SIGSTOP)", prepare: frozen },
  {
    name: "black hole (half-open)",
    prepare: onWire(
      (wire) => (wire.blackHole = true),
      (wire) => (wire.blackHole = false)
    )
  },
  { name: "READONLY (made a replica)", prepare: demoted },
  {
    name: "out of memory",
    prepare: onServer(
      ({ port }) => tell(port, "CONFIG", "SET", "maxmemory", "1"),
      async ({ port }) => {
        await tell(port, "CONFIG", "SET", "maxmemory", "0")
        return undefined
      }
    )
  },
  {
    name: "slow, 200 ms a reply",
    prepare: onWire(
      (wire) => (wire.delay = 200),
      (wire) => (wire.delay = 0)
    )
  },
  { name: "cluster: one node of three frozen", prepare: clusterNode },
  { name: "sentinel: primary killed", prepare: failover }
]
