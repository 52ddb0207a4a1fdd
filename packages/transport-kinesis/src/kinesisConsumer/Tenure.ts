/**
 * A shard as long as the assignment says that it is this process's: run again where a run ended and nobody else has it.
 *
 * A run may lose its row though its process has the shard: the store lost rows, an operator deleted one, a write that was
 * given up on came late. That must not leave a shard that nobody reads.
 *
 * @since 0.1.0
 */
import type { Journal } from "@leat/core/Journal"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

import type * as KinesisClient from "../KinesisClient.ts"
import type { Failure, Room } from "./Ownership.ts"
import * as ShardRun from "./ShardRun.ts"

/**
 * Another process of the application reads the same shard, and nothing keeps the two apart.
 *
 * @category errors
 * @since 0.1.0
 */
export class TakenOver extends Schema.TaggedError<TakenOver>()("TakenOver", {
  shardId: Schema.String,
  /** The other process, as its checkpoint names it. */
  owner: Schema.String,
  message: Schema.String,
  retryable: Schema.Boolean
}) {}

// A takeover that was late is over in a moment; one that repeats has a cause that waiting has to outlast.
const firstPause = 1_000
const longestPause = 30_000

/**
 * Runs a shard until it is at its end or is given back; `look` asks for a look at the shards at once.
 *
 * **Details**
 *
 * `exclusive`: the assignment keeps other processes away, so who fenced this one is not there any more, and it takes over
 * again. Where nothing keeps them away, the later process wins and this one fails.
 *
 * @category running
 * @since 0.1.0
 */
export const run = Effect.fnUntraced(function* <R>(
  room: Room<R>,
  shard: KinesisClient.Shard,
  options: { readonly exclusive: boolean; readonly look: Effect.Effect<void> }
): Effect.fn.Return<void, Failure | TakenOver, R | Journal> {
  for (let pause = firstPause; ; pause = Math.min(longestPause, pause * 2)) {
    const ending = yield* ShardRun.run(room, shard)
    if (ending === "Stopped") return
    yield* options.look
    if (ending === "Ended") return
    if (ending === "Fenced" && !options.exclusive) yield* failWhereTaken(room, shard.shardId)
    yield* Effect.sleep(pause)
  }
})

const failWhereTaken = Effect.fnUntraced(function* <R>(room: Room<R>, shardId: string) {
  const rows = yield* Effect.orElseSucceed(room.store.list(room.group), () => [])
  const owner = rows.find((row) => row.shardId === shardId)?.owner
  if (owner === undefined || owner === "" || owner === room.owner) return undefined
  return yield* new TakenOver({
    shardId,
    owner,
    message: `${owner} reads shard ${shardId} too, as the same application ${room.group.application}: let processes share the shards (assignment/Cluster), or give each application its own name`,
    retryable: false
  })
})
