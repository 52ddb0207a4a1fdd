/**
 * A Kinesis-compatible stream in this process, for tests and for running everything on one machine.
 *
 * **Guarantees.** Order in a shard, routing, iterators and splits are kinesalite's; the limits of a provisioned shard
 * (1000 records and 1 MiB a second in, 5 reads and 2 MiB a second out), failures per entry, pages of 10 MiB,
 * `MillisBehindLatest`, `ChildShards` and StreamARN are ours. Records live in memory and end with the layer.
 *
 * **Gotchas.** The SDK speaks HTTP/2 to Kinesis unless told otherwise: give it `NodeHttpHandler`, as our
 * `KinesisClient` does. No enhanced fan-out, no UpdateShardCount, no on-demand mode, records up to 1 MiB. A client that
 * sends CBOR (the Java SDK) is served by kinesalite alone, without our limits.
 *
 * @since 0.1.0
 */
import { createServer } from "node:http"
import type { IncomingMessage, Server, ServerResponse } from "node:http"

import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"

import * as Engine from "./embeddedKinesis/Engine.ts"
import * as Facade from "./embeddedKinesis/Facade.ts"
import type * as Limits from "./embeddedKinesis/Limits.ts"

/**
 * The embedded stream did not start.
 *
 * @category errors
 * @since 0.1.0
 */
export class EmbeddedKinesisError extends Schema.TaggedError<EmbeddedKinesisError>()("EmbeddedKinesisError", {
  reason: Schema.Literals(["Missing", "Listen", "Stream"]),
  message: Schema.String,
  retryable: Schema.Boolean,
  cause: Schema.optionalKey(Schema.Defect())
}) {}

/**
 * Where it listens.
 *
 * @category services
 * @since 0.1.0
 */
export class EmbeddedKinesis extends Context.Service<
  EmbeddedKinesis,
  {
    /** `http://127.0.0.1:port` */
    readonly endpoint: string
    readonly port: number
  }
>()("@leat/transport-kinesis/testing/EmbeddedKinesis") {}

/**
 * An error to answer instead of doing the operation.
 *
 * @category models
 * @since 0.1.0
 */
export interface Fault {
  /** AWS's name of the error, such as `InternalFailure`. */
  readonly type: string
  readonly message?: string | undefined
  /** HTTP status. Default 400; 500 for `InternalFailure`. */
  readonly status?: number | undefined
}

/**
 * How the stream behaves.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Default 0: any free port. */
  readonly port?: number | undefined
  /** Streams to create. Default none. */
  readonly streams?: ReadonlyArray<{ readonly name: string; readonly shards: number }> | undefined
  readonly limits?: Limits.Limits | undefined
  /** Asked before each operation; what it returns is answered instead. */
  readonly faults?: ((operation: string, input: Facade.Input) => Fault | undefined) | undefined
}

/**
 * Starts a stream and stops it with the layer.
 *
 * @category layers
 * @since 0.1.0
 */
export const layer = (options: Options = {}): Layer.Layer<EmbeddedKinesis, EmbeddedKinesisError> =>
  Layer.effect(EmbeddedKinesis, start(options))

const start = (options: Options): Effect.Effect<EmbeddedKinesis["Service"], EmbeddedKinesisError, Scope.Scope> =>
  Effect.gen(function* () {
    const clock = yield* Clock.Clock
    const engine = yield* Effect.tryPromise({
      try: () => Engine.make(),
      catch: (cause) =>
        new EmbeddedKinesisError({
          reason: "Missing",
          message: "kinesalite could not be loaded: add it to the development dependencies",
          retryable: false,
          cause
        })
    })
    yield* Effect.forEach(options.streams ?? [], (stream) => create(engine, stream), { discard: true })
    const facade = Facade.make(engine, options.limits, () => clock.currentTimeMillisUnsafe())
    const server = createServer((request, response) => void serve(engine, facade, options, request, response))
    // Node hangs up after 5 seconds, just when a client that asks now and then uses its connection again.
    server.keepAliveTimeout = 120_000
    const port = yield* listen(server, options.port ?? 0)
    return { port, endpoint: `http://127.0.0.1:${port}` }
  })

const create = Effect.fnUntraced(function* (
  engine: Engine.Engine,
  stream: { readonly name: string; readonly shards: number }
) {
  const { name, shards } = stream
  const answer = yield* Effect.promise(() => engine.call("CreateStream", { StreamName: name, ShardCount: shards }))
  if (answer.status !== 200) {
    return yield* new EmbeddedKinesisError({
      reason: "Stream",
      message: `stream ${name} with ${shards} shards: ${answer.body.toString("utf8")}`,
      retryable: false
    })
  }
  // It turns active a turn of the event loop after the answer.
  return yield* Effect.repeat(
    Effect.andThen(
      Effect.promise(() => new Promise((resolve) => setImmediate(resolve))),
      Effect.promise(() => engine.call("DescribeStreamSummary", { StreamName: name }))
    ),
    { until: (summary) => summary.body.includes('"ACTIVE"'), times: 1000 }
  )
})

const listen = (server: Server, port: number): Effect.Effect<number, EmbeddedKinesisError, Scope.Scope> =>
  Effect.acquireRelease(
    Effect.callback<number, EmbeddedKinesisError>((resume) => {
      server.once("error", (cause) =>
        resume(
          Effect.fail(
            new EmbeddedKinesisError({
              reason: "Listen",
              message: `port ${port} of 127.0.0.1: ${cause.message}`,
              retryable: false,
              cause
            })
          )
        )
      )
      server.listen(port, "127.0.0.1", () => {
        const address = server.address()
        resume(Effect.succeed(typeof address === "object" && address !== null ? address.port : port))
      })
    }),
    () =>
      Effect.callback<void>((resume) => {
        server.close(() => resume(Effect.void))
        server.closeAllConnections()
      })
  )

const serve = async (
  engine: Engine.Engine,
  facade: Facade.Facade,
  options: Options,
  request: IncomingMessage,
  response: ServerResponse
): Promise<void> => {
  let answer: Engine.Answer
  try {
    const chunks: Array<Buffer> = []
    for await (const chunk of request) chunks.push(chunk)
    answer = await answerTo(engine, facade, options, request, Buffer.concat(chunks))
  } catch (cause) {
    answer = Engine.failure("InternalFailure", String(cause), 500)
  }
  response.writeHead(answer.status, { ...answer.headers, "content-length": answer.body.length })
  response.end(answer.body)
}

const answerTo = async (
  engine: Engine.Engine,
  facade: Facade.Facade,
  options: Options,
  request: IncomingMessage,
  body: Buffer
): Promise<Engine.Answer> => {
  const operation = /^Kinesis_20131202\.(\w+)$/.exec(String(request.headers["x-amz-target"]))?.[1]
  const input = request.headers["content-type"] === Engine.json ? parse(body) : undefined
  // Whatever is no well-formed, signed call in JSON is the engine's to refuse or serve.
  if (operation === undefined || input === undefined || request.headers.authorization === undefined) {
    return engine.forward(request.headers, body)
  }
  const fault = options.faults?.(operation, input)
  if (fault === undefined) return facade.answer(operation, input)
  return Engine.failure(
    fault.type,
    fault.message ?? "injected",
    fault.status ?? (fault.type === "InternalFailure" ? 500 : 400)
  )
}

const parse = (body: Buffer): Facade.Input | undefined => {
  try {
    const value: unknown = JSON.parse(body.toString("utf8"))
    return typeof value === "object" && value !== null && !Array.isArray(value) ? { ...value } : undefined
  } catch {
    return undefined
  }
}
