import { describe, expect, it } from "vitest"

import { RedisCluster } from "../redis-cluster.ts"
import { tell } from "../redis-server.ts"

describe("a Redis Cluster of a test's own", () => {
  it("has all slots, and moves one with its keys while clients are redirected", async () => {
    const cluster = await RedisCluster.start()
    try {
      // CRC16("{a}") mod 16,384.
      const slot = 15_495
      const from = await cluster.owner(slot)
      const to = (from + 1) % 3
      const [source, target] = [cluster.nodes[from]?.port ?? 0, cluster.nodes[to]?.port ?? 0]
      for (const i of [0, 1, 2, 3]) await tell(source, "SET", `{a}${i}`, i)
      const midway: Array<string> = []
      await cluster.moveSlot(slot, to, async () => {
        for (const i of [0, 1, 2, 3]) midway.push(await tell(source, "GET", `{a}${i}`).catch((error) => String(error)))
      })
      expect(midway.filter((reply) => reply.includes(`-ASK ${slot} 127.0.0.1:${target}`))).toHaveLength(2)
      await expect(tell(source, "GET", "{a}0")).rejects.toThrow(`MOVED ${slot} 127.0.0.1:${target}`)
      expect(await tell(target, "GET", "{a}0")).toContain("0")
      expect(await cluster.owner(slot)).toBe(to)
    } finally {
      await cluster.stop()
    }
  })
})
