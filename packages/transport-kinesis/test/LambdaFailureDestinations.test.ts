import { assert, describe, it } from "@effect/vitest"
import * as Event from "@leat/core/Event"
import * as FailurePolicy from "@leat/core/FailurePolicy"
import * as Journal from "@leat/core/Journal"
import * as Worker from "@leat/core/Worker"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as Schema from "effect/Schema"

import * as EventSourceMapping from "../src/EventSourceMapping.ts"
import type * as OnFailureDestination from "../src/eventSourceMapping/OnFailureDestination.ts"
import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisLambda from "../src/KinesisLambda.ts"
import * as LambdaFailure from "../src/LambdaFailure.ts"
import * as S3 from "../src/lambdaFailure/S3.ts"
import * as Sqs from "../src/lambdaFailure/Sqs.ts"
import { EmbeddedKinesis } from "../src/testing/index.ts"
import { aws } from "./lambdaFailure/fauxqs.ts"

class Refused extends Schema.TaggedError<Refused>()("Refused", { retryable: Schema.Boolean }) {}

const Ordered = Event.make("Ordered", {
  payload: Schema.Struct({ id: Schema.String }),
  key: (payload) => payload.id.slice(0, 1),
  id: (payload) => payload.id
})

const shopOf = (handled: Array<string>, isBroken: () => boolean) =>
  Worker.make("shop", {
    events: [Ordered],
    handle: {
      *Ordered({ id }) {
        if (id === "x2" && isBroken()) yield* new Refused({ retryable: true })
        handled.push(id)
      }
    }
  })

/** Half of the hash keys each: `x` belongs to one shard and `z` to the other. */
const put = (...ids: ReadonlyArray<string>) =>
  Effect.flatMap(KinesisClient.KinesisClient, (client) =>
    client.putRecords(
      "s",
      ids.map((id) => ({
        data: Buffer.from(JSON.stringify({ id })),
        partitionKey: id.slice(0, 1),
        explicitHashKey: id.startsWith("z") ? String(2n ** 128n - 1n) : "0"
      }))
    )
  )

const kinesis = Layer.unwrap(
  Effect.map(EmbeddedKinesis.EmbeddedKinesis, ({ endpoint }) => KinesisClient.layer({ endpoint }))
).pipe(Layer.provide(EmbeddedKinesis.layer({ streams: [{ name: "s", shards: 2 }] })))

/** Runs a function whose worker refuses `x2` until its mapping has given up all that it will. */
const giveUp = Effect.fnUntraced(function* (
  worker: Worker.Worker<never>,
  onFailure: OnFailureDestination.OnFailureDestination
) {
  const journal = yield* Journal.Journal
  const services = Layer.mergeAll(
    Layer.succeed(Journal.Journal, journal),
    FailurePolicy.layer({ transient: "halt" }),
    Logger.layer([])
  )
  const handler = yield* Effect.acquireRelease(
    Effect.sync(() => KinesisLambda.make(worker, services)),
    ({ close }) => Effect.promise(close)
  )
  const mapping = yield* EventSourceMapping.make({
    stream: "s",
    handler,
    onFailure,
    maximumRetryAttempts: 1,
    maximumBatchingWindow: 0,
    pollInterval: "20 millis",
    backoff: () => 1
  })
  yield* mapping.drained
})

const world = Layer.mergeAll(kinesis, Journal.layerMemory, Logger.layer([]))

describe("what the mapping gave up", () => {
  it.live("T74 T75: goes to a queue, and from there through the mended worker in order; what was done is known", () =>
    Effect.gen(function* () {
      const { endpoint, messages, queueUrl } = yield* aws
      const handled: Array<string> = []
      let broken = true
      const worker = shopOf(handled, () => broken)
      yield* put("x1", "x2", "y1", "x3", "z1")
      const queue = yield* Sqs.destination({ queueUrl, endpoint })
      yield* Effect.scoped(giveUp(worker, queue))
      assert.deepStrictEqual(handled.toSorted(), ["x1", "y1", "z1"])
      assert.strictEqual(messages().ready.length, 1)
      assert.notProperty(JSON.parse(messages().ready[0] ?? "{}"), "payload")

      const source = Sqs.source({ queueUrl, endpoint, wait: 0 })
      const early = yield* LambdaFailure.redriveAll(worker, source).pipe(
        Effect.provide(FailurePolicy.layer({ transient: "halt" }))
      )
      assert.deepStrictEqual(
        early.kept.map(({ _tag }) => _tag),
        ["Failed"]
      )
      assert.strictEqual(messages().ready.length, 1)

      broken = false
      const report = yield* LambdaFailure.redriveAll(worker, source)
      assert.deepStrictEqual(handled.slice(3), ["x2", "x3"])
      assert.deepInclude(report.outcomes, { handled: 2, duplicate: 1 })
      assert.deepInclude(report, { letters: 1, acknowledged: 1, kept: [], gone: [] })
      assert.deepStrictEqual(messages(), { ready: [], held: [] })
    }).pipe(Effect.provide(world))
  )

  it.live(
    "T74 T75: goes to a bucket with its records, and from there through the worker though the stream is gone",
    () =>
      Effect.gen(function* () {
        const { bucket, endpoint } = yield* aws
        const handled: Array<string> = []
        let broken = true
        const worker = shopOf(handled, () => broken)
        yield* put("x1", "x2", "y1", "x3", "z1")
        const objects = yield* S3.destination({ bucket, endpoint })
        yield* Effect.scoped(giveUp(worker, objects))
        broken = false
        const client = yield* KinesisClient.KinesisClient
        const withoutStream: typeof client = { ...client, getShardIterator: () => Effect.die("not asked") }
        const report = yield* LambdaFailure.redriveAll(worker, S3.source({ bucket, endpoint })).pipe(
          Effect.provideService(KinesisClient.KinesisClient, withoutStream)
        )
        assert.deepStrictEqual(handled.slice(3), ["x2", "x3"])
        assert.deepInclude(report.outcomes, { handled: 2, duplicate: 1 })
        assert.deepInclude(report, { letters: 1, acknowledged: 1, kept: [] })
        const rest = yield* LambdaFailure.redriveAll(worker, S3.source({ bucket, endpoint }))
        assert.strictEqual(rest.letters, 0)
      }).pipe(Effect.provide(world))
  )
})
