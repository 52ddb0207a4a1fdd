import { spawn } from "node:child_process"
import { createRequire } from "node:module"
import * as path from "node:path"

import * as Sdk from "@aws-sdk/client-kinesis"
import { assert, describe, it } from "@effect/vitest"
import { NodeHttp2Handler, NodeHttpHandler } from "@smithy/node-http-handler"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Redacted from "effect/Redacted"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"

import { freePort } from "../../../scripts/servers/loopback.ts"
import * as Fetcher from "../src/Fetcher.ts"
import * as EnhancedFanOut from "../src/fetcher/EnhancedFanOut.ts"
import * as Polling from "../src/fetcher/Polling.ts"
import * as KinesisSdk from "../src/internal/KinesisSdk.ts"
import * as KinesisClient from "../src/KinesisClient.ts"

const shardId = "shardId-000000000000"
const credentials = { accessKeyId: "local", secretAccessKey: "local" }

/** A process of its own for each test: a subscription that its client left is never freed. It hears SIGKILL alone. */
const kinesisLocal = Effect.gen(function* () {
  const [tls, plain] = yield* Effect.promise(() => Promise.all([freePort(), freePort()]))
  const main = createRequire(import.meta.url).resolve("kinesis-local/main.js")
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(process.execPath, [main], {
        // It reads its certificate from there.
        cwd: path.dirname(main),
        stdio: "ignore",
        env: {
          ...process.env,
          KINESIS_MOCK_TLS_PORT: String(tls),
          KINESIS_MOCK_PLAIN_PORT: String(plain),
          LOG_LEVEL: "ERROR"
        }
      })
    ),
    (child) => Effect.sync(() => void child.kill("SIGKILL"))
  )
  const healthy = Effect.tryPromise(async () => {
    const answer = await fetch(`http://127.0.0.1:${plain}/healthcheck`)
    if (!answer.ok) throw new Error(`it answers ${answer.status}`)
  })
  yield* Effect.retry(healthy, Schedule.spaced("100 millis")).pipe(Effect.timeout("30 seconds"))
  return { https: `https://127.0.0.1:${tls}`, http: `http://127.0.0.1:${plain}` }
})

const layerHttp1 = (endpoint: string) =>
  KinesisClient.layer({
    endpoint,
    region: "us-east-1",
    credentials: { accessKeyId: credentials.accessKeyId, secretAccessKey: Redacted.make(credentials.secretAccessKey) },
    requestTimeout: "2 seconds"
  })

/**
 * The SDK closes the session of a subscription for other requests as soon as it is answered; the emulator takes that for a
 * breach of the protocol and cuts it. So here it stays open.
 */
class OpenSessions extends NodeHttp2Handler {
  override handle(...[request, options]: Parameters<NodeHttp2Handler["handle"]>) {
    return super.handle(request, { ...options, isEventStream: false })
  }
}

const layerHttp2 = (endpoint: string) =>
  Layer.effect(
    KinesisClient.KinesisClient,
    Effect.map(
      Effect.acquireRelease(
        Effect.sync(
          () =>
            new Sdk.KinesisClient({
              endpoint,
              region: "us-east-1",
              credentials,
              maxAttempts: 1,
              requestHandler: new OpenSessions({
                requestTimeout: 2000,
                // Its certificate is signed by itself.
                nodeHttp2ConnectOptions: { rejectUnauthorized: false }
              })
            })
        ),
        (sdk) => Effect.sync(() => sdk.destroy())
      ),
      KinesisSdk.calls
    )
  )

const active = Effect.gen(function* () {
  const client = yield* KinesisClient.KinesisClient
  const { status } = yield* client.describeStreamSummary("s")
  if (status !== "ACTIVE") return yield* Effect.fail(status)
  return undefined
}).pipe(Effect.retry(Schedule.spaced("100 millis")))

const created = Effect.gen(function* () {
  yield* (yield* KinesisClient.KinesisClient).createStream("s", 1)
  yield* active
})

const put = (...texts: ReadonlyArray<string>) =>
  Effect.flatMap(KinesisClient.KinesisClient, (client) =>
    client.putRecords(
      "s",
      texts.map((text) => ({ data: new TextEncoder().encode(text), partitionKey: "k" }))
    )
  )

const request = (events: Array<Fetcher.FetcherEvent>, shard = shardId): Fetcher.Request => ({
  stream: "s",
  shardId: shard,
  from: { _tag: "TrimHorizon" },
  onEvent: (event) => void events.push(event)
})

const textsOf = (page: Fetcher.Page) => page.records.map(({ data }) => new TextDecoder().decode(data))

const updateShardCount = (endpoint: string, count: number) =>
  Effect.promise(async () => {
    const sdk = new Sdk.KinesisClient({
      endpoint,
      region: "us-east-1",
      credentials,
      requestHandler: new NodeHttpHandler()
    })
    await sdk.send(
      new Sdk.UpdateShardCountCommand({ StreamName: "s", TargetShardCount: count, ScalingType: "UNIFORM_SCALING" })
    )
    sdk.destroy()
  })

describe.skipIf(process.env["LEAT_KINESIS_LOCAL"] !== "1")(
  "gate: on kinesis-local (asked for by LEAT_KINESIS_LOCAL=1)",
  () => {
    const protocols = [
      ["HTTP/2", "https", layerHttp2],
      ["HTTP/1.1", "http", layerHttp1]
    ] as const
    for (const [name, scheme, clientOf] of protocols) {
      it.live(`enhanced fan-out pushes over ${name} for longer than a call may take, and lets go`, () =>
        Effect.gen(function* () {
          const endpoint = (yield* kinesisLocal)[scheme]
          const events: Array<Fetcher.FetcherEvent> = []
          yield* Effect.gen(function* () {
            yield* created
            yield* put("1", "2")
            const fetcher = yield* Fetcher.Fetcher
            const texts = yield* Queue.unbounded<string>()
            yield* Effect.scoped(
              Effect.gen(function* () {
                yield* fetcher.read(request(events)).pipe(
                  Stream.runForEach((page) => Queue.offerAll(texts, textsOf(page))),
                  Effect.forkScoped
                )
                assert.deepStrictEqual([yield* Queue.take(texts), yield* Queue.take(texts)], ["1", "2"])
                yield* Effect.sleep("3 seconds")
                yield* put("3")
                assert.strictEqual(yield* Queue.take(texts), "3")
              })
            ).pipe(Effect.timeout("20 seconds"))
            assert.deepStrictEqual(events, [])
          }).pipe(
            Effect.provide(
              Layer.provideMerge(EnhancedFanOut.layer({ consumerName: "app", fallback: false }), clientOf(endpoint))
            )
          )
        }).pipe(Effect.scoped)
      )
    }

    it.live("T29: a shard ends when the stream is resharded, and its children begin where it ended", () =>
      Effect.gen(function* () {
        const { http } = yield* kinesisLocal
        yield* Effect.gen(function* () {
          const client = yield* KinesisClient.KinesisClient
          const fetcher = yield* Fetcher.Fetcher
          yield* created
          yield* put("1", "2")
          yield* updateShardCount(http, 2)
          yield* active
          yield* put("3")
          const shards = yield* client.listShards("s")
          const open = shards.filter(({ closed }) => !closed)
          assert.deepStrictEqual(
            open.map(({ parents }) => parents),
            [[shardId], [shardId]]
          )
          const parent = yield* Stream.runCollect(fetcher.read(request([])))
          assert.deepStrictEqual(parent.flatMap(textsOf), ["1", "2"])
          const children = yield* Effect.forEach(open, (shard) =>
            fetcher.read(request([], shard.shardId)).pipe(Stream.take(1), Stream.runCollect)
          )
          assert.deepStrictEqual(children.flat().flatMap(textsOf), ["3"])
        }).pipe(Effect.provide(Layer.provideMerge(Polling.layer(), layerHttp1(http))))
      }).pipe(Effect.scoped, Effect.timeout("50 seconds"))
    )
  }
)
