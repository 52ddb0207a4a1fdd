import * as TransportSuite from "@leat/core/testing/TransportSuite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import * as Solo from "../src/assignment/Solo.ts"
import * as Checkpoint from "../src/Checkpoint.ts"
import type { Fetcher } from "../src/Fetcher.ts"
import * as EnhancedFanOut from "../src/fetcher/EnhancedFanOut.ts"
import * as Polling from "../src/fetcher/Polling.ts"
import type { KinesisClient } from "../src/KinesisClient.ts"
import * as KinesisConsumer from "../src/KinesisConsumer.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"

/** Behind a consumer of two shards, until every record is settled. */
const behind =
  (fetcher: Layer.Layer<Fetcher, never, KinesisClient>): TransportSuite.Harness<unknown> =>
  (worker, journal, records) =>
    Effect.gen(function* () {
      const kinesis = yield* FakeKinesis.make({ streams: [{ name: "s", shards: 2 }], consumerActivation: 0 })
      yield* kinesis.stream("s").put(...records.map(({ bytes, key }) => ({ data: bytes, partitionKey: key })))
      const consumer = yield* KinesisConsumer.make(worker, {
        stream: "s",
        application: "suite",
        backoffBase: "5 millis"
      }).pipe(
        Effect.provide([
          kinesis.layer,
          Layer.fresh(Checkpoint.layerMemory),
          Solo.layer,
          Layer.provide(fetcher, kinesis.layer),
          journal,
          Logger.layer([])
        ])
      )
      const settled = Effect.map(consumer.stats, (stats) => stats.settled >= records.length)
      const drained = Effect.repeat(Effect.andThen(Effect.sleep("5 millis"), settled), { until: (all) => all })
      yield* Effect.raceFirst(drained, consumer.join)
    }).pipe(Effect.scoped)

const polling = Polling.layer({ idleInterval: "20 millis", readsPerSecond: 100 })
TransportSuite.suite("Kinesis consumer, polling", behind(polling), KinesisConsumer.promises, { faults: true })
TransportSuite.suite(
  "Kinesis consumer, enhanced fan-out",
  behind(EnhancedFanOut.layer({ consumerName: "suite" })),
  KinesisConsumer.promises,
  { faults: true }
)
