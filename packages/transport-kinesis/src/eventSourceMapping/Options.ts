/**
 * The options of a mapping, AWS's defaults and AWS's bounds.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/api/API_CreateEventSourceMapping.html
 * @since 0.1.0
 */
import { randomUUID } from "node:crypto"

import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Result from "effect/Result"

import type * as Checkpoint from "../Checkpoint.ts"
import type * as LambdaEvent from "../LambdaEvent.ts"
import * as ShardPosition from "../ShardPosition.ts"
import * as Batch from "./Batch.ts"
import * as Filter from "./Filter.ts"
import { EventSourceMappingError } from "./MappingError.ts"
import type * as OnFailure from "./OnFailure.ts"
import type * as OnFailureDestination from "./OnFailureDestination.ts"

/**
 * A mapping. Names are AWS's.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  /** Name or ARN of the stream. */
  readonly stream: string
  readonly handler: LambdaEvent.Handler
  /** Default `"function"`. */
  readonly functionName?: string | undefined
  /** How long an invocation may take; longer counts as thrown. Default 30 seconds. */
  readonly functionTimeout?: Duration.Input | undefined
  /** Records an invocation, 1 to 10 000. Default 100. */
  readonly batchSize?: number | undefined
  /** How long a batch waits for more, 0 to 300 seconds. Default 1 second (AWS: 0). */
  readonly maximumBatchingWindow?: Duration.Input | undefined
  /** Batches of a shard at once, 1 to 10, those of a partition key in order. Default 1. */
  readonly parallelizationFactor?: number | undefined
  /** −1 to 10 000; −1 is until the record expires. Default −1. */
  readonly maximumRetryAttempts?: number | undefined
  /** Records older than this are given up: 60 seconds to 7 days, or −1: the stream's retention. Default −1. */
  readonly maximumRecordAge?: Duration.Input | undefined
  /** Default false. */
  readonly bisectBatchOnFunctionError?: boolean | undefined
  /** Whether the answer names what failed. Default true (AWS: false). */
  readonly reportBatchItemFailures?: boolean | undefined
  /** Patterns of which a record has to match one to be sent; AWS takes 5, at most 10. Default: every record is sent. */
  readonly filterCriteria?: ReadonlyArray<Filter.Pattern> | undefined
  /** Length of a tumbling window, whole seconds up to 900; 0 is none. Default 0. */
  readonly tumblingWindow?: Duration.Input | undefined
  /**
   * Where the first start begins: `TRIM_HORIZON`, `LATEST` (what arrives from the start of the mapping on) or a moment in
   * epoch milliseconds. Default `TRIM_HORIZON`.
   */
  readonly startingPosition?: "TRIM_HORIZON" | "LATEST" | { readonly atTimestamp: number } | undefined
  /** Gets what was given up. Default: an error in the log, and the record is gone, as on AWS. */
  readonly onFailure?: OnFailureDestination.OnFailureDestination | undefined
  /** Invocations at once over all shards; those beyond are throttled. Default: no bound. */
  readonly reservedConcurrency?: number | undefined
  /** What to do at an aggregate of the KPL under lanes or filters, which don't work with it. Default `"warn"`. */
  readonly aggregates?: "warn" | "refuse" | undefined
  /** Where positions are kept, so that a mapping of the same name goes on where this one was. Default: nowhere. */
  readonly checkpoints?:
    | { readonly store: Checkpoint.CheckpointStore["Service"]; readonly application: string }
    | undefined
  /** The UUID that AWS gives a mapping; a part of keys on S3. Default: a new one. */
  readonly uuid?: string | undefined
  /** Time between reads at the tip of a shard; AWS reads once a second. Default 1 second. */
  readonly pollInterval?: Duration.Input | undefined
  /** Pause before the n-th retry of the same records. Default 200 ms · 2ⁿ, at most 30 seconds. */
  readonly backoff?: ((retry: number) => Duration.Input) | undefined
  /** Time between looks for new shards; the end of a shard looks at once. Default 30 seconds. */
  readonly discoveryInterval?: Duration.Input | undefined
}

/**
 * Options that AWS would take, with their defaults, in milliseconds.
 *
 * @category constructors
 * @since 0.1.0
 */
export const resolve = Effect.fnUntraced(function* (options: Options) {
  const parallelizationFactor = yield* within("ParallelizationFactor", options.parallelizationFactor ?? 1, 1, 10)
  const tumblingWindow = yield* windowOf(options, parallelizationFactor)
  const { reservedConcurrency } = options
  if (reservedConcurrency !== undefined) yield* within("ReservedConcurrency", reservedConcurrency, 0, 1_000_000)
  const maximumRetryAttempts = yield* within("MaximumRetryAttempts", options.maximumRetryAttempts ?? -1, -1, 10_000)
  return {
    functionName: options.functionName ?? "function",
    functionTimeout: yield* span("FunctionTimeout", options.functionTimeout ?? "30 seconds", 1, 900_000),
    reportBatchItemFailures: options.reportBatchItemFailures ?? true,
    reservedConcurrency,
    bounds: {
      batchSize: yield* within("BatchSize", options.batchSize ?? 100, 1, 10_000),
      payloadBytes: Batch.largestPayload
    },
    payloadBytes: Batch.largestPayload,
    window: yield* span("MaximumBatchingWindow", options.maximumBatchingWindow ?? "1 second", 0, 300_000),
    parallelizationFactor,
    filter: yield* filterOf(options.filterCriteria ?? []),
    tumblingWindow,
    policy: { maximumRetryAttempts, bisect: options.bisectBatchOnFunctionError ?? false },
    maximumAge: yield* ageOf(options.maximumRecordAge ?? -1),
    startingPosition: options.startingPosition ?? ("TRIM_HORIZON" as const),
    onFailure: options.onFailure ?? logged,
    aggregates: options.aggregates ?? ("warn" as const),
    mappingId: options.uuid ?? randomUUID(),
    pollInterval: yield* span("PollInterval", options.pollInterval ?? "1 second", 1, Infinity),
    backoff: (retry: number) => Duration.toMillis(options.backoff?.(retry) ?? Math.min(30_000, 100 * 2 ** retry)),
    discovery: options.discoveryInterval ?? "30 seconds"
  }
})

/**
 * Resolved options.
 *
 * @category models
 * @since 0.1.0
 */
export type Settings = Effect.Success<ReturnType<typeof resolve>>

/**
 * Where the application begins. `LATEST` is resolved here, once: asked again later it would jump over what came since.
 *
 * @category getters
 * @since 0.1.0
 */
export const begin = (start: Settings["startingPosition"], now: number): ShardPosition.ShardPosition => {
  if (start === "LATEST") return ShardPosition.atTimestamp(now)
  return start === "TRIM_HORIZON" ? ShardPosition.trimHorizon : ShardPosition.atTimestamp(start.atTimestamp)
}

const refuse = (reason: EventSourceMappingError["reason"], message: string) =>
  Effect.fail(new EventSourceMappingError({ reason, message: `${reason} ${message}`, retryable: false }))

const within = (reason: EventSourceMappingError["reason"], value: number, low: number, high: number) =>
  Number.isSafeInteger(value) && value >= low && value <= high
    ? Effect.succeed(value)
    : refuse(reason, `is ${value}: an integer from ${low} to ${high}`)

const span = (reason: EventSourceMappingError["reason"], value: Duration.Input, low: number, high: number) => {
  const millis = Duration.toMillis(value)
  return millis >= low && millis <= high
    ? Effect.succeed(millis)
    : refuse(reason, `is ${millis} ms: from ${low} to ${high}`)
}

const ageOf = (value: Duration.Input) =>
  value === -1 ? Effect.succeed(Infinity) : span("MaximumRecordAge", value, 60_000, 604_800_000)

const windowOf = Effect.fnUntraced(function* (options: Options, parallelizationFactor: number) {
  const millis = yield* span("TumblingWindow", options.tumblingWindow ?? 0, 0, 900_000)
  if (millis % 1000 !== 0) return yield* refuse("TumblingWindow", `is ${millis} ms: whole seconds`)
  if (millis > 0 && parallelizationFactor > 1) {
    return yield* refuse("TumblingWindow", "needs a ParallelizationFactor of 1: a shard has one state")
  }
  return millis === 0 ? undefined : millis
})

const filterOf = (patterns: ReadonlyArray<Filter.Pattern>) => {
  if (patterns.length === 0) return Effect.succeed(undefined)
  return Result.match(Filter.make(patterns), {
    onSuccess: (filter) => Effect.succeed(filter),
    onFailure: ({ message }) => refuse("FilterCriteria", `can't be used: ${message}`)
  })
}

const logged = ({ document }: OnFailure.Failure): Effect.Effect<void> =>
  Effect.logError("Records were given up and there is no on-failure destination", document)
