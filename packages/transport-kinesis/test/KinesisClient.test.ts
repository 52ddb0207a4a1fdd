import { createServer } from "node:http"

import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"

import * as KinesisClient from "../src/KinesisClient.ts"
import * as KinesisError from "../src/KinesisError.ts"

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
    [named("SomethingNew", { $metadata: { httpStatusCode: 400 } }), "Unknown", false],
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

/** Accepts connections and never answers. */
const silent = Effect.acquireRelease(
  Effect.callback<{ readonly endpoint: string; readonly stop: () => void }>((resume) => {
    const server = createServer(() => {})
    server.listen(0, "127.0.0.1", () => {
      const address = server.address()
      const port = typeof address === "object" && address !== null ? address.port : 0
      const stop = () => {
        server.close()
        server.closeAllConnections()
      }
      resume(Effect.succeed({ endpoint: `http://127.0.0.1:${port}`, stop }))
    })
  }),
  ({ stop }) => Effect.sync(stop)
)

describe("a call", () => {
  it.live("regression: a Kinesis that never answers is unavailable after the request timeout", () =>
    Effect.gen(function* () {
      const { endpoint } = yield* silent
      const error = yield* Effect.flatMap(KinesisClient.KinesisClient, (client) => client.listShards("s")).pipe(
        Effect.provide(KinesisClient.layer({ endpoint, requestTimeout: "200 millis" })),
        Effect.flip,
        Effect.timeout("3 seconds")
      )
      assert.deepStrictEqual([error.reason, error.retryable], ["Unavailable", true])
    })
  )
})
