/**
 * Tests a Lambda function as AWS's event source mapping would run it: these records, this mapping, what happened?
 *
 * No server, no HTTP, no waiting: the stream is in memory, and its clock jumps from one moment at which something is due
 * to the next. Windows of minutes and retries of a day pass in milliseconds; only the function takes its own time.
 *
 * **Example** (Somebody else's handler, in five lines)
 *
 * ```ts
 * import * as HandlerTest from "@leat/transport-kinesis/testing/HandlerTest"
 * import type { LambdaEvent } from "@leat/transport-kinesis/LambdaEvent"
 *
 * const handler = async (event: LambdaEvent) => {
 *   for (const { kinesis } of event.Records) if (atob(kinesis.data) === "poison") throw new Error("poison")
 * }
 * const options = { bisectBatchOnFunctionError: true, maximumRetryAttempts: 2 }
 * const report = await HandlerTest.runPromise(handler, ["1", "2", "poison", "4"], options)
 * report.givenUp // => ["poison"]
 * report.stats.settled // => 3
 * ```
 *
 * **Gotchas.** The function has the real clock. One that never answers is waited for as long as its timeout says, in real
 * time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"

import * as EventSourceMapping from "../EventSourceMapping.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"
import * as FakeKinesis from "./FakeKinesis.ts"
import * as Calls from "./handlerTest/Calls.ts"
import * as VirtualClock from "./handlerTest/VirtualClock.ts"

/**
 * A record to put: its data, or more of it.
 *
 * @category models
 * @since 0.1.0
 */
export type Given = string | Uint8Array | FakeKinesis.Given

/**
 * The mapping, and the stream before it.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options extends Omit<EventSourceMapping.Options, "stream" | "handler" | "onFailure" | "checkpoints"> {
  /** Default `"test"`. */
  readonly stream?: string | undefined
  /** Default 1. */
  readonly shards?: number | undefined
  /** When the records are put and the mapping starts, in epoch milliseconds. Default: now. */
  readonly now?: number | undefined
}

/**
 * What happened.
 *
 * @category models
 * @since 0.1.0
 */
export interface Report {
  /** In the order in which they began. */
  readonly calls: ReadonlyArray<Calls.Call>
  /** The data of records that went to the on-failure destination, as UTF-8. */
  readonly givenUp: ReadonlyArray<string>
  /** The same with AWS's documents. */
  readonly failures: ReadonlyArray<EventSourceMapping.Failure>
  readonly stats: EventSourceMapping.Stats
  readonly events: ReadonlyArray<EventSourceMapping.Event>
  /** Milliseconds that it would have taken, without the function's own. */
  readonly elapsed: number
}

/**
 * Puts the records, runs the mapping until each is done, dropped by a filter or given up and every window is closed, and
 * reports.
 *
 * @category running
 * @since 0.1.0
 */
export const run = (
  handler: LambdaEvent.Handler,
  records: ReadonlyArray<Given>,
  options: Options = {}
): Effect.Effect<Report, EventSourceMapping.MappingStopped> =>
  Effect.gen(function* () {
    const virtual = VirtualClock.make(options.now ?? (yield* Clock.currentTimeMillis))
    const calls = Calls.watch(handler)
    const timeout = Duration.toMillis(options.functionTimeout ?? "30 seconds")
    const time = Effect.forever(
      Effect.map(
        Effect.promise(() => calls.idle(timeout)),
        virtual.advance
      )
    )
    const report = Effect.scoped(observe(calls, records, options))
    return yield* Effect.raceFirst(Effect.provideService(report, Clock.Clock, virtual.clock), time)
  })

/**
 * The same for tests without Effect; rejects with what stopped the mapping.
 *
 * @category running
 * @since 0.1.0
 */
export const runPromise = (
  handler: LambdaEvent.Handler,
  records: ReadonlyArray<Given>,
  options: Options = {}
): Promise<Report> => Effect.runPromise(run(handler, records, options))

const observe = Effect.fnUntraced(function* (
  calls: Calls.Calls,
  records: ReadonlyArray<Given>,
  options: Options
): Effect.fn.Return<Report, EventSourceMapping.MappingStopped, Scope.Scope> {
  const { now: _, shards, stream = "test", ...mappingOptions } = options
  const began = yield* Clock.currentTimeMillis
  const kinesis = yield* FakeKinesis.make({ streams: [{ name: stream, shards }] })
  yield* kinesis.stream(stream).put(...records.map(given))
  const failures: Array<EventSourceMapping.Failure> = []
  const mapping = yield* EventSourceMapping.make({
    ...mappingOptions,
    stream,
    handler: calls.handler,
    onFailure: (failure) => Effect.sync(() => void failures.push(failure))
  }).pipe(Effect.provide(kinesis.layer))
  const events: Array<EventSourceMapping.Event> = []
  yield* mapping.events.pipe(
    Stream.runForEach((event) => Effect.sync(() => events.push(event))),
    Effect.forkScoped({ startImmediately: true })
  )
  yield* mapping.drained
  while (windowsOpen(calls.list(), events)) yield* Effect.raceFirst(Effect.sleep("1 second"), mapping.join)
  return {
    calls: calls.list(),
    failures,
    givenUp: failures.flatMap((failure) => failure.records.map(({ data }) => Buffer.from(data).toString("utf8"))),
    stats: yield* mapping.stats,
    events,
    elapsed: (yield* Clock.currentTimeMillis) - began
  }
})

const given = (record: Given): FakeKinesis.Given =>
  typeof record === "string" || record instanceof Uint8Array ? { data: record } : record

/** Whether a function has state for which no final call was answered or given up: tries of one follow each other. */
const windowsOpen = (calls: ReadonlyArray<Calls.Call>, events: ReadonlyArray<EventSourceMapping.Event>): boolean => {
  const isFinal = new Map<string, boolean>()
  let begun = 0
  for (const { event } of calls) {
    if (event.shardId === undefined) continue
    if (isFinal.get(event.shardId) !== true && event.isFinalInvokeForWindow === true) begun++
    isFinal.set(event.shardId, event.isFinalInvokeForWindow === true)
  }
  const closed = events.filter((event) => event._tag === "WindowClosed").length
  return closed < begun || [...isFinal.values()].includes(false)
}
