/** What DynamoDB answers with, by reason. */
import * as Data from "effect/Data"

import type { CheckpointError } from "../Checkpoint.ts"
import * as CheckpointRow from "./CheckpointRow.ts"

/** The condition of a write did not hold: an answer, not a fault. */
export class ConditionFailed extends Data.TaggedError("ConditionFailed")<{ readonly operation: string }> {}

/** https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html */
const throttling = new Set([
  "ProvisionedThroughputExceededException",
  "ThrottlingException",
  "RequestLimitExceeded",
  "LimitExceededException"
])

export const fromThrown = (
  operation: CheckpointRow.Operation,
  table: string,
  thrown: unknown
): CheckpointError | ConditionFailed => {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown))
  if (error.name === "ConditionalCheckFailedException") return new ConditionFailed({ operation })
  const reason = throttling.has(error.name) ? "Throttled" : isRefusal(error) ? "Refused" : "Unavailable"
  return CheckpointRow.fault(operation, reason, `the table ${table} of DynamoDB: ${textOf(error)}`, thrown)
}

/** No table, no permission, no such key, no credentials: a repeat is refused again. Sockets and 5xx may mend. */
const isRefusal = (error: Error): boolean => {
  const status = statusOf(error)
  if (error.name === "CredentialsProviderError") return true
  return status !== undefined && status >= 400 && status < 500 && status !== 429
}

const statusOf = (error: Error): number | undefined => {
  const metadata: unknown = "$metadata" in error ? error.$metadata : undefined
  return typeof metadata === "object" && metadata !== null && "httpStatusCode" in metadata
    ? Number(metadata.httpStatusCode)
    : undefined
}

const textOf = (error: Error): string => {
  const [first] = error instanceof AggregateError ? error.errors : [error]
  const text = first instanceof Error && first.message !== "" ? `${error.name}: ${first.message}` : error.name
  return error.name === "ResourceNotFoundException" ? `${text} (make it, or pass createTable: true)` : text
}
