import { readFileSync } from "node:fs"
import * as Http2 from "node:http2"
import { createRequire } from "node:module"

import * as Sdk from "@aws-sdk/client-kinesis"
import { NodeHttp2Handler } from "@smithy/node-http-handler"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/** A certificate that somebody signed for localhost: that of an emulator that is a dependency of the tests anyway. */
const certificate = Schema.decodeUnknownSync(
  Schema.fromJsonString(Schema.Struct({ server: Schema.Struct({ key: Schema.String, cert: Schema.String }) }))
)(readFileSync(createRequire(import.meta.url).resolve("kinesis-local/server.json"), "utf8")).server

export type Answer = (stream: Http2.ServerHttp2Stream) => void

/**
 * AWS's end of the wire, and an SDK that speaks to it as it does to AWS; `left` when the client let go of its request.
 * `requestTimeout`: milliseconds.
 */
export const kinesisOverHttp2 = Effect.fnUntraced(function* (answer: Answer, requestTimeout = 100) {
  const left = yield* Deferred.make<void>()
  const server = Http2.createSecureServer({ key: certificate.key, cert: certificate.cert })
  const sessions = new Set<Http2.ServerHttp2Session>()
  server.on("session", (session) => void sessions.add(session))
  server.on("sessionError", () => {})
  server.on("stream", (stream: Http2.ServerHttp2Stream) => {
    stream.on("error", () => {})
    stream.on("close", () => Deferred.doneUnsafe(left, Effect.void))
    stream.resume()
    answer(stream)
  })
  const port = yield* Effect.acquireRelease(
    Effect.callback<number>((resume) => {
      server.listen(0, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : 0))
      })
    }),
    () =>
      Effect.sync(() => {
        for (const session of sessions) session.destroy()
        server.close()
      })
  )
  const sdk = yield* Effect.acquireRelease(
    Effect.sync(
      () =>
        new Sdk.KinesisClient({
          endpoint: `https://127.0.0.1:${port}`,
          region: "us-east-1",
          credentials: { accessKeyId: "local", secretAccessKey: "local" },
          maxAttempts: 1,
          requestHandler: new NodeHttp2Handler({
            requestTimeout,
            nodeHttp2ConnectOptions: { rejectUnauthorized: false }
          })
        })
    ),
    (client) => Effect.sync(() => client.destroy())
  )
  return { sdk, left: Effect.timeout(Deferred.await(left), "5 seconds") }
})
