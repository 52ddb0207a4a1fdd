/**
 * One process of a fleet: `node program.ts NOTES PLACES`, the places as JSON.
 *
 * Says on a line each, behind the time: `begin SHARD TOKEN`, `end SHARD`, `released SHARD`, `fenced SHARD`, `settled SHARD
 * COUNT`.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as PostgresJournal from "@leat/journal-sql/PostgresJournal"
import * as Cluster from "@leat/transport-kinesis/assignment/Cluster"
import * as Postgres from "@leat/transport-kinesis/checkpoint/Postgres"
import * as Redis from "@leat/transport-kinesis/checkpoint/Redis"
import * as Polling from "@leat/transport-kinesis/fetcher/Polling"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisConsumer from "@leat/transport-kinesis/KinesisConsumer"
import type { ConsumerEvent } from "@leat/transport-kinesis/kinesisConsumer/ConsumerEvent"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Redacted from "effect/Redacted"
import * as References from "effect/References"
import * as Exit from "http-server/src/Exit.ts"

import * as Counting from "./Counting.ts"

const [, , notes = "", given = "{}"] = process.argv
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- written by the test that starts this
const { kind, kinesis, namespace, postgres, redis } = JSON.parse(given) as Counting.Places

const say = (...words: ReadonlyArray<string | number>) =>
  void process.stdout.write(`${performance.timeOrigin + performance.now()} ${words.join(" ")}\n`)

const onEvent = (event: ConsumerEvent): void => {
  if (event._tag === "ShardStarted") say("begin", event.shardId, event.token)
  if (event._tag === "ShardEnded") say("end", event.shardId)
  if (event._tag === "ShardReleased") say("released", event.shardId)
  if (event._tag === "ShardFenced") say("fenced", event.shardId)
  if (event._tag === "BatchProcessed") say("settled", event.shardId, event.settled)
}

const store = { url: Redacted.make(kind === "redis" ? redis : postgres) }
const leases = { ...store, namespace, lease: Counting.lease, poll: 300 }

const parts = Layer.mergeAll(
  PostgresJournal.layer({ url: Redacted.make(postgres), namespace, maxConnections: 4 }),
  kind === "redis" ? Redis.layer(store) : Postgres.layer(store),
  kind === "redis" ? Cluster.layerRedis(leases) : Cluster.layerPostgres(leases),
  Polling.layer({ idleInterval: "500 millis" })
).pipe(
  Layer.provideMerge(KinesisClient.layer({ endpoint: kinesis })),
  Layer.provideMerge([
    Logger.layer([Logger.withConsoleError(Logger.formatLogFmt)]),
    Layer.succeed(References.MinimumLogLevel, "Error")
  ])
)

KinesisConsumer.run(Counting.counting(notes), {
  stream: Counting.stream,
  application: namespace,
  batchSize: Counting.batchSize,
  checkpointInterval: "1 second",
  discoveryInterval: "1 second",
  onEvent
}).pipe(Effect.provide(parts), NodeRuntime.runMain({ teardown: Exit.code }))
