/** How the consumer ends: what it says in one line, and what a second signal does. */
import { JournalError } from "@leat/core/Journal"
import { ShardAssignmentError } from "@leat/transport-kinesis/assignment/Cluster"
import { CheckpointError } from "@leat/transport-kinesis/Checkpoint"
import { KinesisConsumerError, TakenOver } from "@leat/transport-kinesis/KinesisConsumer"
import { KinesisError } from "@leat/transport-kinesis/KinesisError"
import { StreamSettingsError } from "@leat/transport-kinesis/StreamSettings"
import * as HttpServerError from "effect/http/HttpServerError"

/** The one line for what a person can mend; `undefined` for what needs its stack. */
export const plain = (error: unknown): string | undefined => {
  if (error instanceof HttpServerError.ServeError) {
    const reason = error.cause instanceof Error ? error.cause.message : ""
    return `configuration: health can't be told at HEALTH_HOST and HEALTH_PORT: ${reason}`
  }
  if (error instanceof KinesisError) return `the consumer can't run: ${error.message}${hint(error)}`
  if (error instanceof CheckpointError) return `the consumer can't run: checkpoints: ${error.message}`
  if (error instanceof JournalError) return `the consumer can't run: journal: ${error.message}`
  if (error instanceof ShardAssignmentError) return `the consumer can't run: shard assignment: ${error.message}`
  if (error instanceof TakenOver)
    return `the consumer can't go on: ${error.message} (SHARD_ASSIGNMENT, CONSUMER_APPLICATION)`
  return error instanceof StreamSettingsError || (error instanceof KinesisConsumerError && error.reason === "Options")
    ? `the consumer can't run: ${error.message}`
    : undefined
}

/** The SDK may find a region elsewhere too, so that only it can say that there is none. */
const hint = ({ message }: KinesisError): string =>
  message.endsWith("Region is missing") ? ": set AWS_REGION, or KINESIS_ENDPOINT for a stream that is not AWS's" : ""

/** The first signal asks for a hand-over, which takes as long as the slowest batch; who asks twice won't wait. */
export const atOnceWhenAskedTwice = (): void => {
  let asked = false
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const) {
    process.on(signal, () => {
      if (asked) process.exit(code)
      asked = true
    })
  }
}
