/** The Lambda of the system, its environment and what it said. */
import * as HttpService from "@leat/transport-http/HttpService"
import * as EventSourceMapping from "@leat/transport-kinesis/EventSourceMapping"
import * as Config from "effect/Config"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"

import * as JournalHome from "./JournalHome.ts"
import * as LambdaThread from "./LambdaThread.ts"
import * as Report from "./Report.ts"

/** The stream of the request events. */
export const stream = "movie-rec-requests"

/** The running Lambda. */
export class Lambda extends Context.Service<
  Lambda,
  {
    /** How many requests it served so far, by its own metrics. */
    readonly served: () => number
    /** What it served since this was last asked: asked now and then, it holds no more than that. */
    readonly take: () => Report.Served
    /** Records that were given up after all retries. */
    readonly failed: () => number
    /** Waits until everything put so far was served or given up. */
    readonly drained: EventSourceMapping.EventSourceMapping["drained"]
    readonly join: EventSourceMapping.EventSourceMapping["join"]
  }
>()("local/Lambda") {}

const bundle = new URL(import.meta.resolve("kinesis-lambda/dist/index.mjs"))

/** The bundle behind the mapping, with the trigger's settings of the deployed one. */
export const layer = Layer.effect(
  Lambda,
  Effect.gen(function* () {
    let served = 0
    const fresh: Array<Report.Served> = []
    let failed = 0
    const onLine = (line: string): void => {
      const metrics = Report.read(line)
      if (metrics === undefined) return void process.stderr.write(`lambda: ${messageOf(line)}\n`)
      served += Report.count(metrics)
      fresh.push(metrics)
    }
    const handler = yield* LambdaThread.start({ bundle, environment: yield* environment, onLine })
    const mapping = yield* EventSourceMapping.make({
      stream,
      handler,
      functionName: "movie-rec-kinesis-handler",
      batchSize: 100,
      maximumBatchingWindow: "1 second",
      maximumRetryAttempts: 3,
      bisectBatchOnFunctionError: true,
      reportBatchItemFailures: true,
      startingPosition: "TRIM_HORIZON",
      onFailure: ({ document, records }) =>
        Effect.sync(() => {
          failed += records.length
          process.stderr.write(`on-failure destination: ${JSON.stringify(document)}\n`)
        })
    })
    yield* Effect.forkScoped(Stream.runForEach(mapping.events, told), { startImmediately: true })
    return Lambda.of({
      served: () => served,
      take: () => Report.merge(fresh.splice(0)),
      failed: () => failed,
      drained: mapping.drained,
      join: mapping.join
    })
  })
)

/** An invocation that failed as a whole says nothing itself: it may have died. */
const told = (event: EventSourceMapping.Event): Effect.Effect<void> =>
  Effect.sync(() => {
    if (event._tag !== "Invoked" || event.error === undefined) return
    const why = event.error instanceof Error ? event.error.message : JSON.stringify(event.error)
    process.stderr.write(`lambda failed: ${why}\n`)
  })

/** A line of the function's JSON log as a person reads it. */
const messageOf = (line: string): string => {
  const log = Schema.decodeUnknownOption(LogLine)(line)
  return Option.match(log, { onNone: () => line, onSome: ({ message }) => message })
}

const LogLine = Schema.fromJsonString(Schema.Struct({ level: Schema.Literal("INFO"), message: Schema.String }))

/** As deployed: the service's address, the journal, and Redis, where there is one; else memory, said aloud. */
const environment = Effect.gen(function* () {
  const { url } = yield* HttpService.HttpService
  const redis = yield* Config.option(Config.NonEmptyString("REDIS_ENDPOINT"))
  const enabled = yield* Config.withDefault(Config.Boolean("REDIS_ENABLED"), true)
  const { FASTAPI_ENDPOINT: _, ...inherited } = process.env
  return {
    ...inherited,
    RECOMMENDER_ENDPOINT: url,
    DATABASE_URL: yield* JournalHome.url,
    REDIS_ENABLED: String(enabled && Option.isSome(redis))
  }
})
