/**
 * Whether a call to AWS failed without an answer of the service's, so that nobody knows what became of it.
 */

const broken = new WeakSet<Error>()

/** Marks what a connection ended with: over HTTP/2 the SDK has plain errors for some of it, which nothing tells apart. */
export const mark = (cause: unknown): void => {
  if (cause instanceof Error) broken.add(cause)
}

/**
 * A refusal that could be read is an exception of the service's, which has a `$fault`; it is an answer unless it is a 5xx.
 * Else there is a status where an answer began that could not be read to its end, and a `code` where a socket failed.
 */
export const is = (error: Error): boolean => {
  const status = "$metadata" in error ? statusOf(error.$metadata) : undefined
  if ("$fault" in error) return status !== undefined && status >= 500
  return broken.has(error) || status !== undefined || ("code" in error && typeof error.code === "string")
}

const statusOf = (metadata: unknown): number | undefined =>
  typeof metadata === "object" &&
  metadata !== null &&
  "httpStatusCode" in metadata &&
  typeof metadata.httpStatusCode === "number"
    ? metadata.httpStatusCode
    : undefined
