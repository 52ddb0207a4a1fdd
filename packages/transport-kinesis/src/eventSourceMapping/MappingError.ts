/**
 * Why a mapping does not start, or stops.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * An option that AWS refuses, or something met on the way that must not go on.
 *
 * @category errors
 * @since 0.1.0
 */
export class EventSourceMappingError extends Schema.TaggedError<EventSourceMappingError>()("EventSourceMappingError", {
  reason: Schema.Literals([
    /** An aggregate under `aggregates: "refuse"`. */
    "Aggregated",
    "BatchSize",
    /** Another mapping took the shard over. */
    "CheckpointLost",
    "FilterCriteria",
    "FunctionTimeout",
    "MaximumBatchingWindow",
    "MaximumRecordAge",
    "MaximumRetryAttempts",
    "ParallelizationFactor",
    "PollInterval",
    "ReservedConcurrency",
    "TumblingWindow"
  ]),
  message: Schema.String,
  retryable: Schema.Boolean
}) {}
