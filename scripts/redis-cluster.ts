/** A Redis Cluster of a test's own: primaries without replicas, each with its share of the slots. */
import { setTimeout as sleep } from "node:timers/promises"

import { RedisServer, tell } from "./redis-server.ts"
import { freePort } from "./servers/loopback.ts"

const slotCount = 16_384

/** A running cluster. */
export interface RedisCluster {
  readonly nodes: ReadonlyArray<RedisServer>
  /**
   * Moves a slot as `redis-cli --cluster reshard` does, while clients go on: marked at both ends, then its keys key by key,
   * then given to the other node. `midway` runs when half of its keys have moved: reads of them are redirected then.
   */
  readonly moveSlot: (slot: number, to: number, midway?: () => Promise<void>) => Promise<void>
  /** The node that has a slot, by its number in `nodes`. */
  readonly owner: (slot: number) => Promise<number>
  readonly stop: () => Promise<void>
}

export const RedisCluster = {
  /** Starts so many nodes and waits until each of them says that the cluster is well. */
  async start({ nodes: count = 3 }: { readonly nodes?: number } = {}): Promise<RedisCluster> {
    const nodes: Array<RedisServer> = []
    try {
      for (let i = 0; i < count; i++) nodes.push(await startNode())
      await join(nodes)
      return cluster(nodes)
    } catch (error) {
      await Promise.all(nodes.map((node) => node.kill()))
      throw error
    }
  }
}

const startNode = async (): Promise<RedisServer> => {
  const flags = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-require-full-coverage", "no"]
  // Its bus has the port 10,000 above its own.
  return RedisServer.start({ port: await freePort(22_000), flags })
}

const join = async (nodes: ReadonlyArray<RedisServer>): Promise<void> => {
  const [first] = nodes
  if (first === undefined) return
  for (const [i, { port }] of nodes.entries()) {
    const [from, to] = [share(i, nodes.length), share(i + 1, nodes.length)]
    await tell(port, "CLUSTER", "ADDSLOTS", ...Array.from({ length: to - from }, (_, n) => from + n))
    // One with another's epoch would have to fight it out first.
    await tell(port, "CLUSTER", "SET-CONFIG-EPOCH", i + 1)
    if (i > 0) await tell(port, "CLUSTER", "MEET", first.host, first.port)
  }
  for (const { port } of nodes) {
    while (!(await isWell(port, nodes.length))) await sleep(20)
  }
}

const share = (i: number, of: number): number => Math.round((i * slotCount) / of)

const isWell = async (port: number, nodes: number): Promise<boolean> => {
  const info = await tell(port, "CLUSTER", "INFO")
  return /cluster_state:ok/.test(info) && info.includes(`cluster_size:${nodes}`)
}

const cluster = (nodes: ReadonlyArray<RedisServer>): RedisCluster => {
  const at = (index: number): RedisServer => {
    const node = nodes[index]
    if (node === undefined) throw new Error(`there is no node ${index}`)
    return node
  }
  const owner = async (slot: number): Promise<number> => {
    for (const [i, { port }] of nodes.entries()) {
      // A key in the slot: asking for it is answered, or redirected to its owner.
      const slots = /^[^\n]* myself,[^\n]* connected ([^\n]*)$/m.exec(await tell(port, "CLUSTER", "NODES"))?.[1] ?? ""
      const ranges = slots.split(" ").filter((range) => /^\d+(-\d+)?$/.test(range))
      if (ranges.some((range) => isIn(range, slot))) return i
    }
    throw new Error(`nobody has slot ${slot}`)
  }
  return {
    nodes,
    owner,
    moveSlot: async (slot, to, midway) => {
      const [source, target] = [at(await owner(slot)), at(to)]
      const [sourceId, targetId] = [await idOf(source.port), await idOf(target.port)]
      await tell(target.port, "CLUSTER", "SETSLOT", slot, "IMPORTING", sourceId)
      await tell(source.port, "CLUSTER", "SETSLOT", slot, "MIGRATING", targetId)
      const keys = await keysIn(source.port, slot)
      for (const [i, key] of keys.entries()) {
        if (i === Math.floor(keys.length / 2)) await midway?.()
        await tell(source.port, "MIGRATE", target.host, target.port, key, 0, 5_000)
      }
      if (keys.length === 0) await midway?.()
      // What was written to it meanwhile.
      for (const key of await keysIn(source.port, slot)) {
        await tell(source.port, "MIGRATE", target.host, target.port, key, 0, 5_000)
      }
      for (const { port } of [target, source, ...nodes]) await tell(port, "CLUSTER", "SETSLOT", slot, "NODE", targetId)
    },
    stop: async () => void (await Promise.all(nodes.map((node) => node.kill())))
  }
}

const isIn = (range: string, slot: number): boolean => {
  const [from = 0, to = from] = range.split("-").map(Number)
  return slot >= from && slot <= to
}

const idOf = async (port: number): Promise<string> => (await tell(port, "CLUSTER", "MYID")).split("\r\n")[1] ?? ""

/** The bulk strings of the reply, without their lengths. */
const keysIn = async (port: number, slot: number): Promise<ReadonlyArray<string>> =>
  (await tell(port, "CLUSTER", "GETKEYSINSLOT", slot, 1_000))
    .split("\r\n")
    .filter((_, line) => line > 1 && line % 2 === 0)
