/** Three machines and eight shards, on a real store each: one is killed, one leaves, one stands still. */
import { assert, describe, it } from "@effect/vitest"
import { CheckpointStore } from "@leat/transport-kinesis/Checkpoint"
import type { CheckpointError } from "@leat/transport-kinesis/Checkpoint"
import * as Postgres from "@leat/transport-kinesis/checkpoint/Postgres"
import * as Redis from "@leat/transport-kinesis/checkpoint/Redis"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import { inject } from "vitest"

import { Machines } from "./cluster/Machines.ts"
import { groupOf, lease, shards } from "./cluster/shards.ts"

const checkpoints = (namespace: string, store: Layer.Layer<CheckpointStore, CheckpointError>) =>
  Effect.runPromise(
    Effect.provide(
      Effect.flatMap(CheckpointStore, ({ list }) => list(groupOf(namespace))),
      store
    )
  )

const evenly = (machines: Machines, ...shares: ReadonlyArray<number>) =>
  machines.until(`shares of ${shares.join("/")}`, () => machines.shares().join() === shares.join())

/** Whether a machine began no shard before the one that left had ended it. */
const inOrder = ({ lines }: Machines, left: string): boolean =>
  lines
    .filter(({ machine, what }) => machine === left && what === "end")
    .every(({ at, shard, token }) =>
      lines.every((line) => line.shard !== shard || line.token <= token || line.at >= at)
    )

const lives = async (machines: Machines): Promise<void> => {
  for (const name of ["a", "b", "c"]) machines.start(name)
  await evenly(machines, 2, 3, 3)

  const killed = performance.now()
  machines.signal("a", "SIGKILL")
  await machines.until("the end of a", () => !machines.running.has("a"))
  await evenly(machines, 4, 4)
  const takenAfter = performance.now() - killed
  assert.isAtLeast(takenAfter, lease / 2, "the lease of the dead one ends first")

  machines.signal("b", "SIGTERM")
  await machines.until("the end of b", () => !machines.running.has("b"))
  await evenly(machines, 8)
  assert.isTrue(inOrder(machines, "b"), "its last checkpoints are waited for")
}

/** One that stands still, until others have all of its shards, and then goes on. */
const standsStill = async (machines: Machines): Promise<void> => {
  machines.start("d")
  await evenly(machines, 4, 4)
  const own = machines.runs("d")
  machines.signal("d", "SIGSTOP")
  const before = machines.lines.length
  const began = () => machines.lines.slice(before).filter(({ machine, what }) => machine === "c" && what === "begin")
  await machines.until("c has all", () => new Set(began().map(({ shard }) => shard)).size === own.length)
  const tokens = new Map(began().map(({ shard, token }) => [shard, token]))
  machines.signal("d", "SIGCONT")
  const continued = performance.timeOrigin + performance.now()
  const ended = () => machines.lines.slice(before).filter(({ machine, what }) => machine === "d" && what === "end")
  await machines.until("d stops its runs", () => ended().length === own.length)
  for (const { at, shard, token } of ended()) {
    assert.isBelow(token, tokens.get(shard) ?? 0, "the successor has a higher token")
    assert.isBelow(at - continued, 3 * lease, "it notices by itself, and soon")
  }
}

describe.concurrent("a cluster of processes", () => {
  const must = (kind: "postgres" | "redis", store: () => Layer.Layer<CheckpointStore, CheckpointError>) =>
    it(`T33, T40, T41: runs every shard of three machines in one place, whatever becomes of them, on ${kind}`, async () => {
      const namespace = `cluster-${globalThis.crypto.randomUUID()}`
      const machines = new Machines(kind, inject(kind).url, namespace)
      try {
        await lives(machines)
        await standsStill(machines)
      } finally {
        await machines.stop()
      }
      const begun = machines.lines.filter(({ what }) => what === "begin").map(({ shard, token }) => `${shard} ${token}`)
      assert.strictEqual(new Set(begun).size, begun.length, "no token is given twice")
      const rows = await checkpoints(namespace, store())
      assert.strictEqual(rows.length, shards.length)
      for (const { position, shardId, token } of rows) {
        const last = machines.lines.findLast(({ shard, what }) => shard === shardId && what === "begin")
        const begun = last?.token ?? Infinity
        assert.isAtLeast(token, begun)
        assert.isTrue(position._tag === "After" && Math.floor(Number(position.sequenceNumber) / 1e6) >= begun)
      }
    }, 120_000)

  must("postgres", () => Postgres.layer({ url: Redacted.make(inject("postgres").url) }))
  must("redis", () => Redis.layer({ url: Redacted.make(inject("redis").url) }))
})
