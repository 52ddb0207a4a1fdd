import * as Sdk from "@aws-sdk/client-kinesis"
import { assert, describe, it, layer } from "@effect/vitest"
import * as Envelope from "@leat/core/Envelope"
import { NodeHttpHandler } from "@smithy/node-http-handler"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Redacted from "effect/Redacted"

import * as EventSourceMapping from "../src/EventSourceMapping.ts"
import type * as OnFailure from "../src/eventSourceMapping/OnFailure.ts"
import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisPublisher from "../src/KinesisPublisher.ts"
import type * as LambdaEvent from "../src/LambdaEvent.ts"
import * as EmbeddedKinesis from "../src/testing/EmbeddedKinesis.ts"

/** The embedded stream with a client of ours. */
const kinesis = (options: EmbeddedKinesis.Options) =>
  Layer.unwrap(Effect.map(EmbeddedKinesis.EmbeddedKinesis, ({ endpoint }) => KinesisClient.layer({ endpoint }))).pipe(
    Layer.provideMerge(EmbeddedKinesis.layer(options))
  )

/** A client of nobody's: the AWS SDK as a stranger would set it up. */
const stranger = Effect.map(
  EmbeddedKinesis.EmbeddedKinesis,
  ({ endpoint }) =>
    new Sdk.KinesisClient({
      endpoint,
      region: "us-east-1",
      maxAttempts: 1,
      credentials: { accessKeyId: "a", secretAccessKey: "b" },
      requestHandler: new NodeHttpHandler()
    })
)

const unlimited = { recordsPerSecond: Infinity, bytesPerSecond: Infinity, readsPerSecond: Infinity }
const entries = (length: number, key: (index: number) => string = () => "k", size = 10) =>
  Array.from({ length }, (_, index) => ({ partitionKey: key(index), data: Buffer.from(String(index).padEnd(size)) }))

/** Every record of a shard, in order. */
const readAll = Effect.fnUntraced(function* (stream: string, shardId: string) {
  const client = yield* KinesisClient.KinesisClient
  const records: Array<KinesisClient.Record> = []
  let iterator: string | undefined = yield* client.getShardIterator(stream, shardId, { _tag: "TrimHorizon" })
  while (iterator !== undefined) {
    const page: KinesisClient.Page = yield* client.getRecords(iterator, 10_000)
    records.push(...page.records)
    iterator = page.records.length === 0 ? undefined : page.next
  }
  return records
})

describe("the embedded stream", () => {
  layer(
    kinesis({
      streams: [
        { name: "s", shards: 2 },
        { name: "arn", shards: 1 },
        { name: "many", shards: 5 }
      ]
    })
  )((it) => {
    it.effect("takes a thousand records a second for a shard and refuses the rest one by one", () =>
      Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        const puts = []
        for (let batch = 0; batch < 3; batch++) puts.push(...(yield* client.putRecords("s", entries(500))))
        const refused = puts.filter((put) => put._tag === "Rejected")
        // The test's clock stands still, so nothing refills.
        assert.strictEqual(refused.length, 500)
        assert.strictEqual(refused[0]?.code, "ProvisionedThroughputExceededException")
        const shardId = puts[0]?._tag === "Accepted" ? puts[0].shardId : ""
        assert.strictEqual((yield* readAll("s", shardId)).length, 1000)
        const error = yield* Effect.flip(
          Effect.forEach([1, 2, 3, 4], () =>
            client
              .getShardIterator("s", shardId, { _tag: "Latest" })
              .pipe(Effect.flatMap((iterator) => client.getRecords(iterator, 1)))
          )
        )
        assert.deepStrictEqual([error.reason, error.retryable], ["Throttled", true])
      })
    )

    it.effect("takes an ARN for a name, and tells its summary", () =>
      Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        const { maxRecordBytes, openShards, retention, status, streamArn } = yield* client.describeStreamSummary("arn")
        assert.deepStrictEqual([status, openShards, retention, maxRecordBytes], ["ACTIVE", 1, 86_400_000, 1_048_576])
        assert.strictEqual((yield* client.putRecords(streamArn, entries(1)))[0]?._tag, "Accepted")
        assert.strictEqual((yield* client.listShards(streamArn)).length, 1)
      })
    )

    it.effect("T27: a list of shards longer than a page is read to its end", () =>
      Effect.gen(function* () {
        const sdk = yield* stranger
        const client = yield* KinesisClient.KinesisClient
        const first = yield* Effect.promise(() =>
          sdk.send(new Sdk.ListShardsCommand({ StreamName: "many", MaxResults: 2 }))
        )
        const second = yield* Effect.promise(() =>
          sdk.send(new Sdk.ListShardsCommand({ NextToken: first.NextToken, MaxResults: 5 }))
        )
        assert.deepStrictEqual([first.Shards?.length, second.Shards?.length, second.NextToken], [2, 3, undefined])
        assert.strictEqual((yield* client.listShards("many")).length, 5)
      })
    )

    it.effect("says what is wrong with a call, as typed errors", () =>
      Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        const reasons = yield* Effect.forEach(
          [
            client.putRecords("nowhere", entries(1)),
            client.putRecords("arn", []),
            client.putRecords("arn", entries(501)),
            client.getRecords("garbage", 1),
            client.createStream("arn", 1)
          ],
          (call) => Effect.map(Effect.flip(Effect.asVoid(call)), (error) => error.reason)
        )
        assert.deepStrictEqual(reasons, ["NotFound", "Invalid", "Invalid", "Invalid", "InUse"])
      })
    )
  })

  it.live(
    "gives pages of ten mebibytes, and how far behind they are",
    () =>
      Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        const mebibyte = 1024 * 1024
        for (let batch = 0; batch < 3; batch++)
          yield* client.putRecords(
            "s",
            entries(9, () => "k", mebibyte - 1)
          )
        const [shard] = yield* client.listShards("s")
        const iterator = yield* client.getShardIterator("s", shard?.shardId ?? "", { _tag: "TrimHorizon" })
        const first = yield* client.getRecords(iterator, 10_000)
        assert.strictEqual(first.records.length, 10)
        assert.isAbove(first.millisBehindLatest, 0)
        const second = yield* client.getRecords(first.next ?? "", 10_000)
        assert.strictEqual(
          Buffer.from(second.records[0]?.data ?? [])
            .toString("utf8")
            .trim(),
          "1"
        )
        const third = yield* client.getRecords(second.next ?? "", 10_000)
        assert.deepStrictEqual([third.records.length, third.millisBehindLatest], [7, 0])
        const error = yield* Effect.flip(
          client.putRecords(
            "s",
            entries(11, () => "k", mebibyte - 1)
          )
        )
        assert.strictEqual(error.reason, "Invalid")
      }).pipe(
        Effect.provide(
          kinesis({ streams: [{ name: "s", shards: 1 }], limits: { ...unlimited, readBytesPerSecond: Infinity } })
        )
      ),
    // 27 MiB there and back, as base64 in JSON: three to five seconds of work on two busy cores.
    30_000
  )

  it.live("starts at a time behind which nothing lies yet", () =>
    Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      yield* client.putRecords("s", entries(1))
      yield* Effect.sleep(20)
      const at = yield* Effect.clockWith((clock) => clock.currentTimeMillis)
      const iterator = yield* client.getShardIterator("s", "shardId-000000000000", { _tag: "AtTimestamp", at })
      assert.strictEqual((yield* client.getRecords(iterator, 10)).records.length, 0)
    }).pipe(Effect.provide(kinesis({ streams: [{ name: "s", shards: 1 }] })))
  )

  it.live("answers the faults it is told to", () =>
    Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const error = yield* Effect.flip(client.listShards("s"))
      assert.deepStrictEqual([error.reason, error.retryable], ["Unavailable", true])
    }).pipe(
      Effect.provide(
        kinesis({
          streams: [{ name: "s", shards: 1 }],
          faults: (operation) => (operation === "ListShards" ? { type: "InternalFailure" } : undefined)
        })
      )
    )
  )

  it.live("is reached by KINESIS_ENDPOINT alone, and a variable that is no URL is named", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* EmbeddedKinesis.EmbeddedKinesis
      const environment = (env: { readonly [name: string]: string }) =>
        ConfigProvider.layer(ConfigProvider.fromEnv({ env }))
      const shards = (env: { readonly [name: string]: string }) =>
        Effect.flatMap(KinesisClient.KinesisClient, (client) => client.listShards("s")).pipe(
          Effect.provide(KinesisClient.layerConfig.pipe(Layer.provide(environment(env))))
        )
      assert.strictEqual((yield* shards({ KINESIS_ENDPOINT: endpoint })).length, 3)
      const error = yield* Effect.flip(shards({ KINESIS_ENDPOINT: "nowhere" }))
      assert.strictEqual(error._tag, "ConfigError")
      assert.include(error.message, "KINESIS_ENDPOINT")
    }).pipe(Effect.provide(EmbeddedKinesis.layer({ streams: [{ name: "s", shards: 3 }] })))
  )

  it.live("a call to an endpoint where nobody listens is unavailable, not a crash", () =>
    Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      assert.strictEqual((yield* Effect.flip(client.listShards("s"))).reason, "Unavailable")
    }).pipe(
      Effect.provide(
        KinesisClient.layer({
          endpoint: "http://127.0.0.1:1",
          credentials: { accessKeyId: "a", secretAccessKey: Redacted.make("b") }
        })
      )
    )
  )
})

const text = (record: LambdaEvent.LambdaRecord) => Buffer.from(record.kinesis.data, "base64").toString("utf8").trim()
const fast = { stream: "s", maximumBatchingWindow: 20, pollInterval: 20, backoff: () => 5 }

describe("over the wire: publisher, stream, mapping", () => {
  it.live("T61: a thousand events of fifty keys through a shard's write limit arrive once, each key in order", () => {
    const seen = new Map<string, Array<number>>()
    const shards = new Map<string, Set<string>>()
    let requests = 0
    const handler: LambdaEvent.Handler = async (event) => {
      for (const record of event.Records) {
        const { data, partitionkey } = JSON.parse(text(record))
        seen.set(partitionkey, [...(seen.get(partitionkey) ?? []), data])
        const shard = record.eventID.split(":")[0] ?? ""
        shards.set(partitionkey, (shards.get(partitionkey) ?? new Set()).add(shard))
      }
      return { batchItemFailures: [] }
    }
    return Effect.gen(function* () {
      const mapping = yield* EventSourceMapping.make({ ...fast, handler })
      const publisher = yield* KinesisPublisher.make({ stream: "s", backoff: { base: 20, cap: 200 }, attempts: 30 })
      const envelopes = Array.from({ length: 1000 }, (_, index) =>
        Envelope.make({ type: "Asked", id: String(index), key: `user-${index % 50}`, data: index })
      )
      const answers = yield* publisher.publish(envelopes)
      assert.isTrue(answers.every(Exit.isSuccess))
      // Twenty would do if nothing were refused.
      assert.isAbove(requests, 20)
      yield* mapping.drained
      assert.strictEqual([...seen.values()].flat().length, 1000)
      for (const numbers of seen.values())
        assert.deepStrictEqual(
          numbers,
          numbers.toSorted((a, b) => a - b)
        )
      for (const of of shards.values()) assert.strictEqual(of.size, 1)
    }).pipe(
      Effect.provide(
        kinesis({
          streams: [{ name: "s", shards: 2 }],
          limits: { ...unlimited, recordsPerSecond: 250 },
          faults: (operation) => void (requests += operation === "PutRecords" ? 1 : 0)
        })
      )
    )
  })

  it.live(
    "bisect isolates the poison, which alone goes to the on-failure destination; the rest is done in order",
    () => {
      const done: Array<string> = []
      const failures: Array<OnFailure.Failure> = []
      const handler: LambdaEvent.Handler = async (event) => {
        const texts = event.Records.map(text)
        if (texts.includes("17") || texts.includes("63")) throw new Error("poison")
        done.push(...texts)
        return {}
      }
      return Effect.gen(function* () {
        const client = yield* KinesisClient.KinesisClient
        const mapping = yield* EventSourceMapping.make({
          ...fast,
          handler,
          maximumRetryAttempts: 2,
          bisectBatchOnFunctionError: true,
          onFailure: (failure) => Effect.sync(() => void failures.push(failure))
        })
        yield* client.putRecords("s", entries(100))
        yield* mapping.drained
        assert.deepStrictEqual(
          done,
          entries(100)
            .map((_, index) => String(index))
            .filter((one) => one !== "17" && one !== "63")
        )
        assert.deepStrictEqual(
          failures.map((failure) => failure.records.map((record) => Buffer.from(record.data).toString("utf8").trim())),
          [["17"], ["63"]]
        )
        assert.deepStrictEqual(
          failures.map((failure) => failure.document.KinesisBatchInfo.batchSize),
          [1, 1]
        )
      }).pipe(Effect.provide(kinesis({ streams: [{ name: "s", shards: 1 }], limits: unlimited })))
    }
  )

  it.live("T68: a partial answer resumes at the number, a wrong one sends the batch again", () => {
    const batches: Array<ReadonlyArray<string>> = []
    const answers: Array<(event: LambdaEvent.LambdaEvent) => unknown> = [
      (event) => ({ batchItemFailures: [{ itemIdentifier: event.Records[3]?.kinesis.sequenceNumber }] }),
      () => ({ batchItemFailures: [{ itemIdentifier: "4711" }] }),
      () => ""
    ]
    const handler: LambdaEvent.Handler = async (event) => {
      batches.push(event.Records.map(text))
      return answers.shift()?.(event)
    }
    return Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      yield* client.putRecords("s", entries(5))
      const mapping = yield* EventSourceMapping.make({ ...fast, handler })
      yield* mapping.drained
      assert.deepStrictEqual(batches, [
        ["0", "1", "2", "3", "4"],
        ["3", "4"],
        ["3", "4"]
      ])
    }).pipe(Effect.provide(kinesis({ streams: [{ name: "s", shards: 1 }], limits: unlimited })))
  })

  it.live("T19, T24: a split is followed to its children, in the order of every key", () => {
    const seen: Array<{ readonly key: string; readonly value: number }> = []
    const handler: LambdaEvent.Handler = async (event) => {
      seen.push(...event.Records.map((record) => ({ key: record.kinesis.partitionKey, value: Number(text(record)) })))
    }
    return Effect.gen(function* () {
      const client = yield* KinesisClient.KinesisClient
      const sdk = yield* stranger
      const mapping = yield* EventSourceMapping.make({ ...fast, handler })
      const put = (from: number) =>
        client.putRecords(
          "s",
          Array.from({ length: 20 }, (_, index) => ({
            partitionKey: `k${index % 4}`,
            data: Buffer.from(String(from + index))
          }))
        )
      yield* put(0)
      yield* Effect.promise(() =>
        sdk.send(
          new Sdk.SplitShardCommand({
            StreamName: "s",
            ShardToSplit: "shardId-000000000000",
            NewStartingHashKey: String(2n ** 127n)
          })
        )
      )
      yield* Effect.sleep(150)
      yield* put(20)
      yield* mapping.drained
      assert.strictEqual(seen.length, 40)
      for (const key of ["k0", "k1", "k2", "k3"]) {
        const values = seen.filter((one) => one.key === key).map((one) => one.value)
        assert.deepStrictEqual(
          values,
          values.toSorted((a, b) => a - b)
        )
      }
      assert.strictEqual((yield* mapping.positions).size, 3)
    }).pipe(Effect.provide(kinesis({ streams: [{ name: "s", shards: 1 }], limits: unlimited })))
  })
})
