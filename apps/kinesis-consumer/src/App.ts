/** The recommendation worker as a consumer of its stream: what `main.ts` runs, and what a test puts parts of its own into. */
import * as StoreConfig from "@leat/cache-redis/StoreConfig"
import * as Retention from "@leat/core/Retention"
import * as JournalConfig from "@leat/journal-sql/JournalConfig"
import * as RecommendationCache from "@leat/recommender/RecommendationCache"
import * as Recommendations from "@leat/recommender/Recommendations"
import * as RecommendationTelemetry from "@leat/recommender/RecommendationTelemetry"
import { recommendations } from "@leat/recommender/RecommendationWorker"
import * as Http from "@leat/recommender/recommender/Http"
import * as RequestEvents from "@leat/recommender/RequestEvents"
import * as ConsumerTelemetry from "@leat/transport-kinesis/ConsumerTelemetry"
import * as EnhancedFanOut from "@leat/transport-kinesis/fetcher/EnhancedFanOut"
import * as Polling from "@leat/transport-kinesis/fetcher/Polling"
import * as KinesisClient from "@leat/transport-kinesis/KinesisClient"
import * as KinesisConsumer from "@leat/transport-kinesis/KinesisConsumer"
import * as Config from "effect/Config"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"

import * as Assignment from "./Assignment.ts"
import * as Checkpoints from "./Checkpoints.ts"
import * as Health from "./Health.ts"
import * as Settings from "./Settings.ts"

/** What an outage of the cache leaves in memory, and what it owes the cache after it, is worth keeping in a process that stays. */
const longRunning = { memoryEntries: 10_000, longRunning: true }

// A memory that always asks the store needs nobody to tell it what to forget.
const backplane = Layer.unwrap(
  Effect.map(RecommendationCache.memoryServes, (serves) => (serves ? StoreConfig.layerBackplane : Layer.empty))
)

/** What the worker needs, the same as behind Lambda, and the pruning of its journal. */
const worker = Layer.mergeAll(Recommendations.layerConfig(longRunning), Retention.layerConfig).pipe(
  Layer.provide(backplane),
  Layer.provide([Http.layerConfig(), StoreConfig.layerConfig({ withoutEndpoint: "fail" })]),
  Layer.provideMerge([
    RequestEvents.layerConfig,
    RecommendationTelemetry.layer(),
    JournalConfig.layerConfig({ withoutUrl: "none" })
  ])
)

const fetcher = Layer.unwrap(
  Effect.map(Config.all({ ...Settings.identity, fetching: Settings.fetching }), ({ application, fetching }) => {
    const polling = { idleInterval: fetching.idleInterval }
    return fetching.kind === "polling"
      ? Polling.layer(polling)
      : // The name of a consumer has no colon.
        EnhancedFanOut.layer({ consumerName: application.replaceAll(":", "-"), fallback: polling })
  })
)

/** Everything the consumer needs but the way to Kinesis, from its environment. */
export const parts = Layer.mergeAll(worker, fetcher, Assignment.layerConfig, Checkpoints.layerConfig)

/** Everything the consumer needs, from its environment. */
export const App = parts.pipe(
  Layer.provideMerge(KinesisClient.layerConfig),
  Layer.provideMerge(Logger.layer([Logger.consoleJson]))
)

/** Consumes until it is interrupted or fails. */
export const consume = Effect.gen(function* () {
  const options = yield* Config.all(Settings.consumer)
  const consumer = yield* KinesisConsumer.make(recommendations, options).pipe(ConsumerTelemetry.reporting(options))
  yield* Layer.build(Health.layerConfig)
  return yield* consumer.join
}).pipe(Effect.scoped)

// Read first, so that a wrong variable is said before anybody is called.
const checked = Config.all({
  ...Settings.consumer,
  fetching: Settings.fetching,
  assignment: Assignment.checked,
  checkpoints: Checkpoints.address,
  health: Health.settings
})

/** The whole program from its environment. */
export const program = Effect.andThen(checked, Effect.provide(consume, App))
