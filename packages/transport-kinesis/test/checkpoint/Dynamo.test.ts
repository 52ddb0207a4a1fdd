import { createServer } from "node:http"
import type { RequestListener } from "node:http"
import type { AddressInfo } from "node:net"

import { assert, describe, it } from "@effect/vitest"
import { CheckpointStore } from "@leat/transport-kinesis/Checkpoint"
import type { Group } from "@leat/transport-kinesis/Checkpoint"
import * as Dynamo from "@leat/transport-kinesis/checkpoint/Dynamo"
import * as ShardPosition from "@leat/transport-kinesis/ShardPosition"
import * as CheckpointSuite from "@leat/transport-kinesis/testing/CheckpointSuite"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

import { endpoint } from "./dynalite.ts"

CheckpointSuite.suite(
  "DynamoDB",
  Dynamo.layer({ endpoint: await endpoint(), table: "checkpoints", createTable: true }),
  {
    runs: 4
  }
)

const group: Group = { application: "shop", stream: "orders@1" }
const write = { shardId: "shardId-0", token: 1, revision: 1, position: ShardPosition.end }

/** A DynamoDB that answers what the test says. */
const answering = (listener: RequestListener) =>
  Effect.map(
    Effect.acquireRelease(
      Effect.promise(async () => {
        const server = createServer(listener)
        await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening))
        return server
      }),
      (server) =>
        Effect.sync(() => {
          server.closeAllConnections()
          server.close()
        })
    ),
    (server) => `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  )

const always =
  (status: number, type: string): RequestListener =>
  (request, response) => {
    request.resume()
    response.writeHead(status, { "content-type": "application/x-amz-json-1.0" })
    response.end(JSON.stringify({ __type: `com.amazonaws.dynamodb.v20120810#${type}`, message: "the message" }))
  }

const faultAt = (endpoint: string, timeout = 1_000) =>
  Effect.gen(function* () {
    const { advance } = yield* CheckpointStore
    return yield* Effect.flip(advance(group, write))
  }).pipe(Effect.provide(Dynamo.layer({ endpoint, table: "checkpoints", timeout })))

describe("a DynamoDB", () => {
  const cases = [
    ["T9, T38: that throttles", 400, "ProvisionedThroughputExceededException", "Throttled", true],
    ["T38: that throttles the account", 400, "ThrottlingException", "Throttled", true],
    ["that is ill", 500, "InternalServerError", "Unavailable", true],
    ["that does not know us", 400, "UnrecognizedClientException", "Refused", false],
    ["that does not let us", 400, "AccessDeniedException", "Refused", false]
  ] as const
  for (const [sentence, status, type, reason, retryable] of cases) {
    it.live(`${sentence} is ${reason}`, () =>
      Effect.gen(function* () {
        let asked = 0
        const answer = always(status, type)
        const error = yield* faultAt(yield* answering((...call) => ((asked += 1), answer(...call))))
        assert.deepStrictEqual([error.reason, error.retryable, error.operation], [reason, retryable, "advance"])
        assert.strictEqual(asked, 1, "a repeat is the caller's to decide")
      }).pipe(Effect.scoped)
    )
  }

  it.live("that never answers is Unavailable in time", () =>
    Effect.gen(function* () {
      const start = performance.now()
      const error = yield* faultAt(yield* answering(() => {}), 100)
      assert.deepStrictEqual([error.reason, error.retryable], ["Unavailable", true])
      assert.isBelow(performance.now() - start, 1_000)
    }).pipe(Effect.scoped)
  )

  it.live("that nobody listens for is Unavailable", () =>
    Effect.map(faultAt("http://127.0.0.1:1"), ({ reason }) => assert.strictEqual(reason, "Unavailable"))
  )
})

describe("first positions in a DynamoDB", () => {
  it.live("regression: are written in the order given, and none behind one that failed", () =>
    Effect.gen(function* () {
      const asked: Array<string> = []
      const url = yield* answering((request, response) => {
        request.setEncoding("utf8").once("data", (body: string) => {
          asked.push(/shardId-\d+/.exec(body)?.[0] ?? body)
          // Time for others to ask, if they would.
          if (asked.length === 3) return setTimeout(() => always(500, "InternalServerError")(request, response), 30)
          response.writeHead(200, { "content-type": "application/x-amz-json-1.0" })
          return response.end("{}")
        })
      })
      const shards = ["shardId-5", "shardId-4", "shardId-2", "shardId-3", "shardId-1"]
      const rows = shards.map((shardId) => ({ shardId, position: ShardPosition.trimHorizon }))
      const layer = Dynamo.layer({ endpoint: url, table: "checkpoints" })
      const creating = Effect.flatMap(CheckpointStore, ({ create }) => Effect.flip(create(group, rows)))
      const error = yield* Effect.provide(creating, layer)
      assert.deepStrictEqual([error.reason, error.operation], ["Unavailable", "create"])
      assert.deepStrictEqual(asked, shards.slice(0, 3))
    }).pipe(Effect.scoped)
  )
})

describe("a table of checkpoints", () => {
  it.live("that is not there is refused, with the mend", () =>
    Effect.gen(function* () {
      const error = yield* faultAt(yield* Effect.promise(() => endpoint()))
      assert.deepStrictEqual([error.reason, error.retryable], ["Refused", false])
      assert.include(error.message, "createTable")
    })
  )

  it.live("is made by whoever starts first, and waited for by all", () =>
    Effect.gen(function* () {
      const url = yield* Effect.promise(() => endpoint(200))
      const start = Effect.flatMap(CheckpointStore, ({ list }) => list(group)).pipe(
        Effect.provide(Layer.fresh(Dynamo.layer({ endpoint: url, table: "checkpoints", createTable: true })))
      )
      const lists = yield* Effect.forEach([1, 2, 3, 4], () => start, { concurrency: "unbounded" })
      assert.deepStrictEqual(lists, [[], [], [], []])
    })
  )
})
