import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"

import { Journal } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Redacted from "effect/Redacted"

import * as PostgresJournal from "../src/PostgresJournal.ts"
import * as SqliteJournal from "../src/SqliteJournal.ts"
const bytes = new TextEncoder().encode(
  JSON.stringify({ user_id: 123, top_n: 20, request_id: crypto.randomUUID(), timestamp: "2025-10-24T10:30:00Z" })
)
const url = process.argv[2]
const users = Number(process.argv[3] ?? 1000),
  batches = Number(process.argv[4] ?? 300)
const layer =
  url === "sqlite"
    ? SqliteJournal.layer({
        file: mkdtempSync(tmpdir() + "/leatm-") + "/j.db",
        synchronous: (process.argv[5] as any) ?? "full"
      })
    : PostgresJournal.layer({ url: Redacted.make(url!) })
const program = Effect.gen(function* () {
  const j = yield* Journal
  const worker = "w" + process.pid
  let seq = 0
  const t = { open: 0, commit: 0, cpuOpen: 0, cpuCommit: 0 }
  const warm = 50
  for (let b = 0; b < batches + warm; b++) {
    if (b === warm) t.open = t.commit = t.cpuOpen = t.cpuCommit = 0
    const lanes = new Map<string, Array<string>>()
    for (let i = 0; i < 100; i++) {
      const k = "user-" + Math.floor(Math.random() * users)
      const id = crypto.randomUUID()
      const l = lanes.get(k)
      if (l) l.push(id)
      else lanes.set(k, [id])
    }
    const reqs = Array.from(lanes, ([key, ids]) => ({
      key,
      deliveries: ids.map((id) => ({ type: "RecommendationRequested", id }))
    }))
    let t0 = performance.now(),
      c0 = process.cpuUsage()
    const { heads } = yield* j.open(worker, reqs)
    let c1 = process.cpuUsage(c0)
    t.open += performance.now() - t0
    t.cpuOpen += c1.user + c1.system
    const writes = reqs.map((r, i) => ({
      key: r.key,
      expected: heads[i]!.version,
      outbox: "hold" as const,
      entries: r.deliveries.map((d) => ({
        ...d,
        source: {
          partition: "shardId-000000000000",
          position: String(seq++).padStart(56, "4"),
          partitionKey: r.key,
          arrival: 1761300000123
        },
        bytes,
        outcome: { _tag: "Handled" as const, emitted: [] },
        attempts: 1,
        duration: 0.5,
        workerVersion: "v1"
      }))
    }))
    t0 = performance.now()
    c0 = process.cpuUsage()
    const v = yield* j.commit(worker, writes)
    c1 = process.cpuUsage(c0)
    t.commit += performance.now() - t0
    t.cpuCommit += c1.user + c1.system
    if (v.some((x) => x === "conflict")) throw new Error("conflict")
  }
  const n = batches * 100
  console.log(url!.slice(0, 8), {
    users,
    "open wall µs": ((t.open * 1000) / n).toFixed(2),
    "commit wall": ((t.commit * 1000) / n).toFixed(2),
    "open cpu": (t.cpuOpen / n).toFixed(2),
    "commit cpu": (t.cpuCommit / n).toFixed(2)
  })
})
await Effect.runPromise(Effect.provide(program, layer))
