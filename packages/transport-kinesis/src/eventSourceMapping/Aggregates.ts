/**
 * Watches for aggregates of the Kinesis Producer Library where they do harm: "ParallelizationFactor will not work if you
 * are using Kinesis aggregation", and a filter drops them whole.
 *
 * @see https://docs.aws.amazon.com/lambda/latest/dg/kinesis-polling-and-batching.html
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import * as Aggregation from "../Aggregation.ts"
import type * as KinesisClient from "../KinesisClient.ts"
import { EventSourceMappingError } from "./MappingError.ts"
import type * as MappingEvent from "./MappingEvent.ts"

/**
 * Looks at what was read of a shard.
 *
 * @category models
 * @since 0.1.0
 */
export type Watch = (records: ReadonlyArray<KinesisClient.Record>) => Effect.Effect<void, EventSourceMappingError>

/**
 * What a watch needs.
 *
 * @category models
 * @since 0.1.0
 */
export interface Options {
  readonly shardId: string
  readonly parallelizationFactor: number
  readonly filter: unknown
  readonly aggregates: "warn" | "refuse"
  readonly emit: (event: MappingEvent.MappingEvent) => void
}

/**
 * Tells of the first aggregate of a shard, in the log and as an event, or fails at it.
 *
 * @category constructors
 * @since 0.1.0
 */
export const watch = (options: Options): Watch => {
  const { emit, shardId } = options
  const harms = harmed(options)
  if (harms === undefined) return () => Effect.void
  let met = false
  return (records) => {
    const first = met ? undefined : records.find(({ data }) => Aggregation.hasMagic(data))
    if (first === undefined) return Effect.void
    met = true
    const { sequenceNumber } = first
    emit({ _tag: "AggregateMet", shardId, sequenceNumber, harms })
    const message = `${sequenceNumber} on ${shardId} is an aggregate of the Kinesis Producer Library: ${advice[harms]}`
    return options.aggregates === "refuse"
      ? Effect.fail(new EventSourceMappingError({ reason: "Aggregated", message, retryable: false }))
      : Effect.logWarning(message)
  }
}

const harmed = ({ filter, parallelizationFactor }: Options) => {
  if (parallelizationFactor > 1) return "ParallelizationFactor"
  return filter === undefined ? undefined : "FilterCriteria"
}

const advice = {
  ParallelizationFactor:
    "its partition key stands for many, whose order does not hold in lanes; use a factor of 1, or publish without aggregation",
  FilterCriteria:
    "it is no JSON, so a filter on `data` drops it whole; publish without aggregation, or filter in the function"
}
