/** What the programs of a cluster and their test agree on. */
import type { Group } from "@leat/transport-kinesis/Checkpoint"

export const shards: ReadonlyArray<string> = Array.from(
  { length: 8 },
  (_, index) => `shardId-${String(index).padStart(12, "0")}`
)

export const groupOf = (namespace: string): Group => ({ application: namespace, stream: "orders@1767225600000" })

/** Milliseconds. */
export const lease = 2_000
