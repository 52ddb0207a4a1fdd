import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { startFauxqs } from "fauxqs"
import type { FauxqsServer } from "fauxqs"

export interface Aws {
  readonly server: FauxqsServer
  readonly endpoint: string
  readonly queueUrl: string
  readonly bucket: string
  /** Bodies of messages that a reader can get now, and of those that one holds. */
  readonly messages: () => { readonly ready: ReadonlyArray<string>; readonly held: ReadonlyArray<string> }
}

/** SQS, SNS and S3 in this process, with a queue and a bucket for what was given up. */
export const aws: Effect.Effect<Aws, never, Scope.Scope> = Effect.map(
  Effect.acquireRelease(
    Effect.promise(() => startFauxqs({ port: 0, host: "127.0.0.1", logger: false })),
    (server) => Effect.promise(() => server.stop())
  ),
  (server) => {
    const { queueUrl } = server.createQueue("given-up")
    server.createBucket("given-up")
    return {
      server,
      queueUrl,
      bucket: "given-up",
      endpoint: `http://127.0.0.1:${server.port}`,
      messages: () => {
        const { inflight, ready } = server.inspectQueue("given-up")?.messages ?? { inflight: [], ready: [] }
        return { ready: ready.map(({ body }) => body), held: inflight.map(({ message }) => message.body) }
      }
    }
  }
)
