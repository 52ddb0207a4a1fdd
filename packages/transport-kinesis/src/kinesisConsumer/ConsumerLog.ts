/**
 * What of a consumer's doings goes into the log: what a person has to know, once a while for each kind.
 *
 * @since 0.1.0
 */
import type { ConsumerEvent } from "./ConsumerEvent.ts"

/**
 * A line of the log.
 *
 * @category models
 * @since 0.1.0
 */
export interface Line {
  readonly level: "Info" | "Warn" | "Error"
  readonly message: string
}

/**
 * The line for an event; `undefined` for what only counts.
 *
 * @category getters
 * @since 0.1.0
 */
export const lineOf = (event: ConsumerEvent): Line | undefined => {
  switch (event._tag) {
    case "ShardStarted":
      return info(`shard ${event.shardId} is read here, under token ${event.token}`)
    case "ShardEnded":
      return info(`shard ${event.shardId} is at its end`)
    case "ShardReleased":
      return info(`shard ${event.shardId} is given back${event.settled ? "" : "; what is open comes again elsewhere"}`)
    case "ShardStuck":
      return error(
        `shard ${event.shardId}: its batch neither ended nor could be interrupted, and goes on in the background`
      )
    case "ShardFenced":
      return warn(`shard ${event.shardId} was taken over by another process; this one (token ${event.token}) stops it`)
    case "LaneHeld":
      return warn(
        `key ${event.key} of shard ${event.shardId} waits at ${event.position} after try ${event.attempt}: ${event.reason}${
          event.retryable ? "" : " (it will not mend itself)"
        }`
      )
    case "RecordsTrimmed":
      return error(
        `shard ${event.shardId}: the record ${event.position} has expired, and what followed it up to ${event.resumed ?? "the oldest there is"} may be lost: the consumer was behind by more than the stream's retention`
      )
    case "ShardLost":
      return error(`shard ${event.shardId} expired from the stream before it was read to its end: its rest is lost`)
    case "JournalFailed":
    case "CheckpointFailed":
    case "FetchFailed":
    case "FellBack":
      return warn(`shard ${event.shardId}: ${sentences[event._tag]}: ${event.error.message}`)
    case "DiscoveryFailed":
      return warn(`looking for shards failed and is tried again: ${event.error.message}`)
    case "OutOfRange":
      return warn(
        `shard ${event.shardId}: ${event.records} records of an aggregate belong to other shards and were ${event.dropped ? "left out" : "handled here"}`
      )
    default:
      return undefined
  }
}

const sentences = {
  JournalFailed: "the journal failed and is tried again",
  CheckpointFailed: "its checkpoint was not written and is tried again",
  FetchFailed: "reading failed and is tried again",
  FellBack: "enhanced fan-out does not work here, it is polled from now on"
} as const

const info = (message: string): Line => ({ level: "Info", message })
const warn = (message: string): Line => ({ level: "Warn", message })
const error = (message: string): Line => ({ level: "Error", message })

/**
 * Milliseconds within which one kind of warning is said once.
 *
 * @category constants
 * @since 0.1.0
 */
export const pause = 10_000

/**
 * A filter that lets warnings of one kind pass once in {@link pause}, with how many it kept back. Everything else passes.
 *
 * @category constructors
 * @since 0.1.0
 */
export const makeLimit = (): ((event: ConsumerEvent, now: number) => Line | undefined) => {
  const kinds = new Map<string, { readonly since: number; kept: number }>()
  return (event, now) => {
    const line = lineOf(event)
    if (line?.level !== "Warn") return line
    const kind = kinds.get(event._tag)
    if (kind !== undefined && now - kind.since < pause) {
      kind.kept += 1
      return undefined
    }
    kinds.set(event._tag, { since: now, kept: 0 })
    const kept = kind?.kept ?? 0
    return kept === 0
      ? line
      : { ...line, message: `${line.message} (and ${kept} more of the kind since the last line)` }
  }
}
