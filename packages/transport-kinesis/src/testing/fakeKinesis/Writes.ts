/**
 * `PutRecords` of a fake.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"

import type * as KinesisClient from "../../KinesisClient.ts"
import type * as KinesisError from "../../KinesisError.ts"
import * as ShardRouting from "../embeddedKinesis/ShardRouting.ts"
import type * as Faults from "./Faults.ts"
import * as Model from "./Model.ts"
import * as Reads from "./Reads.ts"
import * as Refusal from "./Refusal.ts"
import * as World from "./World.ts"

/**
 * The open shard that an entry goes to.
 *
 * @category getters
 * @since 0.1.0
 */
export const route = (
  stream: Model.Stream,
  entry: { readonly partitionKey: string; readonly explicitHashKey?: string | undefined }
): Model.Shard | undefined => {
  const open = stream.shards.filter(({ closedAt }) => closedAt === undefined)
  // AWS does not say how AUTO spreads. In turn it is, so that a test sees it.
  if (stream.settings.ignoresPartitionKeys) return open[Number(stream.counter % BigInt(Math.max(1, open.length)))]
  const ranges = open.map(({ hashRange, shardId }) => ({ ...hashRange, shardId, open: true }))
  const shardId = ShardRouting.shardOf(ranges, entry)
  return open.find((shard) => shard.shardId === shardId)
}

/**
 * `PutRecords`.
 *
 * @category calls
 * @since 0.1.0
 */
export const putRecords =
  (world: World.World): KinesisClient.KinesisClient["Service"]["putRecords"] =>
  (stream, entries) =>
    World.call(world, { operation: "PutRecords", stream, asked: entries.length }, (now, fault) =>
      Effect.gen(function* () {
        const found = yield* World.activeStream(world, "PutRecords", stream)
        const wrong = faultOf(world, found, entries)
        if (wrong !== undefined) return yield* Refusal.refuse("Invalid", "PutRecords", wrong)
        const results: Array<KinesisClient.Put> = []
        for (const [index, entry] of entries.entries()) results.push(yield* put(world, found, entry, index, now, fault))
        Model.changed(found)
        return results
      })
    )

const put = (
  world: World.World,
  stream: Model.Stream,
  entry: KinesisClient.Entry,
  index: number,
  now: number,
  fault: Faults.Fault
): Effect.Effect<KinesisClient.Put, KinesisError.KinesisError> => {
  if (fault._tag === "Reject" && fault.entries(entry, index)) {
    return Effect.succeed({ _tag: "Rejected", code: fault.code, message: "scripted" })
  }
  const shard = route(stream, entry)
  if (shard === undefined) {
    return Refusal.refuse(
      "Invalid",
      "PutRecords",
      `explicit hash key ${entry.explicitHashKey} is no number below 2^128`
    )
  }
  if (!world.throttle.write(`${stream.generation}/${shard.shardId}`, Reads.sizeOf(entry))) {
    const message = `Rate exceeded for shard ${shard.shardId} in stream ${stream.name} under account 000000000000.`
    return Effect.succeed({ _tag: "Rejected", code: "ProvisionedThroughputExceededException", message })
  }
  const { data, partitionKey } = entry
  const { sequenceNumber } = Model.append(stream, shard, { data, partitionKey, arrival: now })
  return Effect.succeed({ _tag: "Accepted", shardId: shard.shardId, sequenceNumber })
}

/** What makes AWS refuse the whole request. */
const faultOf = (
  world: World.World,
  stream: Model.Stream,
  entries: ReadonlyArray<KinesisClient.Entry>
): string | undefined => {
  if (entries.length < 1 || entries.length > 500) return `${entries.length} records: 1 to 500 are allowed`
  const bytes = entries.reduce((sum, entry) => sum + Reads.sizeOf(entry), 0)
  if (bytes > world.limits.requestBytes) return `${bytes} bytes of records: ${world.limits.requestBytes} are allowed`
  for (const entry of entries) {
    const { length } = Array.from(entry.partitionKey)
    if (length < 1 || length > 256) return `a partition key has ${length} characters: 1 to 256 are allowed`
    const { maxRecordBytes } = stream.settings
    if (Reads.sizeOf(entry) > maxRecordBytes) {
      return `a record has ${Reads.sizeOf(entry)} bytes: ${maxRecordBytes} are allowed`
    }
    if (route(stream, entry) === undefined) return `explicit hash key ${entry.explicitHashKey} is no number below 2^128`
  }
  return undefined
}
