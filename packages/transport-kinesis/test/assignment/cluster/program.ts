/**
 * A machine of a cluster, as a process: runs its share of eight shards and writes a checkpoint of each every 20 ms.
 *
 * `node program.ts postgres|redis URL NAMESPACE`; says on a line each, behind the time, `begin SHARD TOKEN`, `fenced SHARD
 * TOKEN` and `end SHARD TOKEN`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import { CheckpointStore } from "@leat/transport-kinesis/Checkpoint"
import { ShardAssignment } from "@leat/transport-kinesis/ShardAssignment"
import * as ShardPosition from "@leat/transport-kinesis/ShardPosition"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"
import * as Scope from "effect/Scope"

import { groupOf, lease, shards } from "./shards.ts"

const [, , kind = "", address = "", namespace = ""] = process.argv
const url = Redacted.make(address)
const group = groupOf(namespace)

const say = (what: string, shardId: string, token: number) =>
  Effect.map(Clock.currentTimeMillis, (now) => void process.stdout.write(`${now} ${what} ${shardId} ${token}\n`))

const consume = (shardId: string) =>
  Effect.gen(function* () {
    const store = yield* CheckpointStore
    const taken = yield* Effect.orDie(store.acquire(group, shardId, String(process.pid)))
    if (taken === undefined) return yield* Effect.die(`no row for ${shardId}`)
    const { token } = taken
    let revision = 0
    const write = Effect.suspend(() => {
      revision += 1
      return store.advance(group, {
        shardId,
        token,
        revision,
        position: ShardPosition.after(`${token * 1e6 + revision}`)
      })
    })
    const last = Effect.gen(function* () {
      yield* Effect.sleep("200 millis")
      yield* Effect.ignore(write)
      yield* say("end", shardId, token)
    })
    return yield* Effect.gen(function* () {
      // Whoever hears that it began may rely on its first checkpoint.
      if (yield* Effect.orDie(write)) yield* say("begin", shardId, token)
      while (yield* Effect.orDie(write)) yield* Effect.sleep("20 millis")
      yield* say("fenced", shardId, token)
      return yield* Effect.never
    }).pipe(Effect.onInterrupt(() => last))
  })

const machine = Effect.gen(function* () {
  const store = yield* CheckpointStore
  const { offer } = yield* ShardAssignment
  yield* store.create(
    group,
    shards.map((shardId) => ({ shardId, position: ShardPosition.trimHorizon }))
  )
  const scopes = yield* Effect.forEach(shards, (shardId) =>
    Effect.tap(Scope.make(), (scope) => Scope.provide(offer(shardId, consume(shardId)), scope))
  )
  yield* Effect.addFinalizer(() =>
    Effect.forEach(scopes, (scope) => Scope.close(scope, Exit.void), { concurrency: "unbounded", discard: true })
  )
})

const assignment = (kind === "redis" ? Cluster.layerRedis : Cluster.layerPostgres)({ url, namespace, lease, poll: 300 })
const checkpoints = Layer.unwrap(
  kind === "redis"
    ? Effect.map(
        Effect.promise(() => import("@leat/transport-kinesis/checkpoint/Redis")),
        ({ layer }) => layer({ url })
      )
    : Effect.map(
        Effect.promise(() => import("@leat/transport-kinesis/checkpoint/Postgres")),
        ({ layer }) => layer({ url })
      )
)

Layer.launch(Layer.effectDiscard(machine).pipe(Layer.provide(assignment), Layer.provideMerge(checkpoints))).pipe(
  NodeRuntime.runMain
)
