/** A worker as a long-running consumer: it stops, starts again where it was, and follows a shard that is split. */
import { mkdtempSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

import * as Journal from "@leat/core/Journal"
import * as Solo from "@leat/transport-kinesis/assignment/Solo"
import * as Sqlite from "@leat/transport-kinesis/checkpoint/Sqlite"
import * as Polling from "@leat/transport-kinesis/fetcher/Polling"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisConsumer from "@leat/transport-kinesis/KinesisConsumer"
import * as KinesisPublisher from "@leat/transport-kinesis/KinesisPublisher"
import * as EmbeddedKinesis from "@leat/transport-kinesis/testing/EmbeddedKinesis"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import { envelopeOf, makeTracker } from "./Parcels.ts"
import * as Reshard from "./Reshard.ts"

const stream = "parcels"
const shard = (number: number) => `shardId-${String(number).padStart(12, "0")}`

/** Publishes scans in order; the library packs those of one parcel into one record. */
const publish = (...scans: ReadonlyArray<readonly [parcel: string, at: string]>) =>
  Effect.gen(function* () {
    const publisher = yield* KinesisPublisher.make({ stream, aggregation: "by-partition-key" })
    const answers = yield* publisher.publish(scans.map(([parcel, at]) => envelopeOf({ parcel, at })))
    console.log(`published ${answers.filter(Exit.isSuccess).length}`)
  }).pipe(Effect.scoped)

/** Consumes until so many events are settled, and stops: the last checkpoint is written on the way out. */
const consume = (title: string, count: number) =>
  Effect.gen(function* () {
    const { tracker, ways } = makeTracker()
    const consumer = yield* KinesisConsumer.make(tracker, { stream, application: "tracking" })
    const done = Effect.map(consumer.stats, ({ settled }) => settled >= count)
    yield* Effect.raceFirst(
      Effect.repeat(Effect.andThen(Effect.sleep("20 millis"), done), { until: (settled) => settled }),
      consumer.join
    )
    console.log(title)
    for (const [parcel, way] of [...ways].toSorted()) console.log(`  ${parcel}: ${way.join(", ")}`)
  }).pipe(Effect.scoped)

const main = Effect.gen(function* () {
  yield* publish(["p1", "Bern"], ["p2", "Oslo"], ["p1", "Ulm"], ["p2", "Kiel"], ["p1", "Jena"])
  yield* consume("a first process", 5)
  yield* publish(["p1", "Graz"], ["p2", "Riga"])
  const { endpoint } = yield* EmbeddedKinesis.EmbeddedKinesis
  for (const number of [0, 1]) yield* Reshard.split(endpoint, stream, shard(number))
  yield* publish(["p1", "Rome"], ["p2", "Bari"])
  yield* consume("the next one, after both shards were split", 4)
})

const kinesis = Layer.unwrap(Effect.map(EmbeddedKinesis.EmbeddedKinesis, KinesisClient.layer)).pipe(
  Layer.provideMerge(EmbeddedKinesis.layer({ streams: [{ name: stream, shards: 2 }] }))
)
const parts = Layer.mergeAll(
  Polling.layer({ idleInterval: "200 millis" }),
  Sqlite.layer({ file: join(mkdtempSync(join(tmpdir(), "parcels-")), "checkpoints.sqlite") }),
  Solo.layer,
  Journal.layerMemory,
  Logger.layer([])
)
await Effect.runPromise(Effect.provide(main, Layer.provideMerge(parts, kinesis)))
