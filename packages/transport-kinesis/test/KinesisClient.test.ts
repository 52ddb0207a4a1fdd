import type { ServerResponse } from "node:http"
import { constants } from "node:http2"
import type { ServerHttp2Stream } from "node:http2"

import { assert, describe, it } from "@effect/vitest"
import * as Envelope from "@leat/core/Envelope"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"

import * as KinesisSdk from "../src/internal/KinesisSdk.ts"
import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisError from "../src/KinesisError.ts"
import * as KinesisPublisher from "../src/KinesisPublisher.ts"
import * as FakeKinesis from "../src/testing/FakeKinesis.ts"
import { httpService } from "./httpService.ts"
import { kinesisOverHttp2 } from "./kinesisOverHttp2.ts"
import type { Answer } from "./kinesisOverHttp2.ts"

const named = (name: string, more: object = {}) => Object.assign(new Error("said so"), { name, ...more })

describe("made-up credentials", () => {
  it("go to this machine over plain HTTP and nowhere else", () => {
    for (const endpoint of ["http://127.0.0.1:4567", "http://localhost", "http://[::1]:1", "http://127.8.8.8:80/"]) {
      assert.isTrue(KinesisClient.isLoopback(endpoint), endpoint)
    }
    for (const endpoint of [
      "https://127.0.0.1:4567",
      "http://127.0.0.1.example.com",
      "http://localhost.example.com",
      "http://10.0.0.1",
      "http://user@example.com",
      "127.0.0.1:4567",
      ""
    ]) {
      assert.isFalse(KinesisClient.isLoopback(endpoint), endpoint)
    }
  })
})

describe("what the SDK throws", () => {
  const table: ReadonlyArray<readonly [Error, KinesisError.Reason, boolean]> = [
    [named("ProvisionedThroughputExceededException"), "Throttled", true],
    [named("LimitExceededException"), "Throttled", true],
    [named("InternalFailure", { $metadata: { httpStatusCode: 500 } }), "Unavailable", true],
    [named("SomethingNew", { $metadata: { httpStatusCode: 503 } }), "Unavailable", true],
    [named("SomethingNew", { $metadata: { httpStatusCode: 400 }, $fault: "client" }), "Unknown", false],
    [named("SyntaxError", { $metadata: { httpStatusCode: 200 } }), "Unavailable", true],
    [named("SyntaxError", { $metadata: { httpStatusCode: 400 } }), "Unavailable", true],
    [named("Error", { $metadata: { httpStatusCode: 200 }, code: "ECONNRESET" }), "Unavailable", true],
    [named("TimeoutError"), "Unavailable", true],
    [named("Error", { code: "ECONNREFUSED" }), "Unavailable", true],
    [named("ExpiredIteratorException"), "ExpiredIterator", false],
    [named("ResourceNotFoundException"), "NotFound", false],
    [named("CredentialsProviderError"), "AccessDenied", false],
    [named("KMSDisabledException"), "Encryption", false],
    [named("ValidationException"), "Invalid", false],
    [new TypeError("a bug"), "Unknown", false]
  ]
  for (const [thrown, reason, retryable] of table) {
    it(`${thrown.name} ${"code" in thrown ? String(thrown.code) : ""} is ${reason}`, () => {
      const error = KinesisError.fromThrown("GetRecords", thrown)
      assert.deepStrictEqual([error.reason, error.retryable, error.operation], [reason, retryable, "GetRecords"])
    })
  }
})

const half = '{"Shards":[{"Sha'

type Service = KinesisClient.KinesisClient["Service"]

/** Why a call failed that must not take long. */
const failureOf = <A>(call: Effect.Effect<A, KinesisError.KinesisError>) =>
  Effect.map(Effect.timeout(Effect.flip(call), "3 seconds"), ({ reason, retryable }) => [reason, retryable])

const unavailable = ["Unavailable", true]

describe("a call", () => {
  const silences: ReadonlyArray<readonly [string, (response: ServerResponse) => void]> = [
    ["never answers", () => {}],
    ["falls silent in the midst of its answer", (response) => void response.writeHead(200).write(half)],
    [
      "answers by a letter now and then",
      (response) => {
        const letters = setInterval(() => response.write(" "), 50)
        response.on("close", () => clearInterval(letters))
      }
    ]
  ]
  for (const [what, answer] of silences) {
    it.live(`regression: a Kinesis that ${what} is unavailable after the request timeout`, () =>
      Effect.gen(function* () {
        const endpoint = yield* httpService(answer)
        const call = Effect.flatMap(KinesisClient.KinesisClient, (client) => client.listShards("s"))
        const layer = KinesisClient.layer({ endpoint, requestTimeout: "200 millis" })
        assert.deepStrictEqual(yield* failureOf(Effect.provide(call, layer)), unavailable)
      })
    )
  }

  it.live("regression: an answer over HTTP/1.1 that breaks off is none", () =>
    Effect.gen(function* () {
      const endpoint = yield* httpService((response) => {
        response.writeHead(200, { "content-length": "100" }).write(half)
        setTimeout(() => response.destroy(), 20)
      })
      const call = Effect.flatMap(KinesisClient.KinesisClient, (client) => client.listShards("s"))
      assert.deepStrictEqual(
        yield* failureOf(Effect.provide(call, KinesisClient.layer({ endpoint, requestTimeout: "2 seconds" }))),
        unavailable
      )
    })
  )
})

const begin = (stream: ServerHttp2Stream, status = 200) =>
  stream.respond({ ":status": status, "content-type": "application/x-amz-json-1.1" })

const breaks: ReadonlyArray<readonly [string, Answer]> = [
  ["before it began", (stream) => stream.close(constants.NGHTTP2_CANCEL)],
  ["before it began, without an error", (stream) => stream.close()],
  [
    "before it began, as the connection was about to close",
    (stream) => {
      stream.session?.goaway()
      stream.close()
    }
  ],
  [
    "after its head",
    (stream) => {
      begin(stream)
      setTimeout(() => stream.session?.destroy(), 20)
    }
  ],
  [
    "after its head, in silence",
    (stream) => {
      begin(stream)
    }
  ],
  [
    "halfway",
    (stream) => {
      begin(stream)
      stream.write(half)
      setTimeout(() => stream.session?.destroy(), 20)
    }
  ],
  [
    "halfway, by a reset",
    (stream) => {
      begin(stream)
      stream.write(half)
      setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 20)
    }
  ],
  [
    "halfway through a refusal",
    (stream) => {
      begin(stream, 400)
      stream.write('{"__type":"Prov')
      setTimeout(() => stream.session?.destroy(), 20)
    }
  ]
]

const readingCalls: Readonly<
  Record<string, (client: Service) => Effect.Effect<object | string, KinesisError.KinesisError>>
> = {
  DescribeStreamConsumer: (client) => client.describeConsumer("arn:aws:kinesis:us-east-1:000000000000:stream/s", "app"),
  DescribeStreamSummary: (client) => client.describeStreamSummary("s"),
  GetRecords: (client) => client.getRecords("iterator", 10),
  GetShardIterator: (client) => client.getShardIterator("s", "shardId-000000000000", { _tag: "TrimHorizon" }),
  ListShards: (client) => client.listShards("s"),
  PutRecords: (client) => client.putRecords("s", [{ data: Buffer.from("1"), partitionKey: "k" }]),
  RegisterStreamConsumer: (client) => client.registerConsumer("arn:aws:kinesis:us-east-1:000000000000:stream/s", "app")
}

describe("an answer over HTTP/2 that breaks off is none:", () => {
  for (const [when, answer] of breaks) {
    it.live(`regression: ${when}`, () =>
      Effect.gen(function* () {
        const { sdk } = yield* kinesisOverHttp2(answer)
        const client = KinesisSdk.calls(sdk, 1_000)
        assert.deepStrictEqual(yield* failureOf(client.getRecords("iterator", 10)), unavailable)
      }).pipe(Effect.scoped)
    )
  }

  it.live("regression: of every call that has an answer, an empty one is none", () =>
    Effect.gen(function* () {
      const { sdk } = yield* kinesisOverHttp2((stream) => {
        begin(stream)
        stream.end()
      })
      const client = KinesisSdk.calls(sdk, 1_000)
      for (const [operation, call] of Object.entries(readingCalls))
        assert.deepStrictEqual([operation, ...(yield* failureOf(call(client)))], [operation, ...unavailable])
      yield* client.createStream("s", 1)
    }).pipe(Effect.scoped)
  )

  it.live("regression: in the midst of a large request", () =>
    Effect.gen(function* () {
      const { sdk } = yield* kinesisOverHttp2((stream) => {
        stream.pause()
        setTimeout(() => stream.close(), 20)
      }, 300)
      const put = KinesisSdk.calls(sdk, 300).putRecords
      const records = Array.from({ length: 3 }, () => ({ data: Buffer.alloc(1_000_000), partitionKey: "k" }))
      assert.deepStrictEqual(yield* failureOf(put("s", records)), unavailable)
    }).pipe(Effect.scoped)
  )

  it.live("regression: so publishing goes on with the next try", () =>
    Effect.gen(function* () {
      let puts = 0
      const { sdk } = yield* kinesisOverHttp2((stream) => {
        stream.once("end", () => {
          if (puts++ === 0) {
            begin(stream)
            stream.write('{"Reco')
            setTimeout(() => stream.session?.destroy(), 20)
            return
          }
          begin(stream)
          stream.end(JSON.stringify({ Records: [{ SequenceNumber: "1", ShardId: "shardId-000000000000" }] }))
        })
      }, 2_000)
      const publisher = yield* KinesisPublisher.make({ stream: "s", mode: "unordered", maxRecordBytes: 1024 }).pipe(
        Effect.provideService(KinesisClient.KinesisClient, {
          ...FakeKinesis.makeUnsafe({ streams: [{ name: "s" }] }).client,
          putRecords: KinesisSdk.calls(sdk).putRecords
        })
      )
      const answers = yield* publisher.publish([Envelope.make({ type: "Asked", key: "k", data: 1 })])
      assert.isTrue(answers.every(Exit.isSuccess))
      assert.strictEqual(puts, 2)
    }).pipe(Effect.scoped)
  )
})
