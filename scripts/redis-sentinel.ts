/** A primary with a replica, watched by three sentinels, of a test's own. */
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"

import { RedisServer, tell } from "./redis-server.ts"
import { freePort } from "./servers/loopback.ts"
import { temporaryDir } from "./servers/temporary-dir.ts"

/** What the sentinels call the primary. */
const name = "leat"

/** Running servers. */
export interface RedisSentinel {
  readonly name: string
  readonly primary: RedisServer
  readonly replica: RedisServer
  readonly sentinels: ReadonlyArray<RedisServer>
  /** The port of the primary, as the first sentinel that answers sees it. */
  readonly master: () => Promise<number>
  /** Waits until the sentinels have made the replica the primary. */
  readonly failedOver: () => Promise<void>
  readonly stop: () => Promise<void>
}

export const RedisSentinel = {
  /** Starts them and waits until each sentinel knows the replica and the other sentinels. */
  async start(): Promise<RedisSentinel> {
    const servers: Array<RedisServer> = []
    const dir = temporaryDir("leat-sentinel-")
    const stop = async () => void (await Promise.all(servers.map((server) => server.kill())).finally(dir.discard))
    try {
      const add = async (flags: ReadonlyArray<string>): Promise<RedisServer> => {
        const server = await RedisServer.start({ port: await freePort(), flags })
        servers.push(server)
        return server
      }
      const primary = await add([])
      const replica = await add(["--replicaof", `${primary.host} ${primary.port}`, "--repl-diskless-sync-delay", "0"])
      while (!(await tell(replica.port, "INFO", "replication")).includes("master_link_status:up")) await sleep(20)
      const sentinels: Array<RedisServer> = []
      for (const number of [1, 2, 3]) sentinels.push(await startSentinel(dir.path, number, primary, servers))
      await Promise.all(sentinels.map((sentinel) => settled(sentinel.port)))
      return { name, primary, replica, sentinels, stop, ...watching(sentinels, replica) }
    } catch (error) {
      await stop()
      throw error
    }
  }
}

const startSentinel = async (
  dir: string,
  number: number,
  primary: RedisServer,
  servers: Array<RedisServer>
): Promise<RedisServer> => {
  // A sentinel rewrites its configuration, so it must have a file.
  const port = await freePort()
  const file = join(dir, `sentinel-${number}.conf`)
  const lines = [
    `sentinel monitor ${name} ${primary.host} ${primary.port} 2`,
    `sentinel down-after-milliseconds ${name} 500`,
    `sentinel failover-timeout ${name} 2000`
  ]
  writeFileSync(file, `${lines.join("\n")}\n`)
  const sentinel = await RedisServer.start({ port, file, flags: ["--sentinel"] })
  servers.push(sentinel)
  return sentinel
}

const settled = async (port: number): Promise<void> => {
  for (;;) {
    const state = await tell(port, "SENTINEL", "MASTERS")
    if (/num-slaves\r\n\$1\r\n1\r\n/.test(state) && /num-other-sentinels\r\n\$1\r\n2\r\n/.test(state)) return
    await sleep(20)
  }
}

const watching = (sentinels: ReadonlyArray<RedisServer>, replica: RedisServer) => {
  const master = async (): Promise<number> => {
    for (const { port } of sentinels) {
      const reply = await tell(port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", name).catch(() => undefined)
      if (reply !== undefined) return Number(reply.split("\r\n")[4])
    }
    throw new Error("no sentinel answers")
  }
  const failedOver = async (): Promise<void> => {
    while ((await master()) !== replica.port) await sleep(20)
    while (!(await tell(replica.port, "ROLE")).includes("master")) await sleep(20)
  }
  return { master, failedOver }
}
